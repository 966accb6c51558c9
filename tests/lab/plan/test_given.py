"""Results that are given: what a plan makes of a table of runs, and how they are judged."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from scipy import stats

import siffra
from siffra.api.results import LabResult
from siffra.errors import SiffraError

LOSS = siffra.Metric("loss", better="lower", margin=0.05)


def table(
    levels: dict[Any, Sequence[float | None]], *, seeds: bool = True, first: int = 0
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
        assert claim.interval == pytest.approx((centre - half, centre + half))
        assert not result.answers.plan.paired

    def test_seeds_that_are_not_shared_make_no_pairs(self):
        ours, theirs = drawn(5, 0.3, 0.2)
        rows = [*table({0.1: ours}), *table({0.2: theirs}, first=100)]
        result = judged(rows)

        assert not result.answers.plan.paired
        assert any("share no seeds" in limit for limit in result._report().limits)
        assert result.claims[0].verdict == "supported"

    def test_tables_without_a_difference_err_in_five_of_a_hundred_at_most(self):
        rng = random.Random(6)
        tables, wrong = 400, 0
        for _ in range(tables):
            sizes = [rng.choice((5, 6, 9, 12)) for _ in range(4)]
            spreads = [rng.choice((0.5, 1.0, 3.0)) for _ in range(4)]
            rows = table(
                {
                    level: [rng.gauss(0, spread) for _ in range(size)]
                    for level, (size, spread) in enumerate(zip(sizes, spreads, strict=True))
                },
                seeds=False,
            )
            claims = judged(rows, metric=siffra.Metric("loss", better="lower")).claims
            wrong += any(claim.grade == "shown" for claim in claims)
        # 5 % and three standard errors of 400 tables: 20 + 3 * sqrt(400 * 0.05 * 0.95).
        assert wrong <= 33


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
        assert "0.2" in (tmp_path / language / "runs.csv").read_text("utf-8")
