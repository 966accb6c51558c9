"""The command that a report prints: read back by the command line, it asks the same."""

import dataclasses
import shlex
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_record
from report.fake_answers import make_answers, make_question, report_on

from siffra.cli.knobs import parse_levels, parse_value, parse_values
from siffra.config import KNOBS, ModuleModel, Setting, Training
from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.report.render.report import write_report
from siffra.report.text.provenance import all_records, command, proviso, train_command


@pytest.fixture(scope="module")
def dataset():
    images = Images(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int64))
    shifted = {"moved": images, "rotated": images}
    return Dataset("made up", 10, images, images, images, shifted, fingerprint="0")


def read_back(printed):
    """Levels, fixed knobs and the other options of a printed `siffra vary`."""
    program, verb, *words = shlex.split(printed)
    assert (program, verb) == ("siffra", "vary")
    first = next(i for i, word in enumerate(words) if word.startswith("--"))
    for flag, value in (("--batch-norm", "true"), ("--no-batch-norm", "false")):
        if flag in words:
            place = words.index(flag)
            words[place : place + 1] = ["--batch-norm", value]
    options = dict(zip(words[first::2], words[first + 1 :: 2], strict=True))
    fixed = {}
    for name, knob in KNOBS.items():
        text = options.pop("--" + name.replace("_", "-"), None)
        if text is not None:
            fixed[name] = (parse_values if knob.per_layer else parse_value)(knob, text)
    return parse_levels(words[:first]), fixed, options


def test_a_run_s_command_repeats_it():
    """A model of one's own has knobs that `siffra train` takes after `--with`."""
    own = Setting(
        ModuleModel(factory="my_models:make", source="0", arguments=(("depth", 3),)),
        Training(learning_rate=0.1, epochs=2),
    )
    record = make_record(own, seed=1).model_copy(update={"engine": "torch"})

    assert train_command(record) == (
        "siffra train --model my_models:make --with depth=3 --learning-rate 0.1 --batch-size 140 "
        "--epochs 2 --optimizer sgd --seed 1 --engine torch"
    )


@pytest.mark.parametrize(
    ("levels", "knobs"),
    [
        (["learning_rate=0.5,1,0.00001"], {}),
        (["neurons=[64],[32]"], {}),
        (["neurons=64,[64,32],32"], {"layers": 2}),
        (["batch_size=9,10"], {"layers": 2, "neurons": [64, 32], "epochs": 3}),
        (["kernel_size=4,8", "strides=1,2"], {"model": "conv"}),
        (["filters=[4,8],[8,4]"], {"model": "conv", "conv_layers": 2, "kernel_size": 3}),
        (["model=dense,conv"], {"optimizer": "momentum", "learning_rate": 0.1}),
        (["optimizer=sgd,momentum"], {"learning_rate": 0.1}),
        (["neurons=8,16"], {"batch_norm": True}),
        (["neurons=8,16"], {"batch_norm": False}),
    ],
)
def test_a_printed_vary_read_back_gives_the_same_plan(dataset, levels, knobs):
    plan = plan_vary(parse_levels(levels), knobs, dataset, LabOptions(seeds=3), data=DataSource())

    vary, fixed, options = read_back(command(plan))
    again = plan_vary(
        vary, fixed, dataset, LabOptions(seeds=int(options.pop("--seeds"))), data=DataSource()
    )

    assert options == {}
    assert again.seeds == plan.seeds
    assert [level.settings for level in again.questions[0].levels] == [
        level.settings for level in plan.questions[0].levels
    ]
    assert again.questions[0].fixed == plan.questions[0].fixed
    assert command(again) == command(plan)
    assert proviso(plan) == ""


def test_the_data_of_a_question_are_printed_with_it(dataset):
    data = DataSource(path=Path("my data.npz"), moved=3.0, rotated=20.5)
    plan = plan_vary({"layers": [1, 2]}, {}, dataset, data=data)

    _, _, options = read_back(command(plan))

    assert options == {
        "--data": "my data.npz",
        "--moved": "3.0",
        "--rotated": "20.5",
        "--seeds": "5",
    }
    assert proviso(plan) == ""


def test_a_table_and_shifts_of_one_s_own_are_printed_too(dataset):
    table = DataSource(path=Path("a.csv"), label="kind", image=(3, 4), rotated=None, blurred=1.5)
    nothing = DataSource(moved=None, rotated=None)

    _, _, options = read_back(command(plan_vary({"layers": [1, 2]}, {}, dataset, data=table)))
    none = plan_vary({"layers": [1, 2]}, {}, dataset, data=nothing)

    assert options == {
        "--data": "a.csv",
        "--label": "kind",
        "--image": "3x4",
        "--shifts": "move=10.0,blur=1.5",
        "--seeds": "5",
    }
    assert "--shifts none" in command(none)
    assert proviso(none) == ""


@pytest.mark.parametrize("data", [None, DataSource(validation=0.1), DataSource(seed=1)])
def test_data_that_no_option_can_give_are_asked_for_in_words(dataset, data):
    assert proviso(plan_vary({"layers": [1, 2]}, {}, dataset, data=data)) == "data"


def test_a_lab_s_command_keeps_what_was_picked_and_for_how_long(dataset, tmp_path):
    path = tmp_path / "my lab.toml"
    path.write_text(
        "title = 't'\n[[questions]]\nid = 'a'\nask = '?'\nvary = {layers = [1, 2]}\n"
        "[[questions]]\nid = 'b'\nask = '?'\nvary = {epochs = [1, 2]}\n"
    )
    lab = read_lab(path)

    whole = plan_lab(lab, dataset, LabOptions(preset="full"))
    some = plan_lab(lab, dataset, LabOptions(epochs=7, seeds=2, only=("b", "a")))

    assert command(whole) == "siffra lab 'my lab.toml' --preset full --time 60m"
    assert command(some) == (
        "siffra lab 'my lab.toml' --preset full --epochs 7 --only b,a --seeds 2"
    )
    assert proviso(whole) == "folder"


def test_the_shipped_lab_needs_no_file():
    digest = read_lab().digest
    plan = dataclasses.replace(make_answers([]).plan, digest=digest)

    assert command(plan) == "siffra lab --preset standard --seeds 5"
    assert proviso(plan) == ""


def test_the_report_says_where_to_run_it(tmp_path):
    answers = make_answers([])  # of a lab file that is not the shipped one
    write_report(answers, tmp_path)

    for name in ("report.html", "report.md"):
        assert "Run it in the folder of the lab file." in (tmp_path / name).read_text("utf-8")
    assert "in the folder of the lab file" in (report_on(answers).proviso or "")


@pytest.mark.parametrize(
    ("time", "most", "options"),
    [
        (300.0, 40, "--time 5m"),
        (90.0, 80, "--time 90s --max-seeds 80"),
        (None, 40, "--max-seeds 40"),  # of an ad-hoc question, which has no budget of its own
    ],
)
def test_the_command_of_a_lab_with_looks_has_its_budget_and_its_last_look(time, most, options):
    plan = dataclasses.replace(
        make_answers([]).plan, digest=read_lab().digest, looks=(5, 7, most), time=time
    )

    assert command(plan) == f"siffra lab --preset standard {options}"


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ({}, ""),
        ({"threads": 1}, " --threads 1"),
        ({"threads": 1, "jobs": 2}, ""),
        ({"threads": 1, "jobs": 4}, ""),
        ({"threads": 2, "jobs": 2}, " --threads 2"),
    ],
)
def test_the_command_names_threads_where_runs_did_not_share_out_the_cores(machine, told):
    answers = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=2)
    records = [
        record.model_copy(update={"machine": record.machine.model_copy(update=machine)})
        for record in all_records(answers)
    ]

    assert command(answers.plan, records) == command(answers.plan) + told
