"""A lab file that siffra writes asks what was asked: the same runs, the same claims."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_dataset

from siffra.config.metrics import Metric
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.errors import ConfigError
from siffra.lab.plan.ad_hoc import plan_chosen, plan_external, plan_vary
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.plan import Searched
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.lab.plan.written import lab_file, starter_lab

SMALL = small_dataset()
CASES = (
    ({"learning_rate": [0.02, 0.7, 1.0]}, {"epochs": 3.0}),
    ({"neurons": [32, [64, 32]]}, {"epochs": 30.0, "layers": 2}),
    ({"kernel_size": [4, 8], "strides": [1, 2]}, {"model": "conv", "epochs": 1.0}),
    ({"optimizer": ["sgd", "adam"]}, {"learning_rate": 1e-5}),
    ({"epochs": [2.0, 25.0]}, {}),
    ({"batch_norm": [False, True]}, {"epochs": 2.5}),
)


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load_dataset()


def same_question(plan, again):
    (ours,), (theirs,) = plan.questions, again.questions
    assert [level.settings for level in theirs.levels] == [level.settings for level in ours.levels]
    assert theirs.claims == ours.claims
    assert theirs.figures == ours.figures
    assert theirs.fixed == ours.fixed
    assert again.seeds == plan.seeds
    assert {(run.setting, run.seed) for run in again.runs} == {
        (run.setting, run.seed) for run in plan.runs
    }


@pytest.mark.parametrize(("vary", "fixed"), CASES)
def test_it_is_read_back_as_the_same_question(vary, fixed, mnist, tmp_path):
    plan = plan_vary(vary, fixed, mnist, LabOptions(seeds=3), data=DataSource())
    path = tmp_path / "question.toml"
    path.write_text(lab_file(plan), encoding="utf-8")

    again = plan_lab(read_lab(path), mnist)

    same_question(plan, again)


def test_the_data_are_told_as_well(mnist, tmp_path):
    data = DataSource(path=tmp_path / 'my "own" dåta.npz', moved=3.0, split="seed")
    plan = plan_vary({"neurons": [2, 3]}, {}, mnist, data=data)

    told = tomllib.loads(lab_file(plan) or "")["data"]

    assert told == {"path": str(data.path), "moved": 3.0, "split": "seed"}


def test_shifts_of_one_s_own_have_a_table_of_their_own(mnist):
    data = DataSource(moved=None, rotated=5.0, noisy=0.1, seed=2)
    plan = plan_vary({"neurons": [2, 3]}, {}, mnist, data=data)

    told = tomllib.loads(lab_file(plan) or "")

    assert (told["data"], told["shifts"]) == ({"seed": 2}, {"rotate": 5.0, "noise": 0.1})


@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=4, unique=True))
def test_numbers_come_back_as_they_were(mnist, rates):
    plan = plan_vary({"learning_rate": rates}, {}, mnist)

    assert tomllib.loads(lab_file(plan) or "")["questions"][0]["vary"] == {"learning_rate": rates}


def test_a_question_about_a_program_is_read_back_as_the_same_runs(tmp_path):
    command = ("python", "train.py", "--lr={lr}", "{width}", "{flag}", "{seed}")
    metrics = (Metric("val/loss", "lower", 0.01, unit="nats"), Metric("acc", scale="ratio"))
    again = ("--read=loss (?P<acc>[0-9.]+)", "--watch=src", "--timeout=10m", "--jobs=2")
    vary, fixed = {"lr": [0.1, 1.0], "flag": ["true", "x y"]}, {"width": 64}
    plan = plan_external(vary, fixed, metrics, LabOptions(seeds=3), command=command, again=again)
    path = tmp_path / "question.toml"
    path.write_text(lab_file(plan) or "", encoding="utf-8")

    lab = read_lab(path)
    found = plan_lab(lab, None)

    assert [s.knobs() for s in settings_of(found)] == [
        dict(sorted(s.knobs().items())) for s in settings_of(plan)
    ]
    assert found.seeds == plan.seeds
    assert found.questions[0].metrics == metrics
    assert [(c.named, c.level, c.against, c.margin) for c in found.questions[0].claims] == [
        (c.named, c.level, c.against, c.margin) for c in plan.questions[0].claims
    ]
    assert lab.program
    assert lab.program.command == command
    assert (lab.program.spec.watch, lab.program.spec.timeout) == (("src",), 600.0)


def test_what_a_search_has_chosen_is_read_back_as_the_same_runs(tmp_path):
    chosen = [{"lr": 0.03, "width": 32}, {"lr": 0.04, "width": 64}, {"lr": 0.1, "width": 16}]
    search = Searched({"lr": "0.01..1", "width": [16, 32, 64]}, ("lr",), 30, 0, 0.5, 4, chosen[2])
    command = ("python", "train.py", "{lr}", "{width}", "{seed}")
    metrics = (Metric("loss", "lower"),)
    plan = plan_chosen(chosen, {}, metrics, range(5), command=command, search=search)
    path = tmp_path / "question.toml"
    path.write_text(lab_file(plan) or "", encoding="utf-8")

    found = plan_lab(read_lab(path), None)

    assert settings_of(found) == settings_of(plan)
    assert found.seeds == plan.seeds == (0, 1, 2, 3, 4)
    sides = [[(c.level, c.against) for c in p.questions[0].claims] for p in (found, plan)]
    assert sides == [[((0,), (1,)), ((0,), (2,))]] * 2


def test_a_function_has_no_file():
    plan = plan_external({"lr": [0.1, 1.0]}, {}, (Metric("loss", "lower"),))

    assert lab_file(plan) is None


def settings_of(plan):
    return [level.settings[0] for level in plan.questions[0].levels]


def test_a_lab_that_has_a_file_gets_no_other(mnist):
    assert lab_file(plan_lab(read_lab(), mnist)) is None


def test_a_path_of_windows_is_a_toml_string(mnist):
    plan = plan_vary({"neurons": [2, 3]}, {}, mnist, data=DataSource(path=Path("C:\\x\\y")))

    assert tomllib.loads(lab_file(plan) or "")["data"]["path"] == "C:\\x\\y"


@pytest.mark.parametrize(
    ("vary", "fixed"),
    [
        ({"dropout": [0.0, 0.2, 0.5]}, {"neurons": [8, 8]}),
        ({"neurons": [4, [8, 8]]}, {"epochs": 2, "activation": "tanh"}),
        ({"neurons": [4, 8], "batch_size": [2, 5]}, {}),
    ],
    ids=str,
)
def test_a_lab_to_start_from_makes_the_runs_of_its_question(tmp_path, vary, fixed):
    path = tmp_path / "lab.toml"
    path.write_text(starter_lab('Does "it" help?\n', vary, fixed, SMALL), "utf-8")
    plan, asked = plan_lab(read_lab(path), SMALL), plan_vary(vary, fixed, SMALL)

    (question,), (expected,) = plan.questions, asked.questions
    assert [level.settings for level in question.levels] == [e.settings for e in expected.levels]
    assert [(c.level, c.against, c.direction, c.margin) for c in question.claims] == [
        (c.level, c.against, c.direction, c.margin) for c in expected.claims
    ]
    assert question.ask["en"] == 'Does "it" help?\n'


def test_a_lab_to_start_from_needs_a_question_and_levels():
    with pytest.raises(ConfigError, match="found an empty question"):
        starter_lab(" ", {"neurons": [4, 8]}, {}, SMALL)
    with pytest.raises(ConfigError, match="found 1 to compare"):
        starter_lab("Why?", {"neurons": [4]}, {}, SMALL)


def test_a_lab_to_start_from_says_all_of_the_data():
    data = DataSource(path=Path("wine.csv"), label="cultivar")

    text = starter_lab("Why?", {"neurons": [4, 8]}, {}, SMALL, data=data)

    assert tomllib.loads(text)["data"] == {"path": "wine.csv", "label": "cultivar"}
