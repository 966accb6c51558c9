"""One command from its start to its end, with real programs that behave as badly as they can."""

import os
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from siffra.engine.command.process import Finished, run_command
from siffra.errors import ConfigError

AT_ONCE = 300.0
"""Seconds in which what does not wait for a minute is over, on a machine that is busy."""


def run(script: str, folder: Path = Path("/"), **options) -> Finished:
    """What becomes of a shell script."""
    return run_command(["sh", "-c", script], cwd=folder, **options)


def python(script: str, **options) -> Finished:
    return run_command([sys.executable, "-c", script], cwd=Path("/"), **options)


class Took:
    """Measures how long its block took."""

    def __enter__(self) -> "Took":
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


def test_exit_status_and_output_are_those_of_the_command():
    seen = []
    finished = run("echo one; echo two >&2; exit 3", on_line=lambda *line: seen.append(line))

    assert finished.exit_status == 3
    assert not finished.timed_out
    assert sorted(seen) == [("one", "stdout"), ("two", "stderr")]
    assert sorted(finished.tail) == ["one", "two"]


def test_a_signal_that_ended_it_is_its_status():
    assert run("kill -9 $$").exit_status == -9


def test_it_runs_in_its_folder_with_the_variables_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("OF_OURS", "kept")

    finished = run(
        "pwd; echo $OF_OURS $CUDA_VISIBLE_DEVICES $PYTHONUNBUFFERED",
        tmp_path,
        env={"CUDA_VISIBLE_DEVICES": "1"},
    )

    assert finished.tail == (str(tmp_path), "kept 1 1")


def test_it_has_no_input():
    with Took() as took:
        assert run("cat; echo end").tail == ("end",)
    assert took.seconds < AT_ONCE


def test_lines_come_while_it_runs(tmp_path):
    seen = tmp_path / "seen"
    finished = python(
        "import os, time; print('first')\n"
        f"while not os.path.exists({str(seen)!r}): time.sleep(0.01)",
        on_line=lambda *_: seen.touch(),
        timeout=300,
    )

    assert finished.exit_status == 0
    assert finished.seconds < 300


def test_its_time_is_measured():
    finished = python("import time; time.sleep(0.2)")

    assert 0.2 <= finished.seconds < 30


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["/no/such/program"], "No such file or directory"),
        (["./script"], "Permission denied"),
        (["sh", "x" * 2**22], "Argument list too long"),
        (["sh", "\udfff"], "a word or a variable has a character that no program can be given"),
    ],
)
def test_one_that_cannot_be_started_is_one_clear_line(words, reason, tmp_path):
    (tmp_path / "script").write_text("echo")

    with pytest.raises(ConfigError) as caught:
        run_command(words, cwd=tmp_path)

    assert str(caught.value) == f"command: cannot start `{words[0]}`: {reason}."


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(ConfigError) as caught:
        run_command(["sh"], cwd=Path("/no/folder"))

    assert str(caught.value) == (
        "command: cannot start `sh` in /no/folder: No such file or directory."
    )


class TestOutput:
    def test_fifty_megabytes_are_read_at_speed(self):
        lines = 0

        def count(line: str, stream: str) -> None:
            nonlocal lines
            lines += 1

        with Took() as took:
            finished = run("yes 'epoch 12: val_loss 0.123456789' | head -n 1500000", on_line=count)

        assert lines == 1_500_000
        assert finished.tail == ("epoch 12: val_loss 0.123456789",) * 20
        assert took.seconds < AT_ONCE  # 0.7 s on an idle machine

    def test_bytes_without_lines_take_bounded_memory(self):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        finished = run("head -c 40000000 /dev/zero; head -c 1000000 /dev/urandom >&2")
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        assert finished.exit_status == 0
        assert len(finished.tail) == 20
        assert after - before < 30 * 1024 * (1024 if sys.platform == "darwin" else 1)

    def test_endless_output_ends_with_the_time(self, begun):
        finished = run("yes", timeout=0.3, on_line=begun.begin)

        assert finished.timed_out
        assert finished.tail == ("y",) * 20

    def test_a_command_may_close_its_output_and_go_on(self):
        finished = run("exec >&- 2>&-; sleep 0.3; exit 4", timeout=300)

        assert finished.exit_status == 4
        assert finished.seconds >= 0.3

    def test_all_that_was_printed_before_the_end_is_read(self):
        for _ in range(20):
            assert run("echo first; printf last").tail == ("first", "last")

    def test_others_who_hold_the_output_are_not_waited_for(self):
        with Took() as took:
            finished = python(
                "import subprocess\n"
                "print(subprocess.Popen(['sleep', '900'], start_new_session=True).pid)"
            )

        os.kill(int(finished.tail[0]), signal.SIGKILL)
        assert took.seconds < AT_ONCE


class TestTimeout:
    def test_it_ends_the_command(self, begun):
        with Took() as took:
            finished = run("echo begun; sleep 900", timeout=0.5, on_line=begun.begin)

        assert finished.timed_out
        assert finished.exit_status == -15
        assert finished.tail == ("begun",)
        assert 0.5 <= took.seconds < AT_ONCE

    def test_the_command_may_tidy_up_and_say_so(self, begun):
        script = "trap 'echo tidied; exit 7' TERM; echo begun; sleep 900 & wait"
        finished = run(script, timeout=0.1, on_line=begun.begin)

        assert finished.timed_out
        assert finished.exit_status == 7
        assert finished.tail == ("begun", "tidied")

    def test_one_that_will_not_end_is_killed(self, begun):
        script = "trap '' TERM; echo begun; while :; do sleep 0.05; done"
        with Took() as took:
            finished = run(script, timeout=0.2, grace=0.3, on_line=begun.begin)

        assert finished.exit_status == -9
        assert 0.5 <= took.seconds < AT_ONCE

    def test_one_that_is_stopped_is_killed(self, begun):
        def stop(line: str, stream: str) -> None:
            os.kill(int(line), signal.SIGSTOP)
            begun.begin()

        finished = run("echo $$; sleep 900", timeout=0.1, grace=0.1, on_line=stop)

        assert finished.timed_out
        assert finished.exit_status == -9


def test_two_threads_run_commands_at_once():
    def echo(number: int) -> tuple[str, ...]:
        return run(f"sleep 0.05; echo {number}").tail

    with Took() as took, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(echo, range(32)))

    assert found == [(str(number),) for number in range(32)]
    assert took.seconds < AT_ONCE  # 1.6 s one after the other, but for the starts


def test_a_timeout_in_one_thread_leaves_the_other_alone():
    other: list[Finished] = []
    thread = threading.Thread(target=lambda: other.append(run("sleep 0.5; echo ok")))
    thread.start()
    assert run("sleep 900", timeout=0.1).timed_out
    thread.join()

    assert other[0].tail == ("ok",)
    assert other[0].exit_status == 0


def test_nothing_is_left_open():
    def open_files() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    run("true")
    before = open_files()
    for _ in range(5):
        run("echo")
        with pytest.raises(ConfigError):
            run_command(["/no/such/program"], cwd=Path("/"))
    assert open_files() == before


def test_where_nothing_more_can_be_started_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")

    with pytest.raises(ConfigError) as caught:
        run("true")

    assert str(caught.value) == "command: cannot start `/no/python`: No such file or directory."
