"""The runs of a table: by level, checked for what would mislead who compares them."""

import math

import pytest
from results.made_tables import WARMUP, as_csv, codes, grid

from siffra.errors import ResultsError
from siffra.results import RoleOptions, find_roles, read_frame, runs_of


def runs(rows, **said):
    return runs_of(find_roles(read_frame(rows), RoleOptions(**said)))


def texts(found) -> dict[str, str]:
    return {note.code: note.text for note in found.notes}


def test_each_run_has_its_level_its_seed_and_its_metrics(judged):
    found = judged(WARMUP)

    assert found.levels == ((0,), (5,))
    assert found.knobs((5,)) == {"warmup": 5}
    assert [run.metrics["val_acc"] for run in found.of((5,))] == [0.9831, 0.9811, 0.9822]
    assert [run.pair for run in found.of((5,))] == [(0,), (1,), (2,)]
    assert found.rows[0].name == "row 1"
    assert found.notes == ()


def test_numbers_ascend_and_texts_keep_the_order_of_the_table():
    rows = [
        {"opt": opt, "lr": lr, "seed": seed, "acc": 0.9 + seed / 9}
        for opt in ("sgd", "adam")
        for lr in (1.0, 0.3, None, 0.1)
        for seed in range(2)
    ]

    assert runs(rows).levels == tuple(
        (opt, lr) for opt in ("sgd", "adam") for lr in (None, 0.1, 0.3, 1.0)
    )


def test_a_nan_is_a_run_that_diverged_and_an_empty_cell_one_that_did_not_report(judged):
    found = judged("lr,seed,loss\n0.1,0,nan\n0.1,1,0.2\n0.3,0,\n0.3,1,0.3\n0.3,2,inf\n")

    values = [run.metrics["loss"] for run in found.rows]
    assert repr([values[0], values[2], values[4]]) == "[nan, None, inf]"
    assert [run.has("loss") for run in found.rows] == [False, True, False, True, False]
    assert texts(found)["diverged"] == (
        "`loss` is not finite, as after divergence, in 2 of 5 runs (`row 1`, `row 5`)"
    )
    assert texts(found)["not_reported"] == "`loss` is missing in 1 of 5 runs (`row 3`)"
    assert "few_runs" in texts(found)


def test_runs_that_failed_are_kept_and_give_no_value(judged):
    found = judged(
        "lr,seed,State,acc\n0.1,0,finished,0.9\n0.1,1,crashed,0.3\n0.3,0,running,0.5\n"
        "0.3,1,finished,0.8\n0.3,2,finished,0.7\n0.1,2,finished,0.6\n"
    )

    assert [run.failed for run in found.rows] == [
        None, "State: crashed", None, "State: running", None, None
    ]  # fmt: skip
    assert "2 of 6 runs (`row 2`, `row 3`)" in texts(found)["failed"]


def test_a_truth_value_can_say_that_a_run_diverged():
    found = runs(grid(diverged=lambda lr, seed: seed == 3))

    assert [run.failed for run in found.rows] == [None, None, None, "diverged: True"] * 2


def test_identical_copies_count_once():
    rows = [*grid(), grid()[2]]

    found = runs(rows)

    assert len(found.rows) == len(rows) - 1
    assert texts(found)["copies"].endswith("count once: `row 9`")


def test_a_failed_run_that_was_made_again_does_not_count():
    rows = grid(state="finished")
    lost = {**rows[1], "state": "crashed", "test_acc": 0.1}

    found = runs([lost, *rows])

    assert len(found.rows) == len(rows)
    assert texts(found)["made_again"].endswith("`row 1`")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            {},
            r"row 2 and row 9 have the same lr = 0.1, seed = 1, and `test_acc` 0.911 and 0.5; ",
        ),
        (
            {"model": "cnn"},
            r"they differ in `model`: name it with --by too, or keep one by --where",
        ),
    ],
)
def test_two_results_of_one_level_and_seed_are_refused(more, line):
    rows = [{**row, "model": "mlp"} for row in grid()]

    with pytest.raises(ResultsError, match=line):
        runs([*rows, {**rows[1], "test_acc": 0.5, **more}], by=("lr",))


def test_without_seeds_equal_values_are_repeats_unless_all_cells_are_equal(judged):
    rows = [{"lr": row["lr"], "acc": 0.9, "loss": row["loss"]} for row in grid()]
    repeated = judged(as_csv([*rows, rows[0]]), metrics=("acc",))
    named = [{"id": f"run{n}", **row} for n, row in enumerate(rows)]
    copied = judged(as_csv([*named, named[0]]), metrics=("acc",))

    assert (len(repeated.rows), len(copied.rows)) == (9, 8)
    assert codes(copied.notes)[0] == "copies"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("lr,seed,acc\n0.1,0,0.9\n", r"it has one run"),
        (
            "opt,lr,seed,acc\nsgd,0.1,0,0.9\nadam,0.3,0,0.8\n",
            r"each of its 2 runs is a level of its",
        ),
        (
            "lr,seed,acc\n0.1,0,0.9\n0.3,0,oops\n0.1,1,0.7\n0.3,1,0.5\n",
            r"row 2: `acc` is 'oops'; it",
        ),
        (
            "lr,seed,acc\n0.1,0,0.9\n0.3,0,0.8 ± 0.1\n0.1,1,0.7\n0.3,1,0.5\n",
            r"row 2: `acc` is '0.8 ± 0.1'; a mean with a spread is no run; give one row a run",
        ),
        ("lr,seed,acc\n0.1,0,\n0.3,0,nan\n0.1,1,\n0.3,1,\n", r"no run has a value of `acc`"),
        (
            "lr;seed;loss\n0.1;0;1,234.5\n0.3;0;1,334.5\n0.1;1;1,222.5\n0.3;1;1,220.5\n",
            r"row 1: `loss` is '1,234.5'; write it without marks between thousands, as 1234.5",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(judged, text, line):
    with pytest.raises(ResultsError, match=line) as refused:
        judged(text)

    assert str(refused.value).isprintable()


def test_one_level_and_one_run_are_refused(judged):
    with pytest.raises(ResultsError, match=r"all 4 runs have `lr` = 0.1: one level is nothing to"):
        judged(as_csv(grid(rates=(0.1,))), by=("lr",))
    for by in ((), ("lr",)):
        with pytest.raises(ResultsError, match=r"it has one run; to compare levels, several of"):
            judged(as_csv(grid(rates=(0.1,), seeds=range(1))), by=by)


def test_seeds_that_a_level_lacks_are_said():
    rows = [row for row in grid() if (row["lr"], row["seed"]) not in ((0.1, 3), (0.3, 0))]

    assert texts(runs(rows))["not_shared"] == (
        "levels lack values of `seed` that others have, and those runs have no pair: "
        "lr = 0.1: 3; lr = 0.3: 0"
    )


def test_an_empty_seed_is_none_that_levels_lack(judged):
    found = judged(
        "variant,seed,loss\na,0,0.1\na,1,0.2\nb,0,0.3\nb,1,0.4\nb,,0.5\nc,0,0.6\nc,,0.7\n"
    )

    assert texts(found)["not_shared"].endswith(" no pair: variant = c: 1")


def test_an_empty_cell_is_called_none_in_messages():
    rows = [{"lr": lr, "seed": s, "loss": s + lr, "git_sha": sha} for lr in (1, 2)
            for s, sha in ((0, "a1"), (1, None))]  # fmt: skip

    assert "`none`" in texts(runs_of(find_roles(read_frame(rows))))["mixed"]


def test_seeds_that_no_levels_share_are_said():
    rows = [{**row, "seed": row["seed"] + 100 * (row["lr"] > 0.2)} for row in grid()]

    assert codes(runs(rows).notes) == ["nothing_shared"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        (lambda lr, seed: f"h{lr}", "differs_by_level"),
        (lambda lr, seed: f"h{seed % 2}", "mixed"),
        (lambda lr, seed: "h", None),
    ],
)
@pytest.mark.parametrize("column", ["hostname", "git_commit", "torch_version"])
def test_commits_and_machines_that_are_not_alike_are_said(column, host, code):
    assert codes(runs(grid(**{column: host})).notes) == ([code] if code else [])


def test_a_knob_that_is_left_out_of_the_levels_is_said():
    rows = grid(width=lambda lr, seed: 64 if lr < 0.2 else 128)

    assert codes(runs(rows, by=("lr",)).notes) == ["differs_by_level"]
    assert codes(runs(rows).notes) == ["knobs_together"]


def test_a_metric_that_never_varies_is_said():
    assert (
        texts(runs(grid(val_acc=0.5)))["never_varies"] == "the same value in every run: `val_acc`"
    )


def test_a_metric_that_ignores_the_seed_is_said():
    found = runs(grid(tolerated_error=lambda lr, seed: lr / 10))

    assert texts(found)["same_in_level"].startswith(
        "the same value in all runs of each level: `tolerated_error`; were the seeds used"
    )


@pytest.mark.parametrize(
    ("column", "bad", "good"),
    [
        ("error", "CUDA out of memory", None),
        ("exit_code", 137, 0),
        ("status", "FAILED", "FINISHED"),
        ("state", "PRUNED", "COMPLETE"),
        ("converged", False, True),
    ],
)
def test_how_a_run_failed_is_said_in_many_ways(column, bad, good):
    found = runs(grid(**{column: lambda lr, seed: bad if seed == 2 else good}))

    assert [run.failed for run in found.of((0.1,))] == [None, None, f"{column}: {bad}", None]


def test_what_levels_differ_in_is_not_measured_of_them(judged):
    with pytest.raises(ResultsError, match="`lr` cannot be what levels differ in and what is meas"):
        judged(as_csv(grid()), by=("lr",), metrics=("lr:lower",))


def test_values_that_no_training_has_are_those_of_runs_that_diverged(judged):
    text = "lr,seed,loss\n0.1,0,1e300\n0.3,0,-1e101\n0.1,1,1e-300\n0.3,1,1e99\n"

    values = {run.row: run.metrics["loss"] for run in judged(text).rows}
    assert values == {0: math.inf, 1: -math.inf, 2: 0.0, 3: 1e99}


class TestRunsOfSeveralKinds:
    """An export of siffra's whose store has runs of networks and of programs."""

    HEADER = "key,engine,setting,neurons,lr,seed,set,accuracy,val_loss"
    NETWORKS = tuple(
        f"{neurons}{seed},native,n{neurons},{neurons},,{seed},{name},0.{neurons}{seed},"
        for neurons in (4, 8)
        for seed in range(3)
        for name in ("test", "moved")
    )
    PROGRAMS = tuple(
        f"p{lr}{seed},command,p{lr},,0.{lr},{seed},,,{lr}.{seed}"
        for lr in (1, 3)
        for seed in range(3)
    )
    TABLE = "\n".join([HEADER, *NETWORKS, *PROGRAMS]) + "\n"

    def test_those_that_have_the_metric_are_judged_and_the_others_told(self, judged):
        networks = judged(self.TABLE)
        programs = judged(self.TABLE, metrics=("val_loss:lower",))

        assert (networks.roles.by, networks.roles.main.name) == (("neurons",), "test_accuracy")
        assert programs.roles.by == ("lr",)
        for runs in (networks, programs):
            assert len(runs.rows) == 6
            assert "other_kind" in codes(runs.roles.table.notes)


def folded(accuracy) -> list[dict[str, object]]:
    """Two models, three seeds and two folds; `accuracy(model, seed, fold)`."""
    return [
        {"model": model, "seed": seed, "fold": fold, "acc": accuracy(model, seed, fold)}
        for model in ("rf", "gbm")
        for seed in range(3)
        for fold in range(2)
    ]


def test_the_runs_of_a_seed_by_fold_count_once_with_their_mean():
    found = runs(folded(lambda model, seed, fold: (model == "gbm") / 8 + seed / 16 + fold / 32))

    assert [run.metrics["acc"] for run in found.of(("rf",))] == [1 / 64, 5 / 64, 9 / 64]
    assert [run.metrics["acc"] for run in found.of(("gbm",))] == [9 / 64, 13 / 64, 17 / 64]
    assert [run.pair for run in found.of(("gbm",))] == [(0,), (1,), (2,)]
    assert [note.code for note in found.roles.notes if note.code == "seed_repeats"]


@pytest.mark.parametrize("lost", [None, math.nan])
def test_a_fold_that_one_level_lacks_is_in_no_level_s_mean(lost):
    """Fold 1 is the harder one: without it one level's mean would be higher by that alone."""
    rows = folded(lambda model, seed, fold: 0.9 - fold / 4)
    rows[1]["acc"] = lost  # of rf, seed 0, fold 1

    found = runs(rows)

    assert [run.metrics["acc"] for run in found.rows] == [0.9, 0.775, 0.775] * 2
    assert texts(found)["repeats_left_out"].endswith(": `row 2`, `row 8`")


def test_folds_alone_pair_runs_and_are_said_to_be_no_sample():
    rows = [{k: v for k, v in row.items() if k != "seed"} for row in folded(lambda *_: 0.5)]
    rows = [row | {"acc": n / 8} for n, row in enumerate(rows) if n % 6 < 2]

    assert "folds" in texts(runs(rows))


def test_runs_without_a_seed_are_in_no_mean_and_none_is_lost():
    rows = folded(lambda model, seed, fold: 0.5 + seed / 8 + fold / 16)
    extra = [{"model": "rf", "seed": None, "fold": 0, "acc": acc} for acc in (0.75, 0.8125)]

    found = runs([*rows, *extra])

    alone = {run.metrics["acc"] for run in found.of(("rf",)) if run.pair == (None,)}
    assert alone == {0.75, 0.8125}
    assert len(found.of(("rf",))) == 5
