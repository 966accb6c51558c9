"""However a command is ended, it says so in a line, and ends as shells have it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from siffra import cli
from siffra.cli import stopping
from siffra.cli.errors import explain_lack
from siffra.cli.stopping import Signals, Stopped

ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@pytest.fixture
def usual():
    """As a shell starts commands: nothing is ignored."""
    before = {each: signal.getsignal(each) for each in ENDING}
    for each in ENDING:
        usual = signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
        signal.signal(each, usual)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def ends(siffra, monkeypatch):
    """How `siffra` ends if a function is what it comes to do."""

    def run(function):
        monkeypatch.setattr(cli, "app", lambda **_: function())
        return siffra("train")

    return run


def as_typer_does(number):
    """An interrupt anywhere in a command becomes an exit code, and nothing is said."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        return 130


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_told_and_ends_with_its_number(usual, ends, number):
    ended = ends(lambda: as_typer_does(number))
    assert (ended.code, ended.err) == (128 + number, "stopped.\n")


@pytest.mark.parametrize("number", ENDING)
def test_what_a_command_has_to_say_of_it_is_said_in_place_of_that(usual, ends, number):
    def command():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise Stopped("stopped. 3 of 4 runs are stored.") from None

    ended = ends(command)
    assert (ended.code, ended.err) == (128 + number, "stopped. 3 of 4 runs are stored.\n")


def test_handlers_are_as_they_were_afterwards(usual, ends):
    ends(lambda: as_typer_does(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_what_is_ignored_stays_so(usual, ends):
    """`nohup` has SIGHUP ignored, and a shell SIGINT in the background."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    ended = ends(lambda: [signal.raise_signal(each) for each in ENDING] and 0)
    assert (ended.code, ended.err) == (0, "")


def test_further_signals_do_not_disturb_what_is_put_away(usual):
    """Some send SIGTERM and SIGHUP together; and whoever presses Ctrl-C again has had enough."""
    signals = Signals()
    with signals.raised():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        for number in ENDING[1:]:
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signals.exit_code == 143


def test_in_a_callback_of_llvms_a_signal_waits_until_that_is_over(usual):
    """There it would be swallowed, and the kernel never made."""
    arrived = threading.Event()

    def _raw_object_cache_notify():
        signal.raise_signal(signal.SIGTERM)
        arrived.set()

    def compile_and_wait():
        _raw_object_cache_notify()
        assert arrived.is_set()
        time.sleep(60)

    with Signals().raised(), pytest.raises(KeyboardInterrupt):
        compile_and_wait()


def test_in_a_finaliser_a_signal_is_not_swallowed(usual, capfd):
    """An exception there is printed as ignored, and the command would go on."""

    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def finalise_and_wait():
        Finalised()
        time.sleep(60)

    signals = Signals()
    with signals.raised(), pytest.raises(KeyboardInterrupt):
        finalise_and_wait()

    assert signals.exit_code == 128 + signal.SIGTERM
    assert capfd.readouterr().err == ""


def test_a_signal_that_was_swallowed_comes_again_even_while_that_is_seen_to(
    usual, capfd, monkeypatch
):
    """On a busy machine the timer may ring before Python has left the hook that set it."""
    send_soon, sent = stopping._send_soon, []

    def send_and_dawdle(number: int) -> None:
        send_soon(number)
        if not sent:
            sent.append(number)
            time.sleep(0.2)

    monkeypatch.setattr(stopping, "_send_soon", send_and_dawdle)

    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def finalise_and_wait():
        Finalised()
        time.sleep(10)

    signals = Signals()
    with signals.raised(), pytest.raises(KeyboardInterrupt):
        finalise_and_wait()

    assert sent == [signal.SIGTERM]
    assert signals.exit_code == 128 + signal.SIGTERM
    assert capfd.readouterr().err == ""


def test_numbas_compiler_calls_python_by_these_names():
    from llvmlite.binding.executionengine import ExecutionEngine

    assert ExecutionEngine._raw_object_cache_notify
    assert ExecutionEngine._raw_object_cache_getbuffer


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(24, "Too many open files"), "too many open files; raise the limit"),
        (OSError(24, "Too many open files", "a.csv"), "too many open files"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "cannot start another process"),
        (RuntimeError("can't start new thread"), "cannot start another process"),
        (MemoryError(), "out of memory"),
        (OSError(12, "Cannot allocate memory"), "out of memory"),
        (ImportError("x.so: failed to map segment from shared object"), "out of memory"),
        (OSError(36, "File name too long", "a" * 300), f"{'a' * 300}: File name too long."),
        (OSError(28, "No space left on device"), "(No space left on device); is the disk full"),
        (OSError("odd"), "system error: odd."),
    ],
)
def test_what_the_machine_lacks_is_one_line(ends, error, told):
    def fail():
        raise error

    ended = ends(fail)

    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert told in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ModuleNotFoundError("no module")])
def test_a_fault_of_siffras_own_is_none_of_these(error):
    assert explain_lack(error) is None


def siffra_in(shell, tmp_path):
    return subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m siffra {shell}"],
        env=os.environ | {"SIFFRA_STORE": str(tmp_path / "runs.sqlite")},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="has /dev/full")
@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("--version >&-", 0, ""),
        ("--version <&- >&- 2>&-", 0, ""),
        ("runs list >&-", 2, "no such store"),
        ("data > /dev/full", 2, "cannot write (No space left on device)"),
        ("--version > /dev/full 2> /dev/full", 2, ""),
    ],
)
def test_output_that_cannot_be_written_is_no_traceback(tmp_path, shell, code, said):
    ended = siffra_in(shell, tmp_path)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert ended.stderr.count("\n") == (1 if said else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="has limits of processes")
def test_with_too_few_descriptors_it_is_one_line():
    script = (
        "import resource\n"
        "from siffra.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "main(['data'])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: too many open files; raise the limit")
    assert ended.stderr.count("\n") == 1
