"""The governor's decisions, against a made-up clock and a machine of which all is known."""

from collections.abc import Callable

import pytest

from siffra.engine.governor import ThreadGovernor, Work

UNIT = 100
"""Images of a step."""
Machine = Callable[[int], float]
"""Seconds an image takes on so many threads."""


class Bench:
    """Work on a machine whose clock goes on by what each piece takes there."""

    def __init__(self, most: int = 2) -> None:
        self.now, self.done = 1000.0, 0
        self.governor = ThreadGovernor(most, lambda: self.now)

    def run(self, work: Work, machine: Machine, seconds: float) -> list[int]:
        """Compute for so many seconds; the threads of each piece."""
        until, threads = self.now + seconds, []
        while self.now < until:
            images = work.length(UNIT) * UNIT
            threads.append(work.begin())
            self.now += images * machine(threads[-1])
            work.end(images)
            self.done += images
        return threads


def idle(threads: int) -> float:
    """Two threads are nearly twice as fast as one."""
    return 1e-6 / threads**0.9


def busy(threads: int) -> float:
    """One core of two is busy: threads that wait for each other are slower than one."""
    return 1.1e-6 if threads == 1 else 2e-5


def rate(bench: Bench, work: Work, machine: Machine, seconds: float) -> float:
    """Images a second."""
    bench.done, started = 0, bench.now
    bench.run(work, machine, seconds)
    return bench.done / (bench.now - started)


def test_idle_all_threads_compute_and_trials_cost_little():
    bench = Bench()
    work = bench.governor.work()
    bench.run(work, idle, 0.1)

    assert rate(bench, work, idle, 20) > 0.985 / idle(2)


def test_with_a_busy_core_one_thread_computes_and_trials_cost_little():
    bench = Bench()
    work = bench.governor.work()

    assert rate(bench, work, busy, 20) > 0.93 / busy(1)
    assert work.threads == 1


def test_a_core_that_becomes_busy_is_noticed_within_a_quarter_of_a_second():
    bench = Bench()
    work = bench.governor.work()
    bench.run(work, idle, 5)

    threads = bench.run(work, busy, 0.25)
    assert threads[-10:] == [1] * 10


def test_when_the_core_is_idle_again_all_threads_compute_within_a_second():
    bench = Bench()
    work = bench.governor.work()
    bench.run(work, busy, 5)

    bench.run(work, idle, 1)
    assert work.threads == 2


def test_one_slow_piece_changes_nothing():
    bench = Bench()
    work = bench.governor.work()
    bench.run(work, idle, 1)

    bench.run(work, busy, 1e-9)
    assert bench.run(work, idle, 0.1).count(2) > 10
    assert work.threads == 2


def test_what_disturbs_a_trial_of_fewer_threads_is_not_believed():
    bench = Bench()
    work = bench.governor.work()
    while bench.run(work, idle, 1e-9) != [1]:
        pass
    bench.run(
        work, lambda threads: 1e-3, 1e-9
    )  # a second piece of the trial, or the first after it
    bench.run(work, idle, 0.05)

    assert bench.run(work, busy, 0.25)[-10:] == [1] * 10


def test_the_next_training_begins_with_what_the_last_one_knew():
    bench = Bench()
    bench.run(bench.governor.work(), busy, 5)
    work = bench.governor.work()

    threads = bench.run(work, busy, 0.3)

    assert set(threads[:10]) == {1}
    assert rate(bench, work, busy, 5) > 0.93 / busy(1)


def test_what_one_work_finds_out_another_tries():
    bench = Bench()
    training, scoring = bench.governor.work(), bench.governor.work()
    bench.run(training, busy, 3)
    bench.run(scoring, busy, 3)
    assert (training.threads, scoring.threads) == (1, 1)

    bench.run(training, idle, 1)
    bench.run(scoring, idle, 0.05)

    assert (training.threads, scoring.threads) == (2, 2)


def test_of_many_cores_one_busy_core_costs_one_thread():
    def one_of_sixteen_is_busy(threads: int) -> float:
        return 2e-5 if threads == 16 else 1e-6 / threads**0.9

    bench = Bench(16)
    work = bench.governor.work()
    bench.run(work, one_of_sixteen_is_busy, 2)

    assert work.threads == 15


def test_where_threads_share_a_cores_units_half_of_them_compute():
    def siblings(threads: int) -> float:
        return 1e-6 / threads if threads <= 4 else 0.4e-6

    bench = Bench(8)
    work = bench.governor.work()
    bench.run(work, siblings, 5)

    assert work.threads == 4


def test_a_containers_quota_of_one_core_is_found_out():
    def throttled(threads: int) -> float:
        return 1e-6 if threads == 1 else 1.4e-6

    bench = Bench(2)
    work = bench.governor.work()

    assert rate(bench, work, throttled, 5) > 0.97 / throttled(1)


def test_work_too_small_to_be_shared_is_not():
    bench = Bench(8)
    work = bench.governor.work()
    bench.run(work, lambda threads: 1e-6 * threads, 3)

    assert work.threads == 1


def test_partial_batches_and_first_pieces_do_not_count():
    bench = Bench()
    work = bench.governor.work()
    work.begin()
    bench.now += 30  # it compiles
    work.end(UNIT)
    bench.run(work, idle, 0.5)
    for _ in range(20):
        work.begin()
        bench.now += 1
        work.end(0)

    assert bench.run(work, idle, 0.1).count(2) > 10


@pytest.mark.parametrize("most", [1, 2, 3, 4, 6, 64])
def test_it_chooses_between_one_thread_and_all(most):
    ladder = ThreadGovernor(most).ladder

    assert (ladder[0], ladder[-1]) == (most, 1)
    assert list(ladder) == sorted(set(ladder), reverse=True)
    assert most < 2 or most - 1 in ladder


def test_it_never_takes_fewer_than_it_may():
    assert ThreadGovernor(8, fewest=4).ladder == (8, 7, 4)
    assert ThreadGovernor(8, fewest=8).ladder == (8,)


def test_on_one_thread_nothing_is_timed():
    governor = ThreadGovernor(1, clock=lambda: 1 / 0)
    work = governor.work()
    assert work.begin() == 1
    work.end(UNIT)
