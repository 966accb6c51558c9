"""What is counted as a kernel's compiling, and how the page judges it."""

from types import SimpleNamespace

from benchmarks.compiling import NETWORKS, CompileTime, _by_kernel
from benchmarks.report import page
from benchmarks.results import Results
from benchmarks.session import Conditions
from siffra.engine.native import dense_predict, loss, pointwise
from siffra.system.jit import noinline_kernels


def event(moment: float, dispatcher, *, is_start: bool):
    return moment, SimpleNamespace(is_start=is_start, data={"dispatcher": dispatcher})


def test_what_a_kernel_calls_is_part_of_it():
    outer, inner, later = (
        pointwise.moments,
        dense_predict.fill_rows,
        loss.smoothed_cross_entropy,
    )

    seconds = _by_kernel(
        [
            event(1.0, outer, is_start=True),
            event(2.0, inner, is_start=True),
            event(3.5, inner, is_start=False),
            event(5.0, outer, is_start=False),
            event(7.0, later, is_start=True),
            event(7.5, later, is_start=False),
            event(8.0, outer, is_start=True),
            event(8.25, outer, is_start=False),
        ]
    )

    assert seconds == {"pointwise.moments": 4.25, "loss.smoothed_cross_entropy": 0.5}


def test_a_kernel_that_stands_apart_is_no_part_of_what_calls_it():
    outer, part = pointwise.moments, dense_predict.fill_rows
    apart = noinline_kernels["siffra.engine.native.loss.softmax"]

    seconds = _by_kernel(
        [
            event(1.0, outer, is_start=True),
            event(2.0, apart, is_start=True),
            event(2.5, part, is_start=True),
            event(3.0, part, is_start=False),
            event(4.0, apart, is_start=False),
            event(7.0, outer, is_start=False),
        ]
    )

    assert seconds == {"pointwise.moments": 4.0, "loss.softmax": 2.0}


def test_the_page_names_the_kernels_that_take_too_long():
    kernels = {"a.quick": 1.0, "a.slow": 4.0, "a.slowest": 5.5}
    time = CompileTime("compiling conv", 11.0, kernels)

    told = page(Results(Conditions("a CPU", "Linux", 2, {}), compiling={time.name: time}))

    title = NETWORKS[time.name]
    assert f"| {title} | 3 | 11.0 | `a.slowest` | 5.5 |" in told
    assert f"- {title}: a.slowest 5.5 s, a.slow 4.0 s; the aim is at most 3 s a kernel." in told
