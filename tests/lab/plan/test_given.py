"""Results that are given: what a plan makes of a table of runs, and how they are judged."""

import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from scipy import stats

import siffra
from siffra.api.results import LabResult
from siffra.errors import SiffraError

LOSS = siffra.Metric("loss", better="lower", margin=0.05)


def table(
    levels: Mapping[Any, Sequence[float | None]], *, seeds: bool = True, first: int = 0
) -> list[dict[str, Any]]:
    """A row a run: losses by level, with the same seeds at each level unless told otherwise."""
    return [
        {"lr": level, **({"seed": first + n} if seeds else {}), "loss": value}
        for level, values in levels.items()
        for n, value in enumerate(values)
    ]


def drawn(seed: int, *means: float, n: int = 8, spread: float = 0.02) -> list[list[float]]:
    rng = random.Random(seed)
    return [[rng.gauss(mean, spread) for _ in range(n)] for mean in means]


def judged(rows: list[dict[str, Any]], **options: Any) -> LabResult:
    return siffra.judge(rows, **{"metric": LOSS, **options})


class TestPairs:
    def test_runs_with_the_same_seed_are_compared_in_pairs(self):
        ours, theirs = drawn(1, 0.3, 0.2)
        (claim,) = judged(table({0.1: ours, 0.2: theirs})).claims

        p = stats.ttest_rel(theirs, ours).pvalue
        assert claim.estimate == pytest.approx(sum(theirs) / 8 - sum(ours) / 8)
        assert (claim.verdict, claim.grade, claim.n) == ("supported", "shown", 8)
        assert claim.degrees_of_freedom == 7
        assert p < 0.01

    def test_several_runs_of_a_seed_decide_as_their_mean_does(self):
        """Six seeds of eight folds are six: what a seed does to a level is in all its folds."""
        rng = random.Random(3)
        folds = [
            {"lr": lr, "seed": seed, "fold": fold, "loss": shift + rng.gauss(0, 0.01)}
            for lr in (0.1, 0.2)
            for seed, shift in enumerate(rng.gauss(0.3, 0.05) for _ in range(6))
            for fold in range(8)
        ]
        of = {lr: [r["loss"] for r in folds if r["lr"] == lr] for lr in (0.1, 0.2)}
        means = {lr: [sum(v[i : i + 8]) / 8 for i in range(0, 48, 8)] for lr, v in of.items()}

        (claim,), (expected,) = judged(folds).claims, judged(table(means)).claims

        assert claim.n == 6
        assert claim.estimate == pytest.approx(expected.estimate)
        assert claim.interval == pytest.approx(expected.interval)
        assert (claim.verdict, claim.grade) == (expected.verdict, expected.grade)

    @pytest.mark.parametrize("seeds", [True, False])
    def test_what_only_rounding_sets_apart_is_no_noise(self, seeds):
        """A training without its seed on a GPU: sums in another order differ in their last bits."""
        rng = random.Random(5)
        alike = {lr: [lr + rng.uniform(-1e-7, 1e-7) for _ in range(8)] for lr in (0.3, 0.33)}
        (claim,) = judged(table(alike, seeds=seeds)).claims
        assert (claim.verdict, claim.reason) == ("inconclusive", "no variation")

        # A hundred times as much is noise, and so is the last digit of what is printed with six.
        apart = {lr: [lr + rng.uniform(-1e-5, 1e-5) for _ in range(8)] for lr in (0.3, 0.33)}
        whole = {lr: [10**6 * lr + rng.randrange(2) for _ in range(8)] for lr in (0.3, 0.33)}
        for varying in (apart, whole):
            (claim,) = judged(table(varying, seeds=seeds)).claims
            assert (claim.reason, claim.grade) == ("", "shown")

    def test_rows_and_levels_may_come_in_any_order(self):
        rows = table(dict(zip((0.1, 0.2, 0.4), drawn(2, 0.3, 0.28, 0.2), strict=True)))
        shuffled = random.Random(0).sample(rows, len(rows))

        numbers = [
            [(c.level, c.estimate, c.interval, c.verdict) for c in judged(each).claims]
            for each in (rows, shuffled)
        ]

        assert numbers[0] == numbers[1]

    def test_a_baseline_is_what_all_others_are_compared_with(self):
        rows = table(dict(zip((0.1, 0.2, 0.4), drawn(3, 0.3, 0.2, 0.3), strict=True)))
        result = judged(rows, baseline={"lr": 0.2})

        assert [claim.verdict for claim in result.claims] == ["refuted", "refuted"]
        assert result.answers.questions[0].levels[0].level.knobs == {"lr": 0.2}

    def test_a_baseline_may_be_spelled_as_in_the_table(self):
        none, text, flag = drawn(3, 0.3, 0.2, 0.1)
        rows = table({None: none, "None": text, True: flag})

        for spelled, value in (("", None), ("None", "None"), ("true", True)):
            result = judged(rows, by="lr", baseline={"lr": spelled})
            assert result.answers.questions[0].levels[0].level.knobs == {"lr": value}

    def test_a_baseline_that_is_no_level_is_refused(self):
        rows = table(dict(zip((0.1, 0.2), drawn(3, 0.3, 0.2), strict=True)))

        with pytest.raises(
            SiffraError, match=r"no level has lr = 0\.3; it must be one of: lr = 0\.1"
        ):
            judged(rows, baseline={"lr": 0.3})
        with pytest.raises(SiffraError, match="levels do not differ in `width`"):
            judged(rows, baseline={"width": 3})


class TestGroups:
    def test_without_seeds_the_means_are_compared_by_a_cautious_welch(self):
        ours, theirs = drawn(4, 0.3, 0.2, n=7)
        theirs = theirs[:5]
        result = judged(table({0.1: ours, 0.2: theirs}, seeds=False))
        (claim,) = result.claims

        error = math.sqrt(stats.tvar(ours) / 7 + stats.tvar(theirs) / 5)
        assert claim.confidence is not None
        assert claim.interval is not None
        half = stats.t.ppf(0.5 + claim.confidence / 2, df=4) * error
        centre = sum(theirs) / 5 - sum(ours) / 7
        assert claim.estimate == pytest.approx(centre)
        low, high = claim.interval
        assert low is not None
        assert high is not None
        arms = centre - low, high - centre
        # The one is Welch's own; the other is longer, as far as the values are skewed.
        assert min(arms) == pytest.approx(half)
        assert max(arms) < 2 * half
        assert not result.answers.plan.paired

    @pytest.mark.parametrize("language", ["en", "sv"])
    def test_it_speaks_of_runs_as_there_are_no_seeds(self, language):
        ours, theirs = drawn(6, 0.3, 0.3, n=7)
        result = judged(table({0.1: ours, 0.2: theirs}, seeds=False), language=language)
        report = json.loads(result.as_json())
        (question,) = report["questions"]
        seed = re.compile("seed|frö")

        assert report["paired"] is False
        assert not seed.search(question["answer"] + question["claims"][0]["evidence"])
        plot = result.text().partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
        assert not seed.search(plot)
        assert {"en": "each run,", "sv": "varje körning,"}[language] in plot

    def test_seeds_that_are_not_shared_make_no_pairs(self):
        ours, theirs = drawn(5, 0.3, 0.2)
        rows = [*table({0.1: ours}), *table({0.2: theirs}, first=100)]
        result = judged(rows)

        assert not result.answers.plan.paired
        assert any("cannot be compared in pairs" in limit for limit in result._report().limits)
        assert result.claims[0].verdict == "supported"


class TestFailures:
    def test_a_run_that_gave_no_value_makes_nothing_alike(self):
        ours, theirs = drawn(7, 0.3, 0.3, n=20, spread=0.001)
        alike = judged(table({0.1: ours, 0.2: theirs})).claims[0]
        lacking = judged(table({0.1: ours, 0.2: [None, *theirs[1:]]})).claims[0]

        assert alike.verdict == "no difference"
        assert lacking.verdict == "inconclusive"
        assert "0 of 20 runs" in lacking.evidence or "1 of 20 runs" in lacking.evidence
        assert lacking.collapsed == ((1, 20), (0, 20))

    def test_runs_that_diverge_are_a_difference(self):
        ours, _ = drawn(8, 0.3, 0.3, n=12)
        (claim,) = judged(table({0.1: ours, 0.2: [math.nan] * 11 + [0.3]})).claims

        assert (claim.verdict, claim.basis) == ("refuted", "collapse")
        assert claim.collapsed == ((11, 12), (0, 12))

    def test_an_infinite_value_is_one_of_a_run_that_diverged(self):
        ours, theirs = drawn(8, 0.3, 0.3, n=12)
        result = judged(table({0.1: ours, 0.2: [math.inf, -math.inf, *theirs[2:]]}))

        assert result.claims[0].collapsed == ((2, 12), (0, 12))
        assert "diverged" in result.text()


class TestMargins:
    def test_without_a_margin_nothing_is_shown_to_make_no_difference(self):
        ours, theirs = drawn(9, 0.3, 0.3, n=30, spread=1e-4)
        result = judged(table({0.1: ours, 0.2: theirs}), metric="loss:lower")
        (claim,) = result.claims

        assert (claim.verdict, claim.reason) == ("inconclusive", "no margin")
        assert "no margin was given" in claim.evidence
        assert any("No margin was given" in limit for limit in result._report().limits)

    def test_a_ratio_is_compared_as_one(self):
        ours, theirs = drawn(10, 10, 20, spread=0.5)
        time = siffra.Metric("loss", better="lower", scale="ratio", margin=0.05)
        (claim,) = judged(table({0.1: ours, 0.2: theirs}), metric=time).claims

        expected = math.exp(
            sum(math.log(b / a) for a, b in zip(ours, theirs, strict=True)) / len(ours)
        )
        assert claim.estimate == pytest.approx(expected)
        assert (claim.verdict, claim.scale) == ("refuted", "ratio")

    def test_what_is_compared_as_a_ratio_is_above_0(self):
        ours, theirs = drawn(10, 10, 20, spread=0.5)
        time = siffra.Metric("loss", better="lower", scale="ratio")

        with pytest.raises(SiffraError, match="`loss` is -1; values that are compared as a ratio"):
            judged(table({0.1: ours, 0.2: [-1, *theirs[1:]]}), metric=time)


class TestWithoutVariation:
    """A program that makes no use of its seed says nothing about chance."""

    @pytest.mark.parametrize("first", [0, 100])
    def test_it_gets_no_verdict(self, first):
        # Floats that are not exactly equal, as those of 0.1 + 0.2 and 0.3.
        rows = table({0.1: [0.1 + 0.2, 0.3] * 5}) + table({0.2: [0.25] * 10}, first=first)
        result = judged(rows)
        (claim,) = result.claims

        assert (claim.verdict, claim.reason) == ("inconclusive", "no variation")
        said = "the same in all runs of a level" if first else "the same with every seed"
        assert said in claim.evidence
        assert "interval" not in claim.evidence
        assert not any("smaller than about" in limit for limit in result._report().limits)

    def test_one_constant_level_is_judged_by_the_others_noise(self):
        ours, _ = drawn(14, 0.4, 0.2)
        (claim,) = judged(table({0.1: ours, 0.2: [0.25] * 8})).claims

        assert claim.verdict == "supported"

    def test_failures_are_still_counted(self):
        (claim,) = judged(table({0.1: [0.3] * 12, 0.2: [math.nan] * 10 + [0.3] * 2})).claims

        assert (claim.verdict, claim.basis) == ("refuted", "collapse")


class TestNames:
    """Knobs and values that are none of siffra's are called what the table calls them."""

    @pytest.mark.parametrize("language", ["en", "sv"])
    def test_knobs_and_values_stay_as_they_are(self, language):
        off, on = drawn(15, 0.3, 0.2)
        rows = [
            {"warmup": warmup, "optimizer": optimizer, "seed": seed, "loss": value}
            for warmup, optimizer, values in ((False, "adam", off), (True, "muon", on))
            for seed, value in enumerate(values)
        ]
        result = judged(rows, by=["warmup", "optimizer"], language=language)
        question = result._report().questions[0]

        assert [level.name for level in question.levels] == [
            "warmup False, optimizer adam",
            "warmup True, optimizer muon",
        ]
        assert question.claims[0].say.startswith("warmup True, optimizer muon ")
        assert question.heading.startswith("warmup ")

    def test_numbers_keep_all_of_their_digits(self):
        ours, theirs = drawn(16, 0.3, 0.3)
        result = judged(table({0.123456789012: ours, 0.123456789013: theirs}))

        names = [level.name for level in result._report().questions[0].levels]
        assert names == ["0.123456789012", "0.123456789013"]

    def test_an_empty_cell_is_told_from_a_text(self):
        ours, theirs = drawn(17, 0.3, 0.3)
        result = judged(table({None: ours, "cosine": theirs}))

        names = [level.name for level in result._report().questions[0].levels]
        assert names == ["(empty)", "cosine"]


@pytest.mark.parametrize(("size", "told"), [(1e-9, "e−9"), (1e9, "e9"), (1e-2, ""), (1e4, "")])
def test_a_metric_may_have_any_size(size, told):
    ours, theirs = ([size * x for x in level] for level in drawn(18, 2, 3))
    result = judged(table({0.1: ours, 0.2: theirs}), metric="loss:lower")
    question = result._report().questions[0]
    text, evidence = question.levels[0].metrics["loss"].text, question.claims[0].evidence

    mean, half = (
        part.removesuffix(told) for part in text.split("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    )
    factor = size if told else 1
    assert float(mean) * factor == pytest.approx(2 * size, rel=0.05)
    assert 0 < float(half) * factor < 0.1 * size
    assert evidence.count(told or "e−") == (3 if told else 0)


def test_fewer_than_five_runs_a_side_decide_nothing():
    ours, theirs = drawn(11, 0.3, 0.1, n=4)
    result = judged(table({0.1: ours, 0.2: theirs}))

    assert result.claims[0].verdict == "inconclusive"
    assert any("fewer than five runs" in limit for limit in result._report().limits)


def test_an_exit_code_says_what_became_of_the_claims():
    better, worse, alike = drawn(12, 0.2, 0.3, 0.2)

    assert judged(table({0.1: worse, 0.2: better})).check() == 0
    assert judged(table({0.1: better, 0.2: worse})).check() == 3
    assert judged(table({0.1: better, 0.2: alike}), metric="loss:lower").check() == 4


def test_the_report_is_whole(tmp_path):
    rows = table(dict(zip((0.1, 0.2, 0.4), drawn(13, 0.3, 0.2, 0.3), strict=True)))
    for language in ("en", "sv"):
        files = judged(rows, language=language).write(tmp_path / language)
        page = files[0].read_text("utf-8")

        assert "loss" in page
        assert "collapsed" not in page
        assert "accuracy" not in page.partition("<h2>Methods")[0]
        runs = (tmp_path / language / "runs.csv").read_text("utf-8").splitlines()
        assert runs[0] == "key,questions,seed,diverged,failure,lr,loss"
        assert runs[-1].split(",")[5] == "0.4"


def test_a_second_metric_may_be_missing_in_some_runs(tmp_path):
    losses, accuracies = drawn(19, 0.3, 0.9)
    rows = [
        {"lr": lr, "seed": seed, "loss": loss, "acc": None if seed == 2 else accuracy}
        for lr in (0.1, 0.2)
        for seed, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True))
    ]
    result = judged(rows, metric=["loss:lower", "acc:higher"])

    assert [claim.n for claim in result.claims] == [8, 7]
    assert result.write(tmp_path)


def test_the_command_says_all_that_was_said_of_the_table():
    rows = [
        {**row, "model": "a"} for row in table(dict(zip((0.1, 0.2), drawn(20, 1, 2), strict=True)))
    ]
    result = judged(rows, seed="seed", where="model = a", by="lr")

    command = result._report().command
    assert "judge 'the table' --by=lr --baseline=lr=0.1 --seed=seed '--where=model = a'" in command


@pytest.mark.parametrize(
    "option",
    [
        {"metric": 5},
        {"metric": [5]},
        {"metric": ["loss:lower", "loss:higher"]},
        {"by": 5},
        {"by": [5]},
        {"where": 5},
        {"seed": 5},
        {"baseline": "lr=0.1"},
        {"baseline_results": 5},
        {"margin": "a"},
        {"language": "xx"},
    ],
)
def test_an_argument_of_the_wrong_kind_is_one_line(option):
    with pytest.raises(SiffraError) as refused:
        siffra.judge(table({0.1: [1, 2, 3], 0.2: [2, 3, 4]}), **option)

    assert "\n" not in str(refused.value)


def test_what_is_named_twice_counts_once():
    ours, theirs = drawn(21, 0.3, 0.2)
    rows = table({0.1: ours, 0.2: theirs})

    assert len(judged(rows, metric=["loss:lower", "loss:lower"], by=["lr", "lr"]).claims) == 1
