"""One list for each thing: what is in it has all that has to be written beside it."""

import inspect
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from siffra import api
from siffra.api import LabOptions, RunOptions
from siffra.api.commands import CommandOptions
from siffra.api.sklearn import SiffraClassifier
from siffra.cli.lab import lab
from siffra.config import KNOBS, Setting, default, suggested
from siffra.config.metrics import METRICS, MetricName
from siffra.data.dataset import SETS
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED, SHIFTS
from siffra.report.text.messages import LANGUAGES, words_in
from siffra.web.questions import knobs as form

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("knob", KNOBS)
class TestKnob:
    def test_it_has_a_name_in_every_language(self, knob):
        assert all(f"knob.{knob}" in words_in(language) for language in LANGUAGES)

    def test_it_is_a_typed_keyword_argument(self, knob):
        assert knob in api.Knobs.__annotations__

    def test_it_is_a_parameter_of_the_classifier(self, knob):
        assert inspect.signature(SiffraClassifier).parameters[knob].default == default(knob)

    def test_it_is_in_the_table_of_the_documentation(self, knob):
        assert f"| `{knob}` |" in (DOCS / "labs.md").read_text("utf-8")

    def test_the_form_starts_it_with_levels_that_make_a_difference(self, knob):
        shown = next(entry for entry in form() if entry["name"] == knob)
        assert shown["suggested"]
        for model in KNOBS[knob].models if knob != "model" else ():
            beside = {"model": model, **shown["needs"][model]}
            levels = [{**beside, knob: value} for value in suggested(KNOBS[knob])]
            assert len({Setting.from_knobs(level) for level in levels}) == len(levels) > 1


@pytest.mark.parametrize("name", SHIFTED)
class TestShiftedSet:
    def test_it_has_its_words_in_every_language(self, name):
        for language in LANGUAGES:
            assert all(
                f"{table}.{name}" in words_in(language) for table in ("set", "on", "shifted")
            )

    def test_there_is_a_function_that_makes_it(self, name):
        module = "shifts" if SHIFTED[name].is_warp else "corruptions"
        assert callable(getattr(import_module(f"siffra.data.{module}"), name))

    def test_a_data_source_says_how_strong_it_is(self, name):
        key = SHIFTED[name].key
        assert name in DataSource.model_fields
        assert DataSource().with_shifts({key: 0.5}).shifts == {key: 0.5}

    def test_it_draws_from_a_stream_of_its_own(self, name):
        assert [shift.stream for shift in SHIFTS.values()].count(SHIFTED[name].stream) == 1


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_a_name_in_every_language(name):
    assert all(f"metric.{name}" in words_in(language) for language in LANGUAGES)


def test_every_metric_that_a_claim_can_name_is_listed():
    assert tuple(METRICS) == get_args(MetricName)


FIELDS = {field.name: field.default for of in (LabOptions, RunOptions) for field in fields(of)}
NOT_OFFERED = {"examines", "read_only"}  # they follow from the command


OF_LABS_OF_PROGRAMS = {"timeout", "gpus"}
"""Options of the lab of a program, beside those of any lab."""


class TestOptions:
    """Those of a lab and of its runs are the same in Python and on the command line."""

    def test_run_lab_takes_every_option(self):
        parameters = inspect.signature(api.run_lab).parameters
        own = {"lab", "data", "out", "language", "on_event", *OF_LABS_OF_PROGRAMS}

        assert set(parameters) - own == set(FIELDS) - NOT_OFFERED
        for name in set(parameters) - own:
            assert parameters[name].default == FIELDS[name], name

    def test_vary_takes_those_that_a_question_has(self):
        parameters = inspect.signature(api.vary).parameters
        own = {"levels", "recipe", "data", "language", "on_event", "knobs", "train", "margin"}
        of_programs = {field.name for field in fields(CommandOptions)} - {"metrics", "running"}
        of_programs |= {"metric", "jobs", "store", "fresh"}

        assert set(parameters) - own - of_programs <= set(FIELDS)
        assert of_programs <= set(parameters)

    def test_siffra_lab_has_an_option_for_each(self):
        parameters = inspect.signature(lab).parameters
        own = {"file", "out", "language", "as_json", "is_checked", "dry_run", "verbose"}
        own |= OF_LABS_OF_PROGRAMS

        assert set(parameters) - own == set(FIELDS) - NOT_OFFERED
        for name in set(parameters) - own - {"only"}:  # a text with commas
            assert parameters[name].default == FIELDS[name], name

    @pytest.mark.parametrize("function", [api.run_lab, api.vary, api.train, api.export_runs])
    def test_a_public_function_documents_its_arguments_in_their_order(self, function):
        arguments, _, _ = (inspect.getdoc(function) or "").partition("Raises:")
        documented = re.findall(r"^    \*{0,2}(\w+): ", arguments, re.MULTILINE)

        assert documented == list(inspect.signature(function).parameters)


def test_the_page_shows_sets_in_the_order_of_the_catalogue():
    for language in LANGUAGES:
        named = [key for key in words_in(language).texts if key.startswith("set.")]
        assert named == [f"set.{name}" for name in SETS]
