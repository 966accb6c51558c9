"""A process of `--jobs`: makes the runs that it is sent, one after the other.

`python -m siffra.lab.execute.pool_worker FILE`, where FILE is the number of an open file that
holds a data set, what makes an engine, and how many threads that gets, as a pickle.
"""

import mmap
import os
import pickle
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, BinaryIO

from siffra.lab.execute.making import Answer, Maker, answer, failure
from siffra.lab.plan.plan import PlannedRun
from siffra.training.run import Epoch


def main() -> None:
    """Answer every order on stdin, until there are no more."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # what a terminal sends is for the one who orders
    # Only answers may go there; whatever else is printed goes to the terminal.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    dataset, make_engine, threads = _read(int(sys.argv[1]))
    maker: Maker | None = None
    while True:
        order = orders.get()
        try:
            maker = maker or Maker(dataset, make_engine(threads))
            said = _made(maker, pickle.loads(order), out)
        except Exception as error:  # whatever it is: it is told, and raised over there
            said = failure(error)
        _say(out, said)


def _read(file: int) -> Any:
    # Where in the file one is, all that have it open share: so it is not read, but mapped.
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as content:
        read = pickle.loads(content)
    os.close(file)
    return read


def _made(maker: Maker, planned: PlannedRun, out: BinaryIO) -> Answer:
    maker.compile_in_turn(planned)
    return answer(maker.make(planned, lambda number, epoch: _say(out, epoch, number)))


def _say(out: BinaryIO, said: Epoch | Answer, number: int = 0) -> None:
    pickle.dump((said, number), out)
    out.flush()


def _listen(orders: BinaryIO, taken: "queue.Queue[Any]") -> None:
    """Hand on what is ordered, until nobody orders any more."""
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            taken.put(pickle.load(orders))
    os._exit(0)


if __name__ == "__main__":
    main()
