"""A baseline that was judged before: new runs are compared with those of an earlier report."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

import siffra
from siffra.errors import SiffraError

LOSS = "loss:lower"


def losses(seed: int, mean: float, runs: int = 8) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, 0.01) for _ in range(runs)]


def rows(values: Sequence[float | None], **knobs: Any) -> list[dict[str, Any]]:
    return [{**knobs, "seed": seed, "loss": value} for seed, value in enumerate(values)]


MAIN = {0.1: losses(1, 0.3), 0.3: losses(2, 0.25)}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    table = [row for lr, values in MAIN.items() for row in rows(values, lr=lr)]
    siffra.judge(table, metric=LOSS).write(tmp_path / "main")
    return tmp_path / "main" / "results.json"


def test_a_change_is_paired_with_the_baseline_by_seed(results):
    values = losses(3, 0.2)
    found = siffra.judge(rows(values), metric=LOSS, baseline={"lr": 0.3}, baseline_results=results)
    (claim,) = found.claims

    differences = [ours - theirs for ours, theirs in zip(values, MAIN[0.3], strict=True)]
    assert claim.estimate == pytest.approx(sum(differences) / 8)
    assert claim.values == pytest.approx(tuple(differences))
    assert claim.verdict == "supported"
    assert stats.ttest_rel(values, MAIN[0.3]).pvalue < 0.001


def test_where_knobs_vary_each_level_is_compared(results):
    table = [*rows(losses(4, 0.3), lr=0.5), *rows(losses(5, 0.2), lr=1)]
    found = siffra.judge(table, metric=LOSS, baseline={"lr": "0.1"}, baseline_results=results)

    names = [level.level.knobs["version"] for level in found.answers.questions[0].levels]
    assert names == ["baseline", "new, lr = 0.5", "new, lr = 1"]
    assert [claim.verdict for claim in found.claims] == ["inconclusive", "supported"]


def test_runs_that_fail_on_either_side_are_counted(tmp_path):
    table = [*rows([None, *MAIN[0.1][1:]], lr=0.1), *rows(MAIN[0.3], lr=0.3)]
    siffra.judge(table, metric=LOSS).write(tmp_path)
    found = siffra.judge(
        rows([None, None, *losses(6, 0.2)[2:]]),
        metric=LOSS,
        baseline={"lr": 0.1},
        baseline_results=tmp_path,
    )

    assert found.claims[0].collapsed == ((2, 8), (1, 8))


def test_the_command_asks_the_same_again(results, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("seed,loss\n" + "\n".join(f"{n},{x}" for n, x in enumerate(losses(7, 0.2))))
    found = siffra.judge(path, metric=LOSS, baseline={"lr": 0.1}, baseline_results=results)

    command = found._report().command
    assert f"--baseline={results} --baseline=lr=0.1" in command
    assert "version" not in command


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "2 levels may be the baseline; choose one .* as well: lr=0.1; lr=0.3"),
        ({"baseline": {"lr": 7}}, "no level is the baseline"),
        ({"metric": "acc:higher"}, "no question has the metric `acc`, .* it has `loss`"),
        ({"metric": "loss:higher"}, "there lower `loss` is better, here higher"),
        ({"pair_by": "fold"}, "paired by seed"),
    ],
)
def test_a_report_that_does_not_fit_is_refused(results, asked, told):
    table = [{**row, "acc": row["loss"], "fold": 1} for row in rows(losses(8, 0.2))]

    with pytest.raises(SiffraError, match=told) as refused:
        siffra.judge(table, baseline_results=results, **{"metric": LOSS, **asked})
    assert "\n" not in str(refused.value)


def test_a_report_of_siffras_own_networks_has_no_such_metric():
    kept = Path(__file__).parents[1] / "report" / "results" / "version-2.json"

    with pytest.raises(SiffraError, match="it has none of its own"):
        siffra.judge(rows(losses(9, 0.2)), metric=LOSS, baseline_results=kept)
