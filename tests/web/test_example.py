"""The answered question that siffra brings."""

import gzip
import json
import re
from importlib.resources import files

import pytest

from siffra.data.load import load_dataset
from siffra.report.text.messages import LANGUAGES
from siffra.web.example import ASK, FILE, example
from siffra.web.pages import page_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_answered_from_its_own_runs(language):
    told = example(load_dataset(), page_words(language))
    (question,) = told["lab"]["questions"]
    runs = json.loads(gzip.decompress(FILE.read_bytes()))

    assert told["lab"]["language"] == language
    assert not told["lab"]["provisional"]
    assert [claim["verdict"] for claim in question["claims"]] == ["supported", "supported"]
    for level, curves in zip(question["levels"], told["curves"]["levels"], strict=True):
        rate = level["knobs"]["learning_rate"]
        own = [run for run in runs if run["training"]["learning_rate"] == rate]
        assert sorted(level["accuracy"]["test"]["values"]) == sorted(
            run["accuracy"]["test"] for run in own
        )
        # Curves are of a sample of images but for their ends, which are the table's.
        assert curves["band"]["test"]["mean"][-1] == level["accuracy"]["test"]["mean"]
        assert {accuracy for _, accuracy in curves["ends"]["test"]} == {
            run["accuracy"]["test"] for run in own
        }


def test_it_is_the_question_that_the_form_shows_first():
    setup = files("siffra.web").joinpath("static/modules/ask/setup.js").read_text("utf-8")
    first = setup.partition("export function firstSetup")[2].partition("};")[0]
    told = dict(re.findall(r'(model|epochs|seeds): "(\w+)"', first))
    ((knob, levels),) = re.findall(r'\["(\w+)", "([^"]+)"\]', first)

    assert ASK.vary == {knob: [float(level) for level in levels.split(", ")]}
    assert {k: str(v) for k, v in {**ASK.fixed, "seeds": ASK.seeds}.items()} == told
