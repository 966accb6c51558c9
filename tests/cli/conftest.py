"""Runs the command line in this process, on a data set and a store of the test's own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from siffra.cli import main


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def quick_reports(unpainted: None) -> None:
    """Which figures a report has is seen here, not what they show."""


@pytest.fixture
def siffra(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`siffra("train", "--epochs", 1)` as `Ended`; runs are stored in `tmp_path`."""
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["siffra"])

    def run(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own data set in Keras' schema: 90 + 30 images of 12 x 12 in 3 classes."""
    rng = np.random.default_rng(3)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(count) % 3
        x = rng.integers(0, 90, (count, 12, 12))
        for image, label in zip(x, y, strict=True):
            image[2:10, 4 * label : 4 * label + 3] += 150
        return x.astype(np.uint8), y

    path = tmp_path_factory.mktemp("data") / "own.npz"
    (x_train, y_train), (x_test, y_test) = images(90), images(30)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="session")
def small(own_data: Path) -> tuple[str, ...]:
    """Options for runs on `own_data` of some hundredths of a second."""
    knobs = ("--epochs", "2", "--batch-size", "9", "--learning-rate", "0.1")
    return ("--data", str(own_data), "--moved", "2", "--threads", "1", *knobs)
