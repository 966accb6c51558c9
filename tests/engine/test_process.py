"""What engines change of their process: two at once don't meet, and nothing stays behind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from estimators import Nearest
from small import small_dataset
from threadpoolctl import threadpool_info, threadpool_limits

from siffra.config import Setting, as_model
from siffra.engine.base import Engine
from siffra.engine.native.engine import NativeEngine
from siffra.engine.process import BlasThreads, hold_blas
from siffra.engine.sklearn.engine import SklearnEngine
from siffra.engine.torch.engine import TorchEngine

ALL = numba.get_num_threads()
BEFORE = 3
"""Threads of BLAS before a test: neither what engines ask for, nor what a machine has."""


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def three_threads_of_blas() -> Iterator[None]:
    with hold_blas(1):
        pass  # so that all libraries are loaded
    with threadpool_limits(BEFORE, "blas"):
        yield


class Visitor:
    """A thread that enters `hold` and leaves it when it is told to."""

    def __init__(self, hold: Callable) -> None:
        self.entered, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._stay, args=(hold,), daemon=True)
        self._thread.start()

    def _stay(self, hold: Callable) -> None:
        with hold():
            self.entered.set()
            self._leave.wait(300)

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(300)
        assert not self._thread.is_alive()


class TestHoldingBlas:
    def test_the_last_of_two_threads_to_leave_restores_what_the_first_found(self):
        engine = NativeEngine()
        first, second = Visitor(engine.hold_threads), Visitor(engine.hold_threads)
        assert first.entered.wait(300)
        assert second.entered.wait(300)

        first.leave()
        assert blas_threads() == {1}
        second.leave()
        assert blas_threads() == {BEFORE}

    def test_whoever_asks_for_another_number_waits(self):
        one, two = Visitor(lambda: hold_blas(1)), Visitor(lambda: hold_blas(2))
        first, other = (
            (one, two) if one.entered.wait(300) and not two.entered.is_set() else (two, one)
        )
        assert not other.entered.wait(0.1)

        first.leave()
        assert other.entered.wait(300)
        assert blas_threads() == ({2} if other is two else {1})
        other.leave()
        assert blas_threads() == {BEFORE}

    def test_one_thread_may_ask_for_another_number_within(self):
        with hold_blas(2):
            with hold_blas(1):
                assert blas_threads() == {1}
            assert blas_threads() == {2}
        assert blas_threads() == {BEFORE}

    def test_an_error_restores_too(self):
        with pytest.raises(ZeroDivisionError), hold_blas(1):
            _ = 1 / 0
        assert blas_threads() == {BEFORE}

    def test_a_forked_process_has_nobody_else_in_it(self):
        account = BlasThreads()
        visitor = Visitor(lambda: account.held(1))
        assert visitor.entered.wait(300)

        account.forget_others()  # as in a child of the main thread

        assert blas_threads() == {BEFORE}
        with account.held(2):
            assert blas_threads() == {2}


def trained(engine: Engine, knobs: dict, seed: int = 1) -> dict[str, np.ndarray]:
    setting, dataset = Setting.from_knobs(knobs), small_dataset(train=400)
    losses = []
    fitted = engine.fit(
        setting.model, setting.training, dataset, seed, lambda end, _: losses.append(end.loss)
    )
    shares = fitted.predict(dataset.test.x)
    return fitted.weights() | {"losses": np.array(losses), "shares": shares}


class Slow(Nearest):
    """Draws from NumPy's global generator again after a while."""

    def fit(self, x, y):
        super().fit(x, y)
        time.sleep(0.1)
        return super().fit(x, y)


WIDE = {"model": "conv", "filters": 4, "kernel_size": 3, "layers": 1, "neurons": 300, "epochs": 4}
"""A dense layer that BLAS multiplies."""
AT_ONCE = {
    "native": (NativeEngine, [WIDE, WIDE | {"optimizer": "muon", "neurons": 200}]),
    "torch": (TorchEngine, [{"neurons": [40, 20], "dropout": 0.3, "epochs": 6}] * 2),
    "sklearn": (SklearnEngine, [{"model": as_model(Slow)}, {"model": as_model(Slow)}]),
}


@pytest.mark.parametrize("kind", AT_ONCE)
def test_two_trainings_at_once_give_the_bits_of_each_alone(kind):
    make_engine, settings = AT_ONCE[kind]
    alone = [trained(make_engine(), knobs, seed) for seed, knobs in enumerate(settings)]

    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(trained, make_engine(), knobs, seed) for seed, knobs in enumerate(settings)
        ]
    together = [future.result() for future in futures]

    for one, other in zip(alone, together, strict=True):
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert blas_threads() == {BEFORE}


def run_on_numbas_own_threads(script: str, timeout: float | None = None) -> None:
    subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parents[1])],
        env=os.environ | {"NUMBA_THREADING_LAYER": "workqueue"},
        check=True,
        timeout=timeout,
    )


def test_two_trainings_at_once_where_numbas_own_threads_serve_one_caller(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engine.test_process import WIDE, NativeEngine, ThreadPoolExecutor, numba, trained\n"
        "train = lambda seed: trained(NativeEngine(), WIDE | {'epochs': 40}, seed)\n"
        "with ThreadPoolExecutor(2) as pool:\n"
        "    list(pool.map(train, (1, 2)))\n"
        "assert numba.threading_layer() == 'workqueue'"
    )
    run_on_numbas_own_threads(script)


def test_whoever_waits_for_numbas_own_threads_keeps_nobody_from_ending(tmp_path):
    """Not an estimator, which holds what draws random numbers and waits for BLAS; nor a warp."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engine.test_process import *\n"
        "from siffra.data.shifts import translations, warp\n"
        "images, engine = small_dataset().train.x, SklearnEngine(min(2, ALL))\n"
        "maps = translations(*np.ones((2, len(images))))\n"
        "jobs = [\n"
        "    lambda: trained(NativeEngine(), WIDE | {'epochs': 40}),\n"
        "    lambda: [trained(engine, {'model': as_model(Nearest)}, s) for s in range(20)],\n"
        "    lambda: [warp(images, maps) for _ in range(200)],\n"
        "]\n"
        "with ThreadPoolExecutor(len(jobs)) as pool:\n"
        "    list(pool.map(lambda job: job(), jobs))\n"
        "assert numba.threading_layer() == 'workqueue'"
    )
    run_on_numbas_own_threads(script, timeout=300)


def test_two_threads_predict_with_one_network():
    setting, dataset = Setting.from_knobs({"neurons": 64, "epochs": 1}), small_dataset(train=2000)
    fitted = NativeEngine().fit(
        setting.model, setting.training, dataset, 0, lambda end, fitted: None
    )
    x = dataset.train.x
    parts = [x[:500], x[500:]] * 8
    expected = [fitted.predict(part) for part in parts]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(fitted.predict, parts))

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("knobs", [{"neurons": 5}, WIDE], ids=["dense", "conv"])
def test_the_caller_has_its_own_number_of_threads_again(knobs):
    numba.set_num_threads(ALL)
    trained(NativeEngine(), knobs)
    assert numba.get_num_threads() == ALL


def test_after_an_error_too():
    def fail(end, fitted):
        fitted.predict(np.zeros((1, 12, 10, 2), np.uint8))
        raise RuntimeError("enough")

    numba.set_num_threads(ALL)
    setting, dataset = Setting.from_knobs(WIDE), small_dataset()
    with pytest.raises(RuntimeError, match="enough"):
        NativeEngine().fit(setting.model, setting.training, dataset, 0, fail)
    assert numba.get_num_threads() == ALL
    assert blas_threads() == {BEFORE}
