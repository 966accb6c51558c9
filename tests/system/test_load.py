"""How busy a machine was: by what threads waited, or by processor time where that is not told."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from siffra.system.load import TOLERANCE, Load, LoadMeter, Reading, crowding, read_clocks


def measured(*readings: Reading, counts_cpu: bool = True) -> Load:
    """The load by these readings, two for each stretch that is measured."""
    told: Iterator[Reading] = iter(readings)
    meter = LoadMeter(counts_cpu=counts_cpu, read=lambda: next(told))
    for _ in range(len(readings) // 2):
        meter.start()
        meter.stop()
    return meter.load()


@pytest.mark.parametrize(
    ("wall", "cpu", "waited", "busy"),
    [
        # One thread that always ran, or waited for a twentieth, for a third, for nearly all.
        (10.0, 10.0, 0.0, False),
        (10.0, 9.5, 0.5, False),
        (10.0, 6.7, 3.3, True),
        (10.0, 0.5, 9.5, True),
        # Two threads that spin at their barriers: both ran; one waited for half of the time, by
        # which both were held up, though processor time is half as long again as the clock says.
        (10.0, 20.0, 0.1, False),
        (10.0, 15.0, 5.0, True),
        # Eight threads, each with a little company: held up one after the other it may be much.
        (10.0, 78.0, 0.4, False),
        (10.0, 76.0, 4.0, True),
        # More waiting than time went by: nothing is known of what it would have taken.
        (10.0, 5.0, 15.0, True),
        # What a hypervisor took, no thread waited for; or the system says nothing of waiting.
        (10.0, 6.0, 0.0, True),
        (10.0, 6.0, None, True),
        (10.0, 19.0, None, False),
        # A GPU, whose time is no processor's.
        (10.0, None, 0.1, False),
        (10.0, None, 3.0, True),
        (10.0, None, None, False),
        (0.0, 0.0, 0.0, False),
    ],
)
def test_a_machine_is_busy_where_a_time_may_be_a_tenth_too_long(wall, cpu, waited, busy):
    assert Load(wall=wall, cpu=cpu, waited=waited).is_busy is busy


def test_the_line_is_where_the_time_without_waiting_would_be_shorter_by_the_tolerance():
    most = 1 - 1 / TOLERANCE

    for waited, busy in ((most - 1e-9, False), (most + 1e-9, True)):
        load = Load(wall=1.0, cpu=1.0, waited=waited)
        assert load.is_busy is busy
        assert load.lengthened == pytest.approx(TOLERANCE)
    assert Load(wall=1.0, cpu=0.0, waited=0.0).lengthened == math.inf


def test_stretches_are_added_and_what_lies_between_is_left_out():
    load = measured(
        Reading(0.0, 100.0, {1: 5.0}),
        Reading(2.0, 103.0, {1: 5.5}),
        Reading(50.0, 140.0, {1: 30.0}),  # scoring, progress: not training
        Reading(51.0, 141.0, {1: 30.25}),
    )

    assert (load.wall, load.cpu, load.waited) == (3.0, 4.0, 0.75)


def test_threads_that_come_and_go():
    load = measured(
        Reading(0.0, 0.0, {1: 5.0, 2: 7.0}),
        Reading(1.0, 1.0, {1: 5.25, 3: 0.5}),  # 2 is gone, with what it waited; 3 is new
    )

    assert load.waited == 0.75


def test_a_number_that_another_thread_had_is_not_counted_backwards():
    load = measured(Reading(0.0, 0.0, {1: 5.0}), Reading(1.0, 1.0, {1: 0.5}))

    assert load.waited == 0.0


def test_where_waiting_is_not_told_it_is_not_known():
    assert measured(Reading(0.0, 0.0, None), Reading(1.0, 1.0, None)).waited is None
    half = (Reading(0.0, 0.0, {}), Reading(1.0, 1.0, {}), *[Reading(2.0, 2.0, None)] * 2)
    assert measured(*half).waited is None


def test_processor_time_is_left_out_where_it_means_nothing():
    load = measured(Reading(0.0, 0.0, {}), Reading(9.0, 0.1, {}), counts_cpu=False)

    assert (load.cpu, load.is_busy) == (None, False)


def test_where_the_load_average_cannot_be_told_it_is_none(monkeypatch):
    def refuse() -> tuple[float, float, float]:
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr(os, "getloadavg", refuse, raising=False)
    assert measured(Reading(0.0, 0.0, {}), Reading(1.0, 1.0, {})).average is None
    monkeypatch.delattr(os, "getloadavg")
    assert measured(Reading(0.0, 0.0, {}), Reading(1.0, 1.0, {})).average is None


def test_a_clock_of_processor_time_that_ticks_makes_no_short_training_busy(monkeypatch):
    """Windows' moves 64 times a second: of 10 ms it may show nothing."""
    readings = Reading(0.0, 0.0, None), Reading(0.01, 0.0, None)
    monkeypatch.setattr("siffra.system.load._CPU_TICK", 1 / 64)
    assert not measured(*readings).is_busy
    assert measured(Reading(0.0, 0.0, None), Reading(1.0, 0.5, None)).is_busy


def test_a_stop_without_a_start_adds_nothing():
    meter = LoadMeter(read=lambda: pytest.fail("read"))
    meter.stop()

    assert (meter.load().wall, meter.load().waited) == (0.0, 0.0)


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="Linux alone tells of it")
def test_the_clocks_of_this_process_go_forwards():
    before = read_clocks()
    spent = sum(i * i for i in range(100_000))
    after = read_clocks()

    assert spent
    assert after.wall > before.wall
    assert after.cpu > before.cpu
    if before.waited is not None:  # some kernels count nothing
        assert after.waited is not None
        assert all(after.waited[t] >= waited for t, waited in before.waited.items())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process is pinned to a core")
def test_two_that_share_a_core_wait_for_each_other():
    """No time is compared: only that a thread which has half of a core waits for the other half."""
    if read_clocks().waited is None:
        pytest.skip("this kernel does not count waiting")
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}}); print(flush=True)\nwhile True: pass"
    work = (
        f"import os; os.sched_setaffinity(0, {{{core}}})\n"
        "from siffra.system.load import LoadMeter\nmeter = LoadMeter(); meter.start()\n"
        "import time; end = time.process_time() + 0.3\n"
        "while time.process_time() < end: pass\n"
        "meter.stop(); print(meter.load().is_busy)"
    )
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as company:
        try:
            assert company.stdout
            company.stdout.readline()
            ended = subprocess.run(
                [sys.executable, "-c", work], capture_output=True, text=True, check=True
            )
        finally:
            company.kill()

    assert ended.stdout == "True\n"


@pytest.mark.parametrize(
    ("average", "own", "factor"),
    [(0.0, 0, 1.0), (2.0, 0, 2.0), (2.0, 2, 1.0), (8.0, 2, 4.0), (1.0, 2, 1.0)],
)
def test_other_programs_share_the_cores_with_work_on_all_of_them(monkeypatch, average, own, factor):
    monkeypatch.setattr("siffra.system.load._average", lambda: average)
    monkeypatch.setattr("siffra.system.load.available_cores", lambda: 2)

    assert crowding(own) == factor


def test_where_the_system_tells_no_average_nothing_is_known_to_be_busy(monkeypatch):
    monkeypatch.setattr("siffra.system.load._average", lambda: None)

    assert crowding() == 1.0
