"""What a lab file may say of a program, and what it is told when it says something else."""

import sys

import pytest

from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab

COMMAND = '["python", "train.py", "--lr", "{lr}", "--wd", "{wd}", "--seed", "{seed}"]'
HEAD = f"""
title = "t"
[base]
command = {COMMAND}
lr = 0.1
wd = 0
"""
METRICS = """
[metrics.val_loss]
better = "lower"
margin = 0.003
[metrics.speed]
better = "higher"
scale = "ratio"
unit = "images/s"
[metrics.accuracy]
better = "higher"
step = 0.01
"""
VARY = "vary = { lr = [0.1, 0.3] }"
QUESTION = f"""
[[questions]]
id = "a"
ask = "?"
{VARY}
"""
CLAIM = (
    QUESTION
    + """
[[questions.claims]]
id = "c"
say = "!"
level = { lr = 0.3 }
"""
)
LAB = HEAD + METRICS + QUESTION


@pytest.fixture
def written(tmp_path):
    """Writes a lab file, and reads it."""

    def write(content: str):
        path = tmp_path / "my.toml"
        path.write_text(content)
        return read_lab(path)

    return write


def told(written, content: str) -> str:
    """The one line that a user is told about a lab file with a mistake."""
    with pytest.raises(LabFileError) as error:
        written(content)
    assert "\n" not in str(error.value)
    return str(error.value)


def claim(keys: str, direction: str = "better", against: str = "{ lr = 0.1 }") -> str:
    return f'{HEAD}{METRICS}{CLAIM}against = {against}\ndirection = "{direction}"\n{keys}'


class TestProgram:
    def test_it_runs_where_the_lab_file_lies_and_knows_its_knobs(self, written, tmp_path):
        program = written(LAB).program

        assert program.spec.cwd == tmp_path
        assert program.command[:2] == ("python", "train.py")
        assert program.knobs == {"lr", "wd"}

    def test_a_text_is_split_as_a_shell_splits_words(self, written):
        lab = written(LAB.replace(COMMAND, "\"python 'my train.py' {lr} {wd} {seed}\""))

        assert lab.program.command == ("python", "my train.py", "{lr}", "{wd}", "{seed}")

    def test_the_command_is_no_knob_of_the_base(self, written):
        assert written(LAB).base == {"lr": 0.1, "wd": 0}

    def test_metrics_have_a_direction_and_more_where_it_is_said(self, written):
        loss, speed, accuracy = written(LAB).program.metrics.values()

        assert (loss.name, loss.better, loss.margin, loss.scale) == (
            "val_loss", "lower", 0.003, "difference",
        )  # fmt: skip
        assert (speed.unit, speed.scale, speed.margin) == ("images/s", "ratio", None)
        assert accuracy.step == 0.01

    def test_how_it_is_run(self, written):
        running = '[command]\nread = ["loss ([0-9.]+)"]\nwatch = ["data"]\ntimeout = "10m"\n'
        spec = written(LAB + running).program.spec

        assert spec.source.patterns.texts == ["loss ([0-9.]+)"]
        assert spec.watch == ("data",)
        assert spec.timeout == 600.0

    def test_reading_runs_nothing(self, written, tmp_path):
        made = tmp_path / "made"
        code = f"open({str(made)!r}, 'w') # {{lr}} {{wd}} {{seed}}"
        command = f'["{sys.executable}", "-c", "{code}"]'
        written(LAB.replace(COMMAND, command))

        assert not made.exists()

    def test_a_knob_called_model_names_no_function(self, written):
        content = LAB.replace("{lr}", "{model}").replace("lr = 0.1", "model = 'a:b'")
        lab = written(content.replace("lr = [0.1, 0.3]", "model = ['no_such:make', 'a:b']"))

        assert lab.questions[0].vary == {"model": ("no_such:make", "a:b")}

    def test_a_lab_of_networks_has_no_program(self, written):
        lab = written('title = "t"' + QUESTION.replace("lr = [0.1, 0.3]", "layers = [1, 2]"))

        assert lab.program is None


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (
                LAB.replace(COMMAND, "3"),
                "my.toml: base.command: found 3; it must be one text, or a list of texts, as",
            ),
            (
                LAB.replace(COMMAND, "['python', 3]"),
                "my.toml: base.command: found ['python', 3]; it must be one text, or a list",
            ),
            (
                LAB.replace("{seed}", "1"),
                "my.toml: base.command: `python train.py --lr {lr} --wd {wd} --seed 1` has no "
                "`{seed}`, so every run would be the same",
            ),
            (
                LAB.replace(COMMAND, "'python train.py {lr} {wd} {seed} > log'"),
                "my.toml: base.command: found `>`, but no shell runs the command",
            ),
            (
                LAB.replace("wd = 0", "weight_decay = 0"),
                "my.toml: base.weight_decay: no such knob: the command has no `{weight_decay}`; "
                "known: lr, wd.",
            ),
            (
                LAB.replace("vary = { lr", "vary = { lrr"),
                "my.toml: questions[1].vary.lrr: no such knob: the command has no `{lrr}`; did you "
                "mean `lr`?",
            ),
            (
                LAB.replace("wd = 0", "wd = 0\nseed = 1"),
                "my.toml: base.seed: siffra itself gives each run its `{seed}`; leave it out.",
            ),
            (
                HEAD + QUESTION,
                "my.toml: metrics: found none; say what the command measures, as "
                '`[metrics.val_loss]` with `better = "lower"`.',
            ),
            (
                LAB.replace('better = "lower"', ""),
                "my.toml: metrics.val_loss.better: it is missing.",
            ),
            (
                LAB.replace('"lower"', '"less"'),
                "my.toml: metrics.val_loss.better: found 'less'; known: higher, lower.",
            ),
            (
                LAB.replace("0.003", "0"),
                "my.toml: metrics.val_loss.margin: found 0; it must be above 0.",
            ),
            (
                LAB.replace("unit =", "units ="),
                "my.toml: metrics.speed.units: no such key; did you mean `unit`?",
            ),
            (
                LAB + "[command]\ntimeout = 'soon'",
                "my.toml: command.timeout: found 'soon'; use a duration such as 15s, 1m30s or 10m.",
            ),
            (
                LAB + "[command]\nread = ['loss']",
                "my.toml: command.read: found no groups in `loss`; put the number in one",
            ),
            (
                LAB + "[command]\njobs = 2",
                "my.toml: command.jobs: no such key; known: read, timeout, watch.",
            ),
            (
                LAB + "[data]\npath = 'x.npz'",
                "my.toml: data: a command reads its own data; leave it out.",
            ),
            (
                LAB + "[shifts]\nmove = 3",
                "my.toml: shifts: a command has test sets of its own; leave it out.",
            ),
            (
                LAB + "[presets.quick]\nepochs = 3",
                "my.toml: presets.quick.epochs: it means nothing to a command; a preset has `time` "
                "or `seeds` here.",
            ),
            (
                LAB + "[presets.quick.recipes]\na = 'b'",
                "my.toml: presets.quick.recipes: it means nothing to a command",
            ),
        ],
    )
    def test_it_names_the_key_and_what_would_be_right(self, written, content, expected):
        assert told(written, content).startswith(expected)

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            (
                METRICS,
                "my.toml: metrics: siffra's own networks are measured by accuracy, seconds and the "
                "like; leave it out, or give `[base]` the `command` of a program.",
            ),
            (
                "[command]\ntimeout = '1m'",
                "my.toml: command: it says how a command is run; leave it out, or give `[base]`",
            ),
            (
                f"command = {COMMAND}",
                "my.toml: command: write it below `[base]`, as command = [",
            ),
        ],
    )
    def test_a_lab_of_networks_says_nothing_of_a_program(self, written, more, expected):
        question = QUESTION.replace("lr = [0.1, 0.3]", "layers = [1, 2]")

        assert told(written, f'title = "t"\n{more}\n{question}').startswith(expected)


class TestClaims:
    def test_the_first_metric_is_that_of_a_claim_which_names_none(self, written):
        assert written(claim("")).questions[0].claims[0].metric == "val_loss"

    def test_accuracy_of_a_program_is_what_it_declares(self, written):
        lab = written(claim('metric = "accuracy"\nmargin = 0.5', "same", "97"))

        assert lab.questions[0].claims[0].against == 97

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (
                claim('metric = "seconds"'),
                "metric: found 'seconds'; siffra measures that of its own networks; those of this "
                "lab: val_loss, speed, accuracy; declare what the command itself reports as "
                "`[metrics.seconds]`.",
            ),
            (claim('metric = "val_los"'), "metric: found 'val_los'; did you mean `val_loss`?"),
            (
                claim('on = "test"'),
                "metric `val_loss` has no `on`: it has no sets.",
            ),
            (
                claim("target = 0.9"),
                "metric `val_loss` has no `target`: it is about the end of a run.",
            ),
            (
                claim("epochs = 3"),
                "metric `val_loss` has no `epochs`: how long a command trains is a matter of its "
                "own knobs.",
            ),
            (
                claim("times = 0.5"),
                "metric `val_loss` is compared as a difference: use `plus`, not `times`.",
            ),
            (
                claim('metric = "speed"\nplus = 0.5'),
                "metric `speed` is compared as a ratio: use `times`, not `plus`.",
            ),
            (
                claim('metric = "speed"', against="0"),
                "`against` is 0; for metric `speed`, compared as a ratio, it must be above 0.",
            ),
            (
                claim("plus = 0.5", against="2.5"),
                "`plus` moves what a level has, but `against` is a number: move that instead.",
            ),
            *(
                (
                    claim('metric = "accuracy"', direction),
                    f"direction `{direction}` needs a `margin`, the smallest difference that "
                    "matters; give it here or in `[metrics.accuracy]`.",
                )
                for direction in ("same", "not worse", "not better")
            ),
        ],
    )
    def test_what_a_metric_does_not_allow(self, written, content, expected):
        line = told(written, content)

        assert line.startswith("my.toml: questions[1].claims[1]")
        assert line.removeprefix("my.toml: questions[1].claims[1]").lstrip(".: ") == expected

    @pytest.mark.parametrize("direction", ["same", "not worse", "not better"])
    def test_the_margin_of_the_metric_is_enough(self, written, direction):
        assert written(claim("", direction)).questions[0].claims[0].direction == direction

    def test_differences_are_in_the_metric_s_own_unit(self, written):
        lab = written(claim('metric = "accuracy"\nplus = 12.5'))

        assert lab.questions[0].claims[0].plus == 12.5


def test_a_knob_called_name_is_a_knob(written):
    head = HEAD.replace('"--seed"', '"--name", "{name}", "--seed"')
    levels = 'levels = [{ name = "a", lr = 0.1 }, { name = "b", lr = 0.1 }]'
    (question,) = written(head + METRICS + QUESTION.replace(VARY, levels)).questions

    assert question.levels[0].knobs == {"name": "a", "lr": 0.1}
    assert not question.levels[0].name


class TestReported:
    def test_it_is_by_metric_and_may_have_any_value(self, written):
        reported = "reported = [{ at = { lr = 0.3 }, val_loss = 2.5, accuracy = 97, seconds = 9 }]"
        (level,) = written(LAB + reported).questions[0].reported

        assert level.figures() == {"val_loss": 2.5, "accuracy": 97, "seconds": 9}

    def test_of_another_metric_there_is_none(self, written):
        line = told(written, LAB + "reported = [{ at = { lr = 0.3 }, test = 0.9 }]")

        assert line.startswith("my.toml: questions[1].reported[1].test: no such key; known: ")
