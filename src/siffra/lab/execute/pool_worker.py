"""A process of a pool: makes the runs that it is sent, one after the other.

`python -m siffra.lab.execute.pool_worker FILE`, where FILE is the number of an open file that
holds a data set, what makes an engine, how many threads that gets, and how many processes there
are.
"""

import os
import pickle
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import BinaryIO

from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.shared_file import read_shared
from siffra.lab.execute.trainer import Reply, RunTrainer
from siffra.training.run import Epoch


def main() -> None:
    """Make every run that is sent on stdin, until there are no more."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # what a terminal sends is for the parent process
    # Only messages may go there; whatever else is printed goes to the terminal.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    runs: queue.Queue[bytes] = queue.Queue()
    going = threading.Event()
    going.set()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, runs, going), daemon=True).start()
    trainer: RunTrainer | None = None
    jobs = 1
    while True:
        run = runs.get()
        try:
            if trainer is None:
                dataset, make_engine, threads, jobs = read_shared(int(sys.argv[1]))
                trainer = RunTrainer(dataset, make_engine(threads))
            reply = Reply.of(_do(trainer, pickle.loads(run), out, going), jobs)
        except Exception as error:  # whatever it is: the parent process raises it
            reply = Reply.to_error(error)
        _send(out, reply)


def _do(trainer: RunTrainer, job: Job | Task, out: BinaryIO, going: threading.Event) -> Event:
    def end_epoch(number: int, scores: Epoch) -> None:
        _send(out, scores, number)
        going.wait()

    trainer.compile_once([job])
    return trainer.do(job, end_epoch)


def _send(out: BinaryIO, message: Epoch | Reply, number: int = 0) -> None:
    try:
        pickle.dump((message, number), out)
        out.flush()
    except BrokenPipeError:  # the parent is gone, and this process may know it before `_listen`
        os._exit(0)


def _listen(stdin: BinaryIO, runs: "queue.Queue[bytes]", going: threading.Event) -> None:
    """Queue the runs that are sent, and hold the one in progress, until the parent is gone."""
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            message = pickle.load(stdin)
            if message is True:
                going.clear()
            elif message is False:
                going.set()
            else:
                runs.put(message)
    os._exit(0)


if __name__ == "__main__":
    main()
