"""What tests of several modules share."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress

import hypothesis
import pytest

from siffra.data.dataset import Dataset, Images
from siffra.data.load import load_dataset
from siffra.report.drawing import Drawing
from siffra.system.load import Load, LoadMeter

# How long an example takes is the machine's affair, which may be busy.
hypothesis.settings.register_profile("siffra", deadline=None)
hypothesis.settings.load_profile("siffra")

MEMORY = "/dev/shm"


def pytest_configure() -> None:
    """Have what tests start hear signals, and what they write in memory where there is room.

    A shell that runs the tests in the background has told them, and all that they start, to ignore
    some. A store waits for the disk at every run, which is most of the time of many a test.
    """
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)  # not every system has the second
        if number and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
    with suppress(AttributeError, OSError):  # not every system has it
        folder = os.statvfs(MEMORY)
        if folder.f_bavail * folder.f_frsize > 2**31 and not folder.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("TMPDIR", MEMORY)
            tempfile.tempdir = None  # as it was found before


def make_digits(train: int, rest: int = 60) -> Dataset:
    """The first `train` training images of MNIST, and `rest` of each other set."""
    full = load_dataset()

    def some(images: Images, count: int) -> Images:
        return Images(images.x[:count], images.y[:count])

    return Dataset(
        name=f"mnist[:{train}]",
        classes=10,
        train=some(full.train, train),
        val=some(full.val, rest),
        test=some(full.test, rest),
        shifted={name: some(images, rest) for name, images in full.shifted.items()},
        fingerprint=f"{train:032x}{rest:032x}",
    )


class QuietMachine(LoadMeter):
    """Says of every training that it had its machine for itself; looks at no clock."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def load(self) -> Load:
        return Load(wall=1.0, cpu=1.0, waited=0.0, average=0.5)


@pytest.fixture(scope="session", autouse=True)
def quiet_machine() -> Iterator[None]:
    """Answers do not depend on what else this machine does while the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("siffra.training.run.LoadMeter", QuietMachine)
        yield


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report's figures are drawn, but laid out and written as nothing: most of its time."""
    blank = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    monkeypatch.setattr(
        "siffra.report.figures.style.finish", lambda _, name: Drawing(name, "svg", blank)
    )


@pytest.fixture(scope="session")
def digits() -> Callable[..., Dataset]:
    """`digits(train=100)`: a small part of the real data set."""
    return make_digits
