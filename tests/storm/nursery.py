"""A process that has siffra imported and its kernels in memory, from which commands are forked.

So a command is at work at once, and killing one costs about a second. `nursery.py ARGUMENT…` runs
that command in itself first. Then, for each line on stdin, a JSON object with `arguments`, `stdout`
and `stderr` (paths), it forks the command and answers with its number and, when it has ended, with
how: two lines on stdout.
"""

import atexit
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

from siffra.cli import main as siffra


def main() -> None:
    """Fork what is ordered, one after the other."""
    answers = os.fdopen(os.dup(1), "w")
    _point({1: os.devnull})
    with suppress(SystemExit):
        siffra(sys.argv[1:])
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order, answers.fileno())
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers, flush=True)


def _become(order: dict[str, Any], answers: int) -> NoReturn:
    _point({0: os.devnull, 1: order["stdout"], 2: order["stderr"]})
    # As a shell starts them; these may be ignored where tests run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Told by the command itself: before this it is none, and has nowhere to say what befalls it.
    os.write(answers, f"{os.getpid()}\n".encode())
    code = 70
    try:
        siffra(order["arguments"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _point(where: dict[int, str]) -> None:
    for number, path in where.items():
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    main()
