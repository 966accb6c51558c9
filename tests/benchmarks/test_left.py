"""Where an epoch's seconds go: nothing is counted twice, and the pieces train as the whole does."""

import numpy as np
import pytest

from benchmarks import dissection
from benchmarks.dissection import Clock, InPieces, dissect
from benchmarks.left import LEFT, PARTS, Left
from benchmarks.peers.base import Problem
from benchmarks.report import left_lines, page
from benchmarks.results import Results
from benchmarks.session import Conditions
from siffra.bench.workloads import WORKLOADS
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.stack_training import SparseTrainer
from siffra.engine.rng import epoch_orders


def problem(work: str, dataset) -> Problem:
    return Problem(WORKLOADS[work].setting, dataset, seed=3, threads=2)


def test_a_part_within_another_is_its_own(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(dissection.time, "perf_counter", lambda: now[0])
    clock = Clock()

    def takes(seconds: float) -> None:
        now[0] += seconds

    def layer() -> None:
        takes(1.0)
        clock.timed(takes, "products")(5.0)
        takes(2.0)

    clock.timed(layer, "pointwise")()
    takes(0.5)

    assert clock.take() == {"rest": 0.5, "pointwise": 3.0, "products": 5.0}
    assert clock.take() == {"rest": 0.0}


@pytest.mark.parametrize("work", ["dense", "deep"])
def test_a_dense_networks_pieces_train_it_bit_for_bit(work, digits):
    dataset = digits(300)
    given = problem(work, dataset)
    engine = NativeEngine(1)

    def trainer() -> SparseTrainer:
        made = engine._trainer(given.network, given.setting.training, dataset.train, given.seed)
        assert isinstance(made, SparseTrainer)
        return made

    whole, pieces = trainer(), trainer()
    order = next(epoch_orders(len(dataset.train), 3))
    with engine.hold_threads():
        whole.epoch(order)
        InPieces(pieces, Clock()).epoch(order)

    np.testing.assert_array_equal(pieces.params, whole.params)


@pytest.mark.parametrize(
    ("work", "threads", "parts"),
    [("dense", 1, {*PARTS} - {"gather"}), ("conv-strides", 2, {*PARTS}), ("3x3", 2, {*PARTS})],
)
def test_every_part_takes_some_time(work, threads, parts, digits):
    on, multiplications, seconds = dissect(problem(work, digits(300)), 2)

    assert on == threads
    assert multiplications > 300 * 784
    assert seconds.keys() == parts
    assert all(len(each) == 2 for each in seconds.values())
    assert min(seconds["products"]) > 0


def test_the_page_has_a_row_with_the_distance_to_the_peak():
    parts = {"rest": [0.1], "products": [0.6, 0.5, 0.4], "pointwise": [0.2]}
    left = Left("parts conv", 48_000, 2, 10**10, 100.0, parts)

    told = page(Results(Conditions("a CPU", "Linux", 2, {}), left={left.name: left}))

    title = LEFT[left.name]
    assert f"| {title} | 2 | 0.8 | 0.5 | 0.2 | – | – | 0.1 | 0.2 | 40% |" in told
    assert next(left_lines([left])).endswith("products at the matrix peak 0.2 s, 40% of theirs")
