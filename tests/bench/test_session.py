"""A session of `siffra bench`: turns beside the machine's limits, with a stand-in for training."""

from contextlib import nullcontext
from typing import ClassVar

import pytest

from siffra.bench.roofline import Demand, Limits
from siffra.bench.session import Session, bench, spread
from siffra.bench.timing import demand, time_workload
from siffra.errors import BenchError
from siffra.training.run import this_machine


class FakeWorker:
    """Each turn takes it a quarter of a second; the matrix peak grows from round to round."""

    asked: ClassVar[list[int]] = []
    peak = 100.0

    @classmethod
    def start(cls):
        return nullcontext(cls())

    def ask(self, function, *arguments):
        assert function == "siffra.bench.timing:demand"
        return Demand(multiplications=10**9, bytes=10**6)

    def ask_rested(self, function, *arguments):
        if function != "siffra.bench.timing:time_workload":
            self.peak += 100.0
            return Limits(self.peak, bandwidth=10.0)
        *_, turns = arguments
        self.asked.append(turns)
        return [1.0] * (turns // 2) + [0.25] * (turns - turns // 2)


def test_the_first_half_of_each_round_warms_up(monkeypatch):
    monkeypatch.setattr("siffra.bench.session.Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "asked", [])

    (result,) = bench(["dense"], threads=1, images=4_800, say=lambda text: None)

    assert FakeWorker.asked == [2, 4, 4, 4]
    assert result.seconds == [0.25] * 6
    assert result.images == 4_800
    # 10^9 multiply-adds are 2 GFLOP, and the middle peak is 300 GFLOP/s.
    assert result.share == pytest.approx(2 / 300 / 0.25)
    (told,) = Session(this_machine(1), [result]).as_json()["works"]
    assert told["seconds"] == {"siffra": 0.25}


def test_what_fails_is_named(monkeypatch):
    def fail(self, function, *arguments):
        raise BenchError("its process died")

    monkeypatch.setattr("siffra.bench.session.Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "ask_rested", fail)

    with pytest.raises(BenchError, match=r"^dense 784-32-10, batch 256: its process died\.$"):
        list(bench(["dense"], threads=1, images=300, say=lambda text: None))


@pytest.mark.parametrize("name", ["dense", "scoring"])
def test_a_workload_takes_its_turns(name):
    seconds = time_workload(name, images=300, threads=1, turns=3)

    assert len(seconds) == 3
    assert min(seconds) > 0


def test_a_training_asks_for_more_than_a_scoring_and_both_for_their_images():
    training, scoring = demand("conv", 300), demand("scoring", 300)

    assert training.multiplications > 1.5 * scoring.multiplications
    assert training.bytes == scoring.bytes == 300 * 28 * 28


def test_the_spread_is_the_distance_of_the_quartiles_in_medians():
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == pytest.approx((4.0 - 2.0) / 3.0)
    assert spread([7.0]) == 0.0
