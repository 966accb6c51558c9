"""What a lab asks of data that has not got it, and `[shifts]`, which says what there is."""

from pathlib import Path

import numpy as np
import pytest

from siffra.api import dataset
from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab

RNG = np.random.default_rng(0)
TABLE = dataset((RNG.normal(size=(40, 3)), np.arange(40) % 2))
LAB = """
title = "t"
[[questions]]
id = "a"
ask = "?"
vary = {{ neurons = [2, 3] }}
{question}
[[questions.claims]]
id = "c"
say = "!"
level = {{ neurons = 3 }}
against = {{ neurons = 2 }}
direction = "better"
{claim}
"""


def write(tmp_path: Path, question: str = "", claim: str = "", head: str = "") -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(head + LAB.format(question=question, claim=claim))
    return path


@pytest.mark.parametrize(
    ("question", "claim", "said"),
    [
        ("", 'on = "moved"', "questions[1].claims[1].on: found `moved`, but the data has train, "
         "val, test; `move` in `[shifts]` makes it."),
        ('figures = ["curves", "map"]', "", "questions[1].figures: `map` needs images, but the "
         "data has rows of 3 features."),
        ('fixed = { augment = "move" }', "", "fixed.augment: move is for images"),
        ('fixed = { model = "conv", layers = 1 }', "", "fixed.model: conv is for images, and data"),
    ],
)  # fmt: skip
def test_what_the_data_has_not_is_refused_with_its_key(tmp_path, question, claim, said):
    lab = read_lab(write(tmp_path, question, claim))

    with pytest.raises(LabFileError) as raised:
        plan_lab(lab, TABLE)

    assert said in str(raised.value)


def test_shifts_say_which_sets_there_are(tmp_path):
    head = "shifts = { move = 3, noise = 0.1, contrast = 0.5 }\n"
    lab = read_lab(write(tmp_path, claim='on = "noisy"', head=head))

    assert (lab.data.moved, lab.data.rotated, lab.data.noisy) == (3.0, None, 0.1)
    assert (lab.data.faded, lab.data.scaled) == (0.5, None)
    assert read_lab(write(tmp_path, head="shifts = {}\n")).data.moved is None
    assert read_lab(write(tmp_path)).data.moved == 10.0


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("shifts = { mov = 3 }\n", "shifts.mov: no such key; did you mean `move`?"),
        ("shifts = { noise = 0 }\n", "shifts.noise: found 0; it must be above 0."),
        ("shifts = { noise = 'x' }\n", "shifts.noise: found 'x'; it must be a number."),
        ("shifts = { noise = 1 }\ndata = { moved = 3 }\n",
         "data.moved: `[shifts]` says which shifts there are; use `move`."),
    ],
)  # fmt: skip
def test_shifts_that_make_no_sense_are_refused_with_their_key(tmp_path, head, said):
    with pytest.raises(LabFileError) as raised:
        read_lab(write(tmp_path, head=head))

    assert str(raised.value) == f"lab.toml: {said}"


def test_small_differences_matter_on_every_shifted_set_alike(tmp_path):
    lab = read_lab(write(tmp_path, claim='on = "noisy"', head="shifts = { noise = 0.1 }\n"))
    noisy = dataset((RNG.normal(size=(40, 3)), np.arange(40) % 2), shifts={"noise": 0.1})

    (question,) = plan_lab(lab, noisy).questions

    assert question.claims[0].margin == 0.01
