"""The same bits: on any number of threads, in another process, and compiled anew."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_digits
from governors import AtRandom, Whole
from small import small_dataset, unlabelled
from small_lab import results, small_plan

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import EpochEnd, Fitted
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.stack_training import StackTrainer
from siffra.engine.network import build_network
from siffra.lab.execute.runner import Event, run_plan
from siffra.store.store import open_store
from siffra.training.run import Record

SPARSE = {
    "sparse": {"neurons": 8, "batch_size": 3},
    "sparse with momentum": {"neurons": [9, 24], "batch_size": 50, "optimizer": "momentum"},
    # Three images, unevenly shared out.
    "sparse in two shards": {"neurons": 640, "batch_size": 3},
    "sparse in two shards with momentum": {
        "neurons": [640, 16], "batch_size": 60, "optimizer": "momentum",
    },
    "sparse in two shards with norms": {
        "neurons": [640, 20], "batch_size": 61, "optimizer": "adamw", "learning_rate": 0.01,
        "batch_norm": True, "dropout": 0.2, "ema": 0.9, "weight_decay": 0.1,
    },
    "sparse with muon": {
        "neurons": [24, 16], "batch_size": 50, "optimizer": "muon", "dropout": 0.5,
        "activation": "tanh", "schedule": "cosine",
    },
}  # fmt: skip
"""Trained on digits, of whose pixels most are blank: the main path of the study."""
ON_ALL_PIXELS = {
    "dense": {"neurons": 8, "batch_size": 3},
    "dense in two shards": {"neurons": 300, "batch_size": 100},
    "dense in two shards with norms": {
        "neurons": [300, 20], "batch_size": 60, "batch_norm": True, "activation": "gelu",
        "optimizer": "nesterov", "learning_rate": 0.01, "label_smoothing": 0.1,
    },
    "augmented in two shards": {
        "neurons": [300, 21], "batch_size": 61, "dropout": 0.3, "augment": "shifts",
    },
    "fused": {"model": "conv", "filters": [8, 20], "kernel_size": [6, 4], "batch_size": 100},
    "everything": {
        "model": "conv", "filters": [5, 18], "kernel_size": 3, "strides": [1, 2],
        "padding": "same", "batch_norm": True, "pool_size": [2, 1], "layers": 1, "neurons": 40,
        "dropout": 0.2, "activation": "gelu", "batch_size": 20, "epochs": 1.5,
        "optimizer": "muon", "schedule": "one_cycle", "augment": "shifts", "ema": 0.9,
        "label_smoothing": 0.1,
    },
}  # fmt: skip
CASES = SPARSE | ON_ALL_PIXELS
ANEW = ("sparse with momentum", "fused")
"""Those that are compiled anew, which takes half a minute: a stack and a convolution."""


@cache
def dataset_for(case: str) -> Dataset:
    return make_digits(350) if case in SPARSE else small_dataset((28, 28, 1), train=350)


def setting_of(case: str) -> Setting:
    return Setting.from_knobs({"learning_rate": 0.1, "epochs": 2, **CASES[case]})


def outcome(engine: NativeEngine, case: str) -> dict[str, np.ndarray]:
    """All that a training tells: of every epoch, and of the network in the end."""
    setting, dataset = setting_of(case), dataset_for(case)
    sets = {"bytes": dataset.test.x, "floats": dataset.shifted["moved"].x}
    ends, kept, again = [], {}, []

    def on_epoch(end: EpochEnd, fitted: Fitted) -> None:
        ends.append((end.loss, end.accuracy))
        if not kept:
            kept.update({name: fitted.keep(unlabelled(images)) for name, images in sets.items()})
        again.append({f"epoch {end.epoch}, {name}": tell() for name, tell in kept.items()})

    fitted = engine.fit(setting.model, setting.training, dataset, 4, on_epoch)
    told = {"losses and accuracies": np.array(ends)}
    for each in again:
        told |= each
    return told | {k: fitted.predict(x) for k, x in sets.items()} | fitted.weights()


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_the_cases_take_every_way_through_the_engine():
    ways = set()
    for case in CASES:
        setting, dataset = setting_of(case), dataset_for(case)
        network = build_network(setting.model, dataset.image_shape, dataset.classes)
        trainer = NativeEngine()._trainer(network, setting.training, dataset.train, 0)
        shards = len(trainer._net.work) if isinstance(trainer, StackTrainer) else 1
        ways.add((type(trainer).__name__, shards, setting.training.momentum > 0))

    sparse = {("SparseTrainer", shards, keeps) for shards in (1, 2) for keeps in (False, True)}
    assert sparse < ways
    assert {("DenseTrainer", 1, False), ("DenseTrainer", 2, False)} < ways
    assert ("AugmentedTrainer", 2, False) in ways
    assert "BlockTrainer" in {name for name, *_ in ways}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two threads")
@pytest.mark.parametrize("case", CASES)
def test_on_one_and_two_threads(case):
    assert_equal(outcome(NativeEngine(threads=2), case), outcome(NativeEngine(threads=1), case))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two threads")
@pytest.mark.parametrize("case", CASES)
def test_whatever_the_governor_decides(case):
    engine, governor = NativeEngine(threads=2), AtRandom(5)
    engine.governor = governor
    found = outcome(engine, case)
    assert {1, 2} <= set(governor.chosen)

    engine.governor = Whole()
    assert_equal(found, outcome(engine, case))


def start_elsewhere(folder: Path, cases: Iterable[str], **env: str) -> subprocess.Popen[bytes]:
    """Another process that trains `cases` and leaves their outcomes in `folder`."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from engine.native.test_reproducible import NativeEngine, outcome\n"
        "engine = NativeEngine()\n"
        "assert engine.threads == 3\n"
        "for case in sys.argv[3:]:\n"
        "    np.savez(f'{sys.argv[2]}/{case}', **outcome(engine, case))"
    )
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parents[2]), str(folder), *cases],
        env=os.environ | {"NUMBA_NUM_THREADS": "3"} | env,
    )


def test_on_three_threads_in_other_processes_one_of_which_compiles_for_itself(tmp_path):
    cache = str(tmp_path / "cache")
    others = {
        tmp_path / "all": start_elsewhere(tmp_path / "all", CASES),
        tmp_path / "anew": start_elsewhere(tmp_path / "anew", ANEW, NUMBA_CACHE_DIR=cache),
    }
    assert [other.wait() for other in others.values()] == [0, 0]

    expected = {case: outcome(NativeEngine(), case) for case in CASES}
    for folder, cases in zip(others, (CASES, ANEW), strict=True):
        for case in cases:
            with np.load(folder / f"{case}.npz") as found:
                assert_equal(dict(found), expected[case])


def conduct_lab(store: Path, dies_in_run: int | None = None) -> dict[Any, Record]:
    """Make four runs, or kill this process at the first epoch of one of them."""

    def die(event: Event) -> None:
        if event.kind == "epoch" and event.progress.done == dies_in_run:
            os.kill(os.getpid(), signal.SIGKILL)

    plan = small_plan((0, 1), [setting_of("sparse with momentum"), setting_of("everything")])
    with open_store(store) as runs:
        return run_plan(plan, make_digits(100), NativeEngine(), runs, die).records


def test_after_a_lab_was_killed_its_missing_runs_are_those_of_an_undisturbed_one(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engine.native.test_reproducible import Path, conduct_lab\n"
        "conduct_lab(Path(sys.argv[2]), dies_in_run=2)"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parents[2])]
    killed = subprocess.run([*command, str(tmp_path / "runs.sqlite")], check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_store(tmp_path / "runs.sqlite") as runs:
        assert len(runs.records()) == 2

    went_on = conduct_lab(tmp_path / "runs.sqlite")

    assert results(went_on) == results(conduct_lab(tmp_path / "other.sqlite"))
