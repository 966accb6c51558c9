"""The same bits: on any number of threads, in another process, and compiled anew."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small import small_dataset

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.native.engine import NativeEngine

STACK = {"neurons": 300, "batch_size": 100}
SMALL_BATCHES = {"neurons": 8, "batch_size": 3}
FUSED = {"model": "conv", "filters": [8, 20], "kernel_size": [6, 4], "batch_size": 100}
EVERYTHING = {
    "model": "conv", "filters": [5, 18], "kernel_size": 3, "strides": [1, 2], "padding": "same",
    "batch_norm": True, "pool_size": [2, 1], "layers": 1, "neurons": 40, "dropout": 0.2,
    "activation": "gelu", "batch_size": 20, "epochs": 1.5, "optimizer": "muon",
    "schedule": "one_cycle", "augment": "shifts", "ema": 0.9, "label_smoothing": 0.1,
}  # fmt: skip
THERE = {"stack": STACK, "everything": EVERYTHING}


def weights(engine: NativeEngine, knobs: dict, dataset: Dataset) -> dict[str, np.ndarray]:
    setting = Setting.from_knobs({"learning_rate": 0.1, "epochs": 1, **knobs})
    return engine.fit(setting.model, setting.training, dataset, 4, lambda *_: None).weights()


def assert_equal(found, expected) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two threads")
@pytest.mark.parametrize("knobs", [STACK, SMALL_BATCHES, FUSED, EVERYTHING], ids=str)
def test_on_one_and_two_threads(knobs):
    dataset = small_dataset((28, 28, 1), train=350)

    one = weights(NativeEngine(threads=1), knobs, dataset)
    two = weights(NativeEngine(threads=2), knobs, dataset)

    assert_equal(two, one)


def test_on_three_threads_in_another_process_that_compiles_for_itself(tmp_path):
    dataset = small_dataset((28, 28, 1), train=350)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from engine.native.test_reproducible import THERE, NativeEngine, small_dataset, weights\n"
        "engine = NativeEngine()\n"
        "assert engine.threads == 3\n"
        "for name, knobs in THERE.items():\n"
        "    found = weights(engine, knobs, small_dataset((28, 28, 1), train=350))\n"
        "    np.savez(f'{sys.argv[2]}/{name}', **found)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parents[2]), str(tmp_path)],
        env=os.environ | {"NUMBA_NUM_THREADS": "3", "NUMBA_CACHE_DIR": str(tmp_path)},
        check=True,
    )

    for name, knobs in THERE.items():
        with np.load(tmp_path / f"{name}.npz") as found:
            assert_equal(dict(found), weights(NativeEngine(), knobs, dataset))
