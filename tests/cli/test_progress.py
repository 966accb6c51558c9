"""Progress on stderr: a line for each tenth of the work, or two lines that change."""

import io
import itertools
import re

import pytest
from rich.console import Console

from siffra.cli import progress
from siffra.cli.progress import LATEST, SOONEST, UNKNOWN, Meter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def told(clock, capsys, seconds, runs, *, known=True):
    """The times of the lines of work that takes `seconds`, and its lines."""
    times, lines = [], []
    with Meter(runs, "runs") as meter:
        for done in range(runs + 1):
            clock.now = seconds * done / runs
            meter.update(done, "seed 3", seconds - clock.now if known else None)
            new = capsys.readouterr().err.splitlines()
            lines += new
            times += [clock.now] * len(new)
    return times, lines


@pytest.mark.parametrize(
    ("seconds", "gap"), [(20, SOONEST), (200, 20), (1000, 100), (3600, LATEST), (36000, LATEST)]
)
def test_a_line_comes_with_each_tenth_of_the_time_but_none_is_far_from_the_next(
    clock, capsys, seconds, gap
):
    times, _ = told(clock, capsys, seconds, 3600)

    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(times) >= SOONEST
    assert min(between) >= gap
    assert max(between) < gap + 2 * seconds / 3600


def test_where_no_time_is_known_a_line_comes_now_and_then(clock, capsys):
    times, lines = told(clock, capsys, 300, 300, known=False)

    assert times == [SOONEST + UNKNOWN * n for n in range(10)]
    assert lines[0] == "2/300 runs; seed 3"


def test_work_that_is_over_at_once_says_nothing(clock, capsys):
    assert told(clock, capsys, SOONEST / 2, 50) == ([], [])


def test_a_line_says_how_much_how_long_and_what(clock, capsys):
    with Meter(45, "körningar", "{time} kvar", ",") as meter:
        clock.now = 3.0
        meter.update(20, "frö 3", 8.25, 50, "4 av 9 påståenden avgjorda")

    assert capsys.readouterr().err == (
        "20/50 körningar, 8,2 s kvar, 4 av 9 påståenden avgjorda; frö 3\n"
    )


def test_on_a_terminal_it_has_two_lines_however_long_the_text(clock, monkeypatch):
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(progress, "console", lambda **_: terminal)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)

    with Meter(45, "runs") as meter:
        meter.update(20, "a setting with a name like this one " * 9, 75.0, decided="3 of 9 decided")
        meter._lines.live.refresh()
        shown = written.getvalue()
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "", shown).splitlines()[-2:]

    assert " ".join(lines[0].split()[1:]) == "20/45 runs 75 s left 3 of 9 decided"
    assert lines[1].startswith("a setting with a name")
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 80
