"""What the columns of a table are taken for: said, named or seen, and refused where unclear."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results.made_tables import WARMUP, as_csv, codes, grid

from siffra.config.metrics import Metric
from siffra.errors import ResultsError
from siffra.results import RoleOptions, find_roles, read_frame, read_results


def roles_of(rows, **said):
    return find_roles(read_frame(rows), RoleOptions(**said))


def test_a_plain_table_needs_no_options(written):
    roles = find_roles(read_results(written(WARMUP)))

    assert roles.by == ("warmup",)
    assert (roles.seed, roles.pair_by) == ("seed", ("seed",))
    assert roles.metrics == (
        Metric("val_acc", "higher", step=1e-4),
        Metric("val_loss", "lower", step=1e-3),
    )
    assert roles.constants == {"lr": 0.1}


def test_what_the_columns_were_taken_for_is_said_in_both_languages(written):
    roles = find_roles(read_results(written(WARMUP)))

    assert [note.texts["en"] for note in roles.notes] == [
        "6 runs; runs with the same values of `warmup` are one level",
        "`seed` is taken for the seed: runs of two levels that share it are compared in pairs",
        "judged by `val_acc`: higher is better",
        "other metrics: `val_loss`; judge by one of them with --metric",
        "the same in all runs: `lr = 0.1`",
    ]
    assert roles.notes[2].texts["sv"] == "bedöms efter `val_acc`: högre är bättre"


@given(st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_and_columns_does_not_matter(shuffle: random.Random):
    rows = grid(width=64, host=lambda lr, seed: f"h{seed % 2}", epochs=lambda lr, seed: lr * 10)
    plain = roles_of(rows)
    columns = list(rows[0])
    shuffle.shuffle(columns)
    shuffled = [{name: row[name] for name in columns} for row in rows]
    shuffle.shuffle(shuffled)

    roles = roles_of(shuffled)

    assert set(roles.by) == set(plain.by) == {"lr", "epochs"}
    assert (roles.seed, roles.metrics, roles.constants) == (
        plain.seed, plain.metrics, plain.constants
    )  # fmt: skip
    assert (roles.context, roles.others) == (plain.context, plain.others)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("val_loss", "lower"), ("eval/bpb", "lower"), ("perplexity", "lower"), ("RMSE", "lower"),
        ("top1_error_rate", "lower"), ("wall_time", "lower"), ("cross_entropy_loss", "lower"),
        ("testAccuracy", "higher"), ("val-f1", "higher"), ("ROC AUC", "higher"),
        ("bleu", "higher"), ("episode_reward_mean", "higher"), ("success_rate", "higher"),
        ("träffsäkerhet", "higher"), ("map50", "higher"), ("eval_steps_per_second", "higher"),
    ],
)  # fmt: skip
def test_directions_are_guessed_from_usual_names(name, way):
    rows = [{"lr": r["lr"], "seed": r["seed"], name: r["test_acc"]} for r in grid()]

    assert [(m.name, m.better) for m in roles_of(rows).metrics] == [(name, way)]


@pytest.mark.parametrize("name", ["score", "accuracy_drop", "loss_gap", "time_to_accuracy", "x7"])
def test_other_directions_must_be_said(name):
    rows = [{"lr": r["lr"], "seed": r["seed"], name: r["test_acc"]} for r in grid()]

    with pytest.raises(
        ResultsError, match=rf"is higher or lower `{name}` better\? Say it: --metric"
    ):
        roles_of(rows)

    assert roles_of(rows, metrics=(f"{name}:lower",)).main == Metric(name, "lower", step=1e-3)


def test_metrics_of_unknown_direction_are_said_and_not_judged():
    roles = roles_of(grid(grad_norm=lambda lr, seed: lr + seed / 7))

    assert [metric.name for metric in roles.metrics] == ["test_acc", "loss"]
    assert roles.others["grad_norm"] == "measured"
    assert "direction_unknown" in codes(roles.notes)


def test_test_comes_before_validation_and_training_last():
    rows = grid(
        train_acc=lambda lr, s: lr + s, val_acc=lambda lr, s: lr + s, seconds=lambda lr, s: s
    )

    assert [metric.name for metric in roles_of(rows).metrics] == [
        "test_acc", "val_acc", "loss", "train_acc", "seconds",
    ]  # fmt: skip


def test_named_metrics_are_all_that_is_judged():
    roles = roles_of(grid(), metrics=("loss:higher", "test_acc"))

    assert [(m.name, m.better) for m in roles.metrics] == [
        ("loss", "higher"), ("test_acc", "higher"),
    ]  # fmt: skip


def test_names_of_settings_win_over_words_of_metrics():
    rows = grid(loss_weight=lambda lr, s: lr * 3, loss_fn=lambda lr, s: "ce" if lr < 0.2 else "mse")
    roles = roles_of(rows)

    assert roles.by == ("lr", "loss_weight", "loss_fn")
    assert [metric.name for metric in roles.metrics] == ["test_acc", "loss"]


def test_what_came_out_of_a_run_splits_no_level():
    rows = grid(
        seeds=range(6),
        early_stopped=lambda lr, seed: seed == 2,
        ended_by=lambda lr, seed: "patience" if seed in (1, 5) else "limit",
        total_steps=lambda lr, seed: 1000 + 10 * seed + int(lr * 30),
    )
    roles = roles_of(rows)

    assert roles.by == ("lr",)
    assert (roles.others["early_stopped"], roles.others["ended_by"]) == ("unclear", "unclear")
    assert roles.others["total_steps"] == "step"


def test_numbers_of_repeats_beside_seeds_split_no_level():
    roles = roles_of(grid(seeds=range(2), rep=lambda lr, seed: seed, trial=lambda lr, seed: seed))

    assert (roles.by, roles.seed) == (("lr",), "seed")


def test_seeds_drawn_for_each_run_say_nothing_of_other_columns():
    rows = [{"method": m, "seed": 17 * n, "acc": n / 9} for n, m in enumerate("ab" * 4)]

    assert roles_of(rows).by == ("method",)


def test_what_names_runs_or_follows_from_knobs_is_no_knob():
    rows = grid(
        id=lambda lr, seed: f"{lr}{seed}",
        n_params=lambda lr, seed: int(lr * 1000),
        name=lambda lr, seed: f"run {lr} {seed}",
        remark=lambda lr, seed: f"text {lr} {seed}",
        test_acc_std=0.1,
    )
    roles = roles_of(rows)

    assert roles.by == ("lr",)
    assert roles.others == {
        "id": "identity", "n_params": "derived", "name": "identity", "remark": "identity",
        "test_acc_std": "spread",
    }  # fmt: skip


def test_commits_machines_and_times_are_context():
    rows = grid(
        git_sha="abc", hostname="a", GPU="A100", python_version="3.12", created_at="2026-01-01"
    )

    assert roles_of(rows).context == {
        "git_sha": "commit", "hostname": "machine", "GPU": "machine",
        "python_version": "software", "created_at": "time",
    }  # fmt: skip


def test_readings_of_a_machine_name_none():
    roles = roles_of(grid(gpu_memory=lambda lr, seed: int(1000 + 100 * lr + seed)))

    assert (roles.context, roles.others["gpu_memory"]) == ({}, "measured")


def test_context_can_be_what_is_asked_about():
    roles = roles_of(grid(rates=(0.1,), seeds=range(6), GPU=lambda lr, s: "AB"[s % 2]), by=("GPU",))

    assert roles.by == ("GPU",)
    assert roles.context == {}


@pytest.mark.parametrize("name", ["name", "group", "method", "config", "optimizer"])
def test_levels_may_only_have_names(name):
    rows = [
        {name: method, "seed": seed, "acc": 0.9 + seed / 99}
        for method in ("ours", "theirs")
        for seed in range(4)
    ]

    assert roles_of(rows).by == (name,)


@pytest.mark.parametrize("name", ["seed", "Seed", "random_state", "frö", "model_seed"])
def test_seeds_have_usual_names(name):
    rows = [{"lr": r["lr"], name: r["seed"], "acc": r["test_acc"]} for r in grid()]

    assert roles_of(rows).seed == name


@pytest.mark.parametrize("name", ["fold", "trial", "rep", "run"])
def test_what_numbers_repeats_is_taken_in_place_of_a_seed(name):
    rows = [{"lr": r["lr"], name: r["seed"], "acc": r["test_acc"]} for r in grid()]

    assert (roles_of(rows).seed, roles_of(rows).by) == (name, ("lr",))


def test_folds_pair_runs_beside_the_seed():
    rows = [
        {**row, "fold": fold, "test_acc": row["test_acc"] + fold / 997}
        for row in grid()
        for fold in range(3)
    ]

    assert roles_of(rows).pair_by == ("seed", "fold")
    assert roles_of(rows).by == ("lr",)


def test_pairs_can_be_said():
    roles = roles_of(grid(site=lambda lr, s: "ab"[s % 2]), pair_by=("site", "seed"))

    assert (roles.pair_by, roles.by) == (("site", "seed"), ("lr",))
    assert roles.notes[1].text == (
        "runs of two levels that share `site`, `seed` are compared in pairs"
    )


def test_without_seeds_runs_are_repeats():
    rows = [{"lr": row["lr"], "acc": row["test_acc"]} for row in grid()]
    roles = roles_of(rows)

    assert (roles.seed, roles.pair_by) == (None, ())
    assert "no_seed" in codes(roles.notes)
    assert roles_of(grid(), seed="none").seed is None


def test_a_second_seed_that_says_the_same_is_no_matter():
    assert roles_of(grid(data_seed=lambda lr, seed: seed + 100)).seed == "seed"


def test_two_seeds_that_vary_apart_are_refused():
    rows = grid(data_seed=lambda lr, seed: seed % 2 + int(lr * 10))

    with pytest.raises(ResultsError, match=r"which is the seed, `seed` or `data_seed`\? Both vary"):
        roles_of(rows)


def test_few_whole_numbers_that_were_not_set_evenly_are_left_out_and_said():
    rows = grid(seeds=range(6), correct=lambda lr, s: 97 if s < 2 else 98 if s < 3 else 99)

    roles = roles_of(rows)

    assert roles.others["correct"] == "unclear"
    assert "unclear" in codes(roles.notes)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"by": ("lrr",)}, r"--by: no column `lrr`; did you mean `lr`\?"),
        ({"seed": "sed"}, r"--seed: no column `sed`; did you mean `seed`\?"),
        ({"pair_by": ("fold",)}, r"--pair-by: no column `fold`; it has `lr`, `seed`, "),
        ({"metrics": ("acc:higher",)}, r"--metric: no column `acc`; did you mean `test_acc`\?"),
        (
            {"by": ("seed",), "seed": "seed"},
            r"`seed` cannot be what levels differ in and what pairs",
        ),
        ({"where": ("lr",)}, r"where `lr`: found no condition; write one as `model = conv`"),
        ({"where": ("lr > 1",)}, r"no row is left by where `lr > 1`; `lr` has `0.1`, `0.3`"),
        ({"where": ("rate = 1",)}, r"where `rate = 1`: no column `rate`; it has"),
        ({"where": ("lr < high",)}, r"where `lr < high`: `<` needs a number"),
    ],
)
def test_mistakes_are_one_line(said, line):
    with pytest.raises(ResultsError, match=line) as refused:
        roles_of(grid(), **said)

    assert str(refused.value).isprintable()


def test_without_a_metric_it_is_asked_for():
    rows = [{"lr": row["lr"], "seed": row["seed"], "opt": "ab"[row["lr"] > 0.2]} for row in grid()]

    with pytest.raises(
        ResultsError, match=r"no column is called as a metric is; which column is it"
    ):
        roles_of(rows)


def test_where_nothing_varies_it_is_said():
    with pytest.raises(ResultsError, match=r"nothing varies but seeds and metrics"):
        roles_of(grid(rates=(0.1,)))
    with pytest.raises(ResultsError, match=r"if it is one of `GPU`, say it with --by"):
        roles_of(grid(rates=(0.1,), GPU=lambda lr, s: "AB"[s % 2]))


def test_names_out_of_a_file_are_cut_and_harmless(written):
    text = f'lr,"{"x" * 500}\x1b[2J",seed,acc\n0.1,1,0,0.5\n0.3,2,0,0.7\n'

    roles = find_roles(read_results(written(text)))

    assert all(note.text.isprintable() and len(note.text) < 400 for note in roles.notes)


def test_semicolons_and_decimal_commas_are_a_plain_csv(written):
    plain = find_roles(read_results(written(as_csv(grid()))))
    swedish = as_csv(grid(), ";").replace(".", ",")

    roles = find_roles(read_results(written(swedish)))

    assert roles.table.columns == plain.table.columns
    assert [n for n in roles.notes if n.code != "decimal_commas"] == list(plain.notes)


@pytest.mark.parametrize("levels", [("16", "bf16", "32"), (16, 32, 64)])
@pytest.mark.parametrize("others", [{}, {"lr": [0.1, 0.3]}])
def test_levels_of_mixed_kinds_and_counts_are_levels_though_called_as_a_metric(levels, others):
    rows = [
        {"precision": level, "seed": seed, "loss": seed / 7 + len(str(level)) / 11} | more
        for level in levels
        for seed in range(4)
        for more in ([{name: v} for name, vs in others.items() for v in vs] or [{}])
    ]

    roles = roles_of(rows)

    is_mixed = isinstance(levels[0], str)
    assert roles.by == (("precision", *others) if is_mixed or not others else tuple(others))
    assert is_mixed or not others or "precision" in {metric.name for metric in roles.metrics}


def test_a_metric_with_runs_that_failed_stays_one():
    rows = grid(test_acc=lambda lr, seed: "failed" if seed == 1 else f"0.{seed + 5}")

    assert roles_of(rows).by == ("lr",)
    assert "test_acc" in {metric.name for metric in roles_of(rows).metrics}


def test_a_variant_stands_for_the_knobs_that_change_with_it():
    size = {0.1: 16, 0.3: 64}
    rows = grid(
        variant=lambda lr, _: "small" if lr == 0.1 else "large", width=lambda lr, _: size[lr]
    )

    roles = find_roles(read_frame(rows))

    assert roles.by == ("variant",)
    assert "not used" not in " ".join(note.text for note in roles.notes)
    assert roles.notes[1].text == (
        "levels are called by `variant`, with which `lr`, `width` change: their effects cannot be "
        "told apart"
    )


def test_a_variant_of_several_settings_stands_beside_them():
    rows = [*grid(variant="small"), *grid(variant="large")]

    assert find_roles(read_frame(rows)).by == ("lr", "variant")
