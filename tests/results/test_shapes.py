"""Tables with several rows a run become one row a run, with curves."""

import pandas as pd
import pytest
from results.made_tables import as_csv, codes, grid

from siffra.errors import ResultsError
from siffra.results import find_roles, read_frame, read_results, runs_of


def by_epoch(rows, epochs=3, step="epoch", start=1):
    return [
        {**row, step: epoch, "test_acc": round(row["test_acc"] - 0.01 * (epochs - number), 4)}
        for row in rows
        for number, epoch in enumerate(range(start, start + epochs), start=1)
    ]


@pytest.mark.parametrize("step", ["epoch", "step", "_step", "global_step"])
def test_rows_that_are_epochs_become_curves(written, step):
    table = read_results(written(as_csv(by_epoch(grid(), step=step))))
    found = runs_of(find_roles(table))

    assert [run.metrics["test_acc"] for run in found.rows] == [r["test_acc"] for r in grid()]
    assert found.rows[0].curves["test_acc"] == ((1, 0.89), (2, 0.9), (3, 0.91))
    assert found.rows[0].name == "row 1 to row 3"
    assert table.notes[0].text.startswith(f"24 rows are 8 runs, one row for each value of `{step}`")


def test_rows_may_be_in_any_order():
    rows = by_epoch(grid())
    plain, turned = (runs_of(find_roles(read_frame(of))) for of in (rows, rows[::-1]))

    assert {(r.level, r.seed, r.metrics["test_acc"]) for r in turned.rows} == {
        (r.level, r.seed, r.metrics["test_acc"]) for r in plain.rows
    }


def test_the_last_value_is_that_which_was_measured_last():
    rows = by_epoch(grid())
    for row in rows:
        row["val_loss"] = 0.5 - row["seed"] / 10 if row["epoch"] == 2 else None

    table = read_frame(rows)

    assert table.columns["val_loss"][:2] == (0.5, 0.4)
    assert table.curves["val_loss"][0] == ((2, 0.5),)


def test_the_last_step_of_single_rows_is_no_curve():
    assert codes(read_frame(grid(_step=999, epoch=10)).notes) == []


def test_runs_that_were_stopped_early_are_no_epochs_of_one():
    rows = [{"lr": row["lr"], "acc": row["test_acc"], "epoch": 12 + row["seed"]} for row in grid()]

    assert len(read_frame(rows)) == len(rows)


def test_epochs_of_runs_that_nothing_tells_apart_are_refused():
    rows = [
        {name: value for name, value in row.items() if name != "seed"} for row in by_epoch(grid())
    ]

    with pytest.raises(
        ResultsError, match=r"row 1 and row 4 are both `epoch` 1 of one run, as far"
    ):
        read_frame(rows)


def test_the_finest_steps_are_a_runs():
    rows = [{**row, "epoch": (row["step"] + 1) // 2} for row in by_epoch(grid(), step="step")]

    table = read_frame(rows)

    assert len(table) == len(grid())
    assert [step for step, _ in table.curves["test_acc"][0]] == [1, 2, 3]


def test_names_of_runs_tell_them_apart_where_knobs_vary_within_them():
    rows = by_epoch(grid(name=lambda lr, seed: f"run {lr} {seed}", opt="sgd"))
    rows = [{**row, "momentum": row["epoch"] / 10} for row in rows]

    table = read_frame(rows)

    assert len(table) == len(grid())
    assert "momentum" not in table.columns
    assert codes(table.notes) == ["rows_by_step", "varies_in_run"]


def test_rows_that_ended_at_several_steps_are_said():
    found = runs_of(find_roles(read_frame(grid(epoch=lambda lr, seed: 12 + seed))))

    assert [note.text for note in found.notes] == [
        "`epoch` differs between rows (`12`, `13`, `14`, ... (4)): each is taken for a finished run"
    ]


def test_rows_by_set_become_columns():
    rows = [
        {
            "lr": r["lr"],
            "seed": r["seed"],
            "split": split,
            "acc": r["test_acc"] - drop,
            "seconds": 3.5,
        }
        for r in grid()
        for split, drop in (("train", 0), ("test", 0.1))
    ]

    table = read_frame(rows)
    roles = find_roles(table)

    assert list(table.columns) == ["lr", "seed", "train_acc", "test_acc", "seconds"]
    assert table.columns["test_acc"][0] == grid()[0]["test_acc"] - 0.1
    assert (roles.main.name, roles.seed) == ("test_acc", "seed")
    assert codes(table.notes) == ["rows_by_set"]


def test_a_table_of_confusions_is_refused(written):
    text = "key,seed,set,truth,predicted,images\na,0,test,1,2,3\n"

    with pytest.raises(ResultsError, match=r"a table of confusions, which has no metrics"):
        read_results(written(text))


def test_columns_that_are_seeds_become_rows(judged):
    found = judged(
        "method,seed_0,seed_1,seed_2\nours,91.2,91.5,91.9\ntheirs,90.1,,90.8\n",
        metrics=("value:higher",),
    )

    assert (found.levels, found.roles.seed) == ((("ours",), ("theirs",)), "seed")
    assert [run.metrics["value"] for run in found.rows] == [91.2, 91.5, 91.9, 90.1, None, 90.8]
    assert found.rows[4].name == "row 2, seed_1"
    assert found.roles.main.step == 0.1
    assert codes(found.roles.table.notes) == ["columns_by_seed"]


def test_the_history_of_a_single_run_is_one_run(written):
    text = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.81,0.6,0.85,0.5\n1,0.91,0.3,0.92,0.3\n"

    table = read_results(written(text))

    assert len(table) == 1
    with pytest.raises(ResultsError, match=r"it has one run"):
        find_roles(table)


@pytest.mark.parametrize("called", ["{}_seed{}", "{}/seed_{}", "{} run {}", "{}_s{}", "seed{}.{}"])
def test_columns_of_a_metric_and_a_seed_are_runs(called):
    def name(metric, seed):
        return called.format(*((seed, metric) if called[0] == "s" else (metric, seed)))

    rows = [
        {"lr": lr} | {name(m, s): lr + s / 10 + len(m) for m in ("acc", "loss") for s in (1, 2, 3)}
        for lr in (0.1, 0.3)
    ]
    table = read_frame(rows)

    assert table.columns["seed"] == (1, 2, 3) * 2
    for metric in ("acc", "loss"):
        by_hand = [row[name(metric, seed)] for row in rows for seed in (1, 2, 3)]
        assert table.columns[metric] == tuple(by_hand)
    assert codes(table.notes) == ["columns_by_seed"] * 2


def test_knobs_and_lone_columns_with_numbers_are_no_runs():
    rows = [{"stride_s1": n, "stride_s2": n, "acc_run1": n / 7, "lr": n} for n in range(4)]

    assert list(read_frame(rows).columns) == list(rows[0])


@pytest.mark.parametrize("column", ["variable", "metric", "key"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_rows_by_metric_become_columns(column, epochs):
    rows = by_epoch(grid(), epochs) if epochs > 1 else grid()
    wide = pd.DataFrame(rows)
    knobs = [name for name in wide.columns if name not in ("test_acc", "loss")]
    table = read_frame(wide.melt(id_vars=knobs, var_name=column))

    assert codes(table.notes)[0] == "rows_by_metric"
    long, plain = (runs_of(find_roles(of)) for of in (table, read_frame(wide)))
    assert [run.metrics for run in long.rows] == [run.metrics for run in plain.rows]
    assert [run.curves for run in long.rows] == [run.curves for run in plain.rows]


def test_a_run_that_lacks_a_metric_has_none_of_it():
    rows = pd.DataFrame(grid()).melt(id_vars=["lr", "seed"]).iloc[1:]

    table = read_frame(rows)

    assert sorted(table.columns["test_acc"], key=bool)[0] is None
    assert len(table) == len(grid())


@pytest.mark.parametrize(
    "summed",
    [
        lambda runs: runs.groupby("lr")["loss"].describe(),
        lambda runs: runs.groupby("lr").describe(),
        lambda runs: runs.groupby("lr")["loss"].agg(["mean", "std"]).reset_index(),
        lambda runs: runs.groupby("lr").agg({"loss": ["mean", "count"]}),
    ],
)
def test_summaries_of_runs_are_refused_with_what_is_needed(summed):
    with pytest.raises(ResultsError, match=r"its rows sum up runs.*one row a run\.$"):
        runs_of(find_roles(read_frame(summed(pd.DataFrame(grid())))))


def test_means_that_each_run_has_are_metrics():
    rows = [
        {"lr": row["lr"], "seed": row["seed"], "mean_return": row["loss"], "std_return": 0.1}
        for row in grid()
    ]

    assert find_roles(read_frame(rows)).main.name == "mean_return"


@pytest.mark.parametrize(
    "text",
    [
        "seed,sgd,adam\n0,0.5,0.61\n1,0.52,0.63\n2,0.51,0.62\n",
        "lr,0,1,2\n0.1,0.51,0.52,0.53\n0.3,0.6,0.61,0.62\n",
    ],
)
def test_columns_that_are_levels_or_seeds_are_refused_with_what_is_needed(judged, text):
    with pytest.raises(ResultsError, match=r"seem to be levels, or seeds; one row a run is needed"):
        judged(text)
