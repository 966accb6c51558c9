"""Answers in a notebook: points, coloured verdicts, and progress while runs are made."""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from report.fake_answers import report_on, study

import siffra
from siffra.api.results import LabResult
from siffra.lab.execute.events import Event, Progress
from siffra.lab.plan.plan import PlannedRun
from siffra.report.render.notebook import NotebookProgress, lab_html
from siffra.report.text.messages import words_in


@pytest.fixture(scope="module")
def answers():
    return study()


@pytest.fixture(scope="module")
def html(answers):
    return lab_html(report_on(answers))


def test_it_is_well_formed_and_every_level_has_a_strip_of_its_runs(answers, html):
    root = ET.fromstring(f"<div>{html}</div>")
    strips = list(root.iter("svg"))

    assert len(strips) == sum(len(q.levels) for q in answers.questions)
    assert {len(strip.findall("circle")) for strip in strips} == {5}
    for strip in strips:
        places = [float(circle.get("cx", "")) for circle in strip.findall("circle")]
        assert all(0 < place < float(strip.get("width", "")) for place in places)


def test_runs_that_score_more_lie_further_to_the_right(answers, html):
    rates = report_on(answers).questions[0]
    strips = list(ET.fromstring(f"<div>{html}</div>").iter("svg"))[: len(rates.levels)]
    places = [float(circle.get("cx", "")) for strip in strips for circle in strip.findall("circle")]
    values = [value or 0.0 for level in rates.levels for value in level.accuracy["test"].values]

    assert sorted(range(len(values)), key=values.__getitem__) == sorted(
        range(len(places)), key=lambda i: (places[i], values[i])
    )


def test_verdicts_have_their_colours(html):
    for verdict, colour in (("Supported", "#00694b"), ("Refuted", "#a93d00")):
        badges = re.findall(rf'style="([^"]*)">{verdict.lower()}<', html)
        assert badges
        assert all(f"background:{colour}" in badge for badge in badges)
    assert "background:#6b5600" not in html  # what is open is an outline


def test_of_several_questions_it_opens_with_the_tally_and_what_is_most_wrong(answers, html):
    report = report_on(answers)

    assert report.most_wrong_text.startswith(("Most wrong is ", "Most wrong are "))
    opening = html[: html.index("<table")]
    assert report.summary in opening
    assert "Most wrong" in opening


def test_in_a_prompt_a_result_is_two_lines(answers):
    told = repr(LabResult(answers))

    assert told.count("\n") == 1
    assert report_on(answers).summary in told


def test_in_a_prompt_a_claim_is_a_line(answers):
    claim = next(c for q in report_on(answers).questions for c in q.claims if c.grade == "shown")
    told = repr(claim)

    assert "\n" not in told
    assert claim.say in told
    assert f"{claim.verdict}, " in told
    assert f"n={claim.n})" in told


def test_asterisks_of_times_on_a_busy_machine_are_explained(answers, html):
    report = report_on(answers)
    question = report.questions[0]
    level = question.levels[0].model_copy(update={"busy": 1})
    asked = question.model_copy(update={"levels": (level, *question.levels[1:])})
    busy = lab_html(report.model_copy(update={"questions": (asked,)}))

    note = "<p>* Some of these runs were made on a busy machine"
    assert "*</td>" in busy
    assert note in busy
    assert "*</td>" not in html
    assert note not in html


class Display:
    """A notebook's display, which remembers what it shows."""

    def __init__(self) -> None:
        self.shown = []

    def HTML(self, text):
        return text

    def display(self, html, display_id):
        assert display_id is True
        self.update(html)
        return self

    def update(self, html):
        self.shown.append(html)


@pytest.fixture
def display(monkeypatch):
    display = Display()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return display


def test_progress_is_a_line_that_goes_when_all_is_done(answers, display):
    run = PlannedRun(answers.questions[0].levels[0].level.settings[0], 3)
    progress = Progress(done=7, total=20, seconds_left=41.2)

    with NotebookProgress(words_in("sv"), answers.plan) as shown:
        shown(Event("started", run, progress=progress))
        shown(Event("epoch", run, progress=progress))  # too soon to be seen

    first, line, last = display.shown
    assert (first, last) == ("", "")
    assert "7/20 körningar, 42\N{NO-BREAK SPACE}s kvar" in line
    assert "frö 3: förbereds" in line


@pytest.mark.parametrize("what", ["function", "command", "noise"])
def test_what_others_wrote_shows_its_epochs_and_compiles_nothing(
    display, monkeypatch, tmp_path, what
):
    def train(lr: float, seed: int) -> Iterator[dict[str, float]]:
        yield from ({"loss": lr + 1}, {"loss": lr + seed / 10})

    monkeypatch.setattr("siffra.report.render.notebook._SELDOM", 0.0)
    script = """import time; print('{{"epoch": 1, "loss": %d}}' % {seed}); time.sleep(0.3)"""
    command = [sys.executable, "-c", script]
    store: Any = {"metric": "loss:lower", "store": tmp_path / "runs.sqlite"}
    if what == "function":
        siffra.vary({"lr": [0.1, 0.3]}, train=train, seeds=2, **store)
    elif what == "command":
        siffra.vary({"lr": [0.1, 0.3]}, command=[*command, "{lr}"], seeds=2, **store)
    else:
        siffra.noise(command, seeds=2, **store)

    assert display.shown[-1] == ""
    assert any("seed 0: epoch 1, loss " in line for line in display.shown)
    assert not any("compiling" in line for line in display.shown)


def test_it_is_wanted_in_a_notebook_alone(display, monkeypatch):
    assert NotebookProgress.is_wanted()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not NotebookProgress.is_wanted()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not NotebookProgress.is_wanted()
