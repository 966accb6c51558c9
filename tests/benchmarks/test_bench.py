"""The benchmarks' commands, on a few images, and what they keep and write."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import __main__ as commands
from benchmarks.aims import aims_for, missed_aims
from benchmarks.growth import SWEEPS, Growth, Point, measure_growth, problem_at
from benchmarks.kernels import KernelTime, measure_kernels
from benchmarks.origin import Origin
from benchmarks.picture import draw_growth, draw_works
from benchmarks.race import Result, Timing
from benchmarks.report import growth_lines, missed_shares, page
from benchmarks.results import Results, by_held_name, check, keep, read
from benchmarks.session import Conditions, Session, installed
from benchmarks.shares import ShareTime, measure_shares
from siffra.bench.roofline import Demand, Limits
from siffra.bench.workloads import WORKLOADS
from siffra.errors import BenchError

ROOT = Path(__file__).parents[2]
HERE = Conditions("a CPU", "Linux", 2, {"siffra": "0.1.0", "numpy": "2.4.6"})
ORIGIN = Origin("2026-11-20", "a CPU (family 26, model 2)", "AVX-512", 460.0)
LIMITS = Limits(matrix_peak=100.0, bandwidth=10.0)


def result(name: str, **seconds: float) -> Result:
    timings = {peer: Timing(first=9.0, loss=1.0, seconds=[s]) for peer, s in seconds.items()}
    return Result(name, 48_000, Demand(10**9, 10**6), timings, {}, [LIMITS])


def measured() -> Results:
    point = Point(64, {"siffra": 0.1, "pytorch": 0.4}, computing=0.05, reading=0.01)
    later = replace(point, value=256, seconds={"siffra": 0.08})
    return Results(
        HERE,
        works={"dense": result("dense", siffra=0.1, pytorch=0.3, products=0.05)},
        growth={"batch-size": Growth("batch-size", [point, later], ["pytorch: too slow"])},
        kernels={"digits 8x8": KernelTime("digits 8x8", 256, [60.0, 80.0], [100.0, 100.0])},
        shares={"curves conv": ShareTime("curves conv", 48_000, [1.0, 1.2, 1.1], [0.1] * 3)},
        origins={
            "dense": ORIGIN,
            "batch-size": replace(ORIGIN, day="2026-11-21"),
            "digits 8x8": ORIGIN,
        },
    )


class TestWhatIsKept:
    def test_is_read_as_it_was_measured(self, tmp_path):
        keep(tmp_path / "kept.json", measured(), WORKLOADS, fresh=False)

        assert read(tmp_path / "kept.json") == measured()

    def test_grows_part_by_part_in_the_works_order(self, tmp_path):
        path = tmp_path / "kept.json"
        conv = Results(HERE, works={"conv": result("conv", siffra=1.0)})
        keep(path, conv, WORKLOADS, fresh=False)

        kept = keep(path, measured(), WORKLOADS, fresh=False)

        assert list(kept.works) == ["dense", "conv"]
        assert kept.session.peers == ["siffra", "pytorch", "products"]
        assert kept.growth.keys() == {"batch-size"}

    @pytest.mark.parametrize(
        ("other", "origin", "told"),
        [
            (replace(HERE, cpu="another CPU"), ORIGIN, "was measured on a CPU, 2 threads, Linux"),
            (replace(HERE, versions={"numpy": "2.0"}), ORIGIN, "numpy 2.4.6; this is 2.0."),
            (HERE, replace(ORIGIN, cpu="a CPU (family 25, model 1)"), "this is a CPU (family 25"),
            (HERE, replace(ORIGIN, matrix_peak=360.0), "peak of 460 GFLOP/s; now it is 360."),
        ],
    )
    def test_is_not_mixed_with_another_machines(self, tmp_path, other, origin, told):
        path = tmp_path / "kept.json"
        keep(path, measured(), WORKLOADS, fresh=False)

        with pytest.raises(BenchError, match=re.escape(told)):
            check(path, other, origin)

        assert keep(path, Results(other), WORKLOADS, fresh=True).works == {}

    def test_may_be_measured_again_at_nearly_the_same_speed(self, tmp_path):
        path = tmp_path / "kept.json"
        check(path, HERE, ORIGIN)
        keep(path, measured(), WORKLOADS, fresh=False)

        check(path, HERE, replace(ORIGIN, day="2027-01-01", matrix_peak=400.0))

    def test_may_be_held_to_narrower_vectors_apart_from_the_rest(self, tmp_path):
        path = tmp_path / "kept.json"
        keep(path, measured(), WORKLOADS, fresh=False)
        held, origin = replace(HERE, held="AVX2"), replace(ORIGIN, matrix_peak=230.0, held="AVX2")

        check(path, held, origin)
        session = Session(held, ["siffra"], [result("conv", siffra=3.0), result("dense", siffra=2)])
        new = Results(held, held=by_held_name(session), origins={"AVX2 dense": origin})
        kept = keep(path, new, WORKLOADS, fresh=False)

        assert kept == read(path)
        assert kept.works == measured().works
        assert kept.conditions == HERE
        assert list(kept.held) == ["AVX2 dense", "AVX2 conv"]
        assert kept.held_session.conditions == held
        check(path, HERE, ORIGIN)
        with pytest.raises(BenchError, match="peak of 230 GFLOP/s; now it is 120"):
            check(path, held, replace(origin, matrix_peak=120.0))
        with pytest.raises(BenchError, match="this is another CPU"):
            check(path, held, replace(origin, cpu="another CPU"))

    def test_from_when_the_cpu_had_a_bare_name_may_be_added_to(self, tmp_path):
        path = tmp_path / "kept.json"
        keep(path, measured(), WORKLOADS, fresh=False)

        check(path, replace(HERE, cpu=ORIGIN.cpu), ORIGIN)

    def test_that_is_of_another_shape_is_refused(self, tmp_path):
        (tmp_path / "kept.json").write_text("{}")

        with pytest.raises(BenchError, match="--fresh starts anew"):
            read(tmp_path / "kept.json")


class TestThePage:
    def test_has_a_row_for_each_thing_measured(self):
        told = page(measured())

        assert "| dense 784-32-10, batch 256 | 0.1 ± 0% | 20% | 0.3 ± 0% (3×) |" in told
        assert "| batch size, dense 784-32-10 | 64 | 0.1 | 0.4 | 0.05 | 0.01 |" in told
        assert "| fused convolution 16@8×8, digits, 256 images | 70 | 100 | 70% |" in told
        assert "| 0.1 | 1.1 | 9% |" in told
        assert "matrix peak 100 GFLOP/s, memory 10 GB/s" in told

    def test_says_which_aims_were_missed(self):
        missed = list(missed_aims(measured().session))

        assert missed == [
            "dense 784-32-10, batch 256: 3.0 times as fast as PyTorch; the aim is 4.",
            "dense 784-32-10, batch 256: 2 × its bare matrix products; the aim is at most 1.4.",
        ]

    def test_tells_ratios_to_the_faster_of_the_two_keras(self):
        works = {
            "conv": result("conv", siffra=0.1, keras=0.5, **{"keras-tuned": 0.3}),
            "wide": result("wide", siffra=0.1, keras=0.5),
        }

        told = page(Results(HERE, works=works))

        title, aim = WORKLOADS["conv"].title, aims_for("conv", "")["keras"]
        assert f"faster by:\n\n- {title}: 3×, the aim {aim}.\n\n" in told

    def test_has_a_section_of_what_was_held_to_avx2_which_its_own_aims_judge(self):
        works = {
            "conv": result("conv", siffra=1.0, keras=14.0, jax=11.0),
            "dense": result("dense", siffra=0.1, keras=2.0),
        }
        session = Session(replace(HERE, held="AVX2"), ["siffra"], list(works.values()))

        told = page(Results(HERE, held=by_held_name(session)))

        _, section = told.split("## Limited to AVX2\n")
        assert "does not fully emulate an AVX2 machine" in section
        assert "a CPU, 2 threads, Linux, held to AVX2; 48,000 images" in section
        assert "| conv 16@8×8, pool, dense, batch 256 | 1 ± 0% | 2% | 14 ± 0% (14×) |" in section
        missed = [line for line in section.splitlines() if "the aim is" in line]
        assert missed == [
            f"- {WORKLOADS['conv'].title}: 14.0 times as fast as Keras; the aim is 15."
        ]
        assert "Measured on a CPU, 2 threads, Linux: siffra" in told

    def test_says_where_an_epoch_had_fewer_images(self):
        few = replace(result("3x3", siffra=0.1), images=9_600)

        told = page(Results(HERE, works={"3x3": few, "dense": result("dense", siffra=0.1)}))

        assert f"| {WORKLOADS['3x3'].title} (9,600 images) |" in told
        assert f"| {WORKLOADS['dense'].title} |" in told

    def test_judges_the_fused_convolution_alone(self):
        names = ("digits 8x8", "full 12x12", "digits 16x16", "outputs 3x3")
        times = [KernelTime(name, 256, [70.0], [100.0]) for name in names]

        assert list(missed_shares(times)) == [
            f"fused convolution 16@{kind}, 256 images: 70% of the matrix peak; the aim is 80%."
            for kind in ("12×12, no pixel blank", "16×16, digits")
        ]
        assert "- fused convolution" not in page(measured())

    def test_judges_by_the_aims_only_what_they_are_for(self):
        kept = measured()
        few = {"dense": replace(kept.works["dense"], images=4_800)}

        assert not list(missed_aims(Results(HERE, works=few).session))
        alone = replace(HERE, threads=1)
        assert not list(missed_aims(Results(alone, works=kept.works).session))

    def test_has_pictures_that_equal_measurements_draw_equally(self, tmp_path):
        kept = measured()
        for name in ("a", "b"):
            draw_works(kept.session, tmp_path / f"works-{name}.svg")
            draw_growth(list(kept.growth.values()), tmp_path / f"growth-{name}.svg")

        for kind in ("works", "growth"):
            a, b = (tmp_path / f"{kind}-{name}.svg" for name in ("a", "b"))
            assert a.read_bytes() == b.read_bytes()

    def test_says_when_and_on_what_each_section_was_measured(self):
        told = page(measured())

        works, growth = told.split("## How time grows")
        assert "Measured on 2026-11-20." in works
        assert "Measured on 2026-11-21." in growth
        assert "a CPU (family 26, model 2) with AVX-512 vectors." in told
        assert "Nothing here was measured on an AVX2 machine" in told

    def test_says_what_is_older_than_days_are_kept(self):
        kept = measured()
        kept.works["conv"] = result("conv", siffra=0.1)

        assert "Measured on 2026-11-20; earlier, on an unknown day: conv." in page(kept)

    def test_says_why_a_peer_stops(self):
        assert list(growth_lines(measured().growth["batch-size"]))[-1].endswith("pytorch: too slow")


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_trains_what_it_says(name, digits):
    sweep = SWEEPS[name]
    value = (*sweep.values, 2)[0]

    problem = problem_at(sweep, value, digits(300), threads=3)

    knobs = problem.setting.knobs()
    if sweep.grows == "threads":
        assert problem.threads == value
    elif sweep.grows == "images":
        assert len(problem.dataset.train) == min(value, 300)
    else:
        assert knobs[sweep.grows] == value
        assert problem.threads == 3


def test_growth_goes_on_with_siffra_alone_when_time_is_up(digits, monkeypatch):
    monkeypatch.setattr("benchmarks.growth.IMAGES", 300)

    (growth,) = measure_growth(
        ["threads-conv"], ["siffra", "pytorch"], digits(300), 1,
        in_time=lambda: False, say=lambda text: None,
    )  # fmt: skip

    (point,) = growth.points
    assert point.seconds.keys() == {"siffra"}
    assert growth.left_out == ["PyTorch is left out from 1 on (no time was left)"]


@pytest.mark.parametrize(
    ("name", "images"), [("outputs 3x3", 128), ("digits 8x8", 256), ("full 8x8", 256)]
)
def test_a_kernel_is_timed_beside_the_matrix_peak(monkeypatch, name, images):
    monkeypatch.setattr("benchmarks.kernels._TRIALS", 1)

    (time,) = measure_kernels([name], 1, say=lambda text: None)

    assert time.images == images
    assert time.share == pytest.approx(time.gflops[0] / time.peaks[0])
    assert time.gflops[0] > 0


def test_scoring_is_timed_beside_training(digits):
    (share,) = measure_shares(["curves dense"], digits(300), 1, say=lambda text: None)

    assert len(share.training) == len(share.added)
    assert min(*share.training, *share.added) > 0


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"COLUMNS": "160"},
    )  # fmt: skip


def test_what_the_command_measures_is_printed_kept_and_written(tmp_path):
    done = benchmarks(
        "works", "--works", "dense", "--peers", "products", "--images", "300", "--repeats", "1",
        "--write", "--docs", str(tmp_path),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert re.search(r"dense 784-32-10, batch 256 .*\d\.\d+.*\d+%.*\d\.\d+", done.stdout)
    written = (tmp_path / "performance.md").read_text()
    assert "| dense 784-32-10, batch 256 (300 images) |" in written
    assert (tmp_path / "performance.svg").exists()


def test_all_is_every_part_and_forgets_what_was_kept_once(monkeypatch, tmp_path):
    asked = []
    parts = [c.callback.__name__ for c in commands.app.registered_commands if c.callback]
    for part in parts:
        monkeypatch.setattr(
            commands, part, lambda part=part, **how: asked.append((part, how["fresh"]))
        )

    done = CliRunner().invoke(commands.app, ["all", "--write", "--fresh", "--docs", str(tmp_path)])

    assert done.exit_code == 0
    # Of the others, one is all of them, one writes what they keep, and four keep nothing.
    apart = ("everything", "page", "turns", "whole_lab", "seeds", "whole_job")
    assert [part for part, _ in asked] == [part for part in parts if part not in apart]
    assert [fresh for _, fresh in asked] == [True, *[False] * (len(asked) - 1)]


def test_this_machine_has_a_day_a_name_and_a_peak():
    origin = Origin.here(1)

    assert re.fullmatch(r"\d{4}-\d\d-\d\d", origin.day)
    assert origin.cpu
    assert origin.matrix_peak > 1


def test_a_work_that_there_is_not_is_one_line():
    done = benchmarks("works", "--works", "dens")

    assert done.returncode == 2
    assert done.stderr == "error: --works dens: not known; did you mean `dense`?\n"


def test_what_is_not_installed_is_skipped_with_a_word_how_to_get_it(monkeypatch):
    monkeypatch.setattr("benchmarks.peers.find_spec", lambda name: name != "jax" or None)
    told = []

    able = installed("pytorch,jax", told.append)

    assert able == ["siffra", "pytorch"]
    assert told == ["JAX is skipped: no jax here; `pip install jax` gets it."]
