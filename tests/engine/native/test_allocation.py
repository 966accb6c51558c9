"""What an epoch allocates, once its first steps are taken: nothing that grows with its work."""

import tracemalloc

import numpy as np
import pytest
from conftest import make_digits
from governors import Whole
from numba.core.runtime.nrt import _nrt, rtsys  # pyright: ignore[reportAttributeAccessIssue]
from small import small_dataset

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.training import Trainer
from siffra.engine.network import build_network

STACKS = {
    "sparse": ({"batch_size": 50}, make_digits),
    "sparse in two shards": ({"neurons": 640, "optimizer": "momentum"}, make_digits),
    "dense": ({"batch_size": 50}, lambda train: small_dataset((28, 28, 1), train)),
    "with norms": ({"batch_norm": True, "optimizer": "adam", "ema": 0.9}, make_digits),
}
NETWORKS = (
    {"model": "conv", "filters": [32, 30], "kernel_size": [6, 4]},
    {"model": "conv", "filters": [32, 30], "kernel_size": 3, "padding": "same", "batch_norm": True,
     "pool_size": [2, 1], "layers": 1, "optimizer": "adamw", "weight_decay": 0.1, "ema": 0.9},
)  # fmt: skip
SMALL = 32 * 1024
"""Bytes that a few numbers a channel and Python's own objects stay below."""


@pytest.fixture(autouse=True)
def count_what_kernels_allocate():
    _nrt.memsys_enable_stats()
    yield
    _nrt.memsys_disable_stats()


def trainer_of(engine: NativeEngine, knobs: dict, dataset: Dataset) -> Trainer:
    setting = Setting.from_knobs({"learning_rate": 0.01, "batch_size": 100, "epochs": 9, **knobs})
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    return engine._trainer(network, setting.training, dataset.train, 0)


def allocated(trainer: Trainer, order: np.ndarray) -> tuple[int, int]:
    """An epoch's peak in bytes, of Python and NumPy, and how often its kernels allocate."""
    tracemalloc.start()
    before, kernels = tracemalloc.get_traced_memory()[0], rtsys.get_allocation_stats().alloc
    trainer.epoch(order)
    kernels = rtsys.get_allocation_stats().alloc - kernels
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak, kernels


@pytest.mark.parametrize("case", STACKS)
def test_plain_stacks_allocate_nothing_step_by_step(case):
    knobs, make = STACKS[case]
    engine, order = NativeEngine(), np.arange(300)
    engine.governor = Whole()  # each piece is a call, which allocates
    trainer = trainer_of(engine, knobs, make(300))
    with engine.hold_threads():
        trainer.epoch(order)
        (peak, whole), (_, third) = allocated(trainer, order), allocated(trainer, order[:100])

    assert peak < SMALL
    assert whole == third > 0


@pytest.mark.parametrize("knobs", NETWORKS, ids=str)
def test_other_networks_allocate_nothing_as_large_as_a_batch_or_a_kernel(knobs):
    engine, order, dataset = NativeEngine(), np.arange(300), make_digits(300)
    trainer = trainer_of(engine, knobs, dataset)
    with engine.hold_threads():
        trainer.epoch(order)
        peak, _ = allocated(trainer, order)

    network = build_network(Setting.from_knobs(knobs).model, dataset.image_shape, 10)
    kernel = 4 * int(np.prod(network.weights["conv_2.kernel"]))
    batch = 4 * 100 * int(np.prod(network.convs[-1].output))
    assert peak < SMALL < kernel < batch
