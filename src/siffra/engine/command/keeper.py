"""Ends the processes of a command when its lifeline closes: `python -I -S keeper.py MARK GRACE`.

stdin is the lifeline, a pipe whose other end siffra alone holds. It closes when siffra wants the
command to end, and when siffra dies, however it dies: one way to end a command for all cases.
Before that it brings the number of the command's process group.

`MARK` is a variable `NAME=value` that every process of the command inherits. By it, on Linux, those
are known that made sessions of their own. They are spared if the lifeline also brings the word
`spare`: then the command has ended, and left something running in its group.

All get SIGTERM, and after GRACE seconds whatever is left gets SIGKILL. Nothing here imports siffra,
or anything else that would take long to start.
"""

import os
import sys
import time

# The same everywhere; to import `signal` would double the time in which this program starts.
_SIGTERM, _SIGKILL = 15, 9
_PROCESSES = "/proc"
_MOMENT = 0.02
"""Seconds between two looks at what is left."""
_LAST_LOOKS = 100
"""Looks after the first SIGKILL, which processes that were just being made may have escaped."""


def main() -> None:
    """Wait until the lifeline closes, then end everything."""
    mark, grace = sys.argv[1].encode(), float(sys.argv[2])
    group, *spare = sys.stdin.buffer.read().split() or [b"0"]
    end_processes(int(group), None if spare else mark, grace)


def end_processes(group: int, mark: bytes | None, grace: float) -> None:
    """End what lives of the process group, of which 0 is none, and what has the mark."""
    deadline = time.monotonic() + grace
    send(_SIGTERM, targets(group, mark))
    while targets(group, mark) and time.monotonic() < deadline:
        time.sleep(_MOMENT)
    for _ in range(_LAST_LOOKS):
        left = targets(group, mark)
        if not left:
            return
        send(_SIGKILL, left)
        time.sleep(_MOMENT)


def send(number: int, processes: list[int]) -> None:
    for process in processes:
        try:  # noqa: SIM105  contextlib would take long to import
            os.kill(process, number)
        except (ProcessLookupError, PermissionError):  # it is gone, or another user's by now
            pass


def targets(group: int, mark: bytes | None) -> list[int]:
    """What `os.kill` takes: processes, or where there is no /proc the whole group."""
    if os.path.isdir(_PROCESSES + "/self"):
        numbers = [int(name) for name in os.listdir(_PROCESSES) if name.isdigit()]
        return [number for number in numbers if _belongs(number, group, mark)]
    return [-group] if group and has_processes(group) else []


def has_processes(group: int) -> bool:
    """Whether anything is in the process group, be it a zombie."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS permits no signal to zombies
        return False
    return True


def _belongs(process: int, group: int, mark: bytes | None) -> bool:
    """Whether it lives, and is of the group or has the mark."""
    try:
        # "number (name) state parent group …"; a name may have spaces and brackets
        state, _, its_group = _read(process, "stat").rpartition(b")")[2].split()[:3]
        if state in b"ZX":
            return False
        if group and int(its_group) == group:  # 0 is that of the kernel's own threads
            return True
        return mark is not None and mark in _read(process, "environ").split(b"\0")
    except (OSError, ValueError):  # it has gone meanwhile, or is another user's
        return False


def _read(process: int, name: str) -> bytes:
    with open(f"{_PROCESSES}/{process}/{name}", "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
