"""Labs as the page shows them: their reports on the runs so far, and the curves of those runs."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from siffra.data.load import DataSource
from siffra.lab.answers import Answers, Shortfall, answer
from siffra.lab.history import SavedLab
from siffra.lab.plan.plan import Plan, PlannedRun, PlannedTiming
from siffra.lab.plan.written import lab_file
from siffra.lab.stats.levels import Memo
from siffra.report.build import build
from siffra.report.class_view.labs import ClassLab, class_lab, told_apart
from siffra.report.class_view.table import ClassView, class_view
from siffra.report.model import Report
from siffra.report.model.claims import Claim
from siffra.report.text.labels import compared_name
from siffra.report.text.messages import Words
from siffra.store.store import Store
from siffra.training.run import Record
from siffra.training.timing import Timing
from siffra.web.curves import curves_of
from siffra.web.paths import Paths
from siffra.web.questions import Ask, ask_of

T = TypeVar("T")
_Basis = tuple[frozenset[str], Shortfall | None]
"""What a lab's summary rests on: its stored runs, and what it came to its end without."""
_HELD = 20
"""Labs whose answers are held."""


class LabPage(Report):
    """A lab as the page shows it: its report on the runs so far, and how far it has come."""

    id: str
    """The lab's id."""
    asked: str
    """When it was last asked for, in ISO 8601."""
    runs: int
    """How many runs it needs, as far as is known."""
    ad_hoc: bool
    """Whether it is one question, asked outside of a lab file."""
    have: int
    """How many of them there are."""
    provisional: bool
    """Whether runs are still to come."""
    tally: dict[str, int]
    """How many claims have each verdict, by its code."""
    toml: str | None
    """The lab file that asks the question again; null for a lab that has one."""
    ask: Ask | None
    """What the form asked; null for a lab that it cannot ask for."""


@dataclass(slots=True)
class _Held:
    """A lab's records by key, when each was finished, and the answers that rest on them."""

    finished: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    timings: dict[PlannedTiming, Timing] = field(default_factory=dict)
    shortfall: Shortfall | None = None
    answers: Answers | None = None
    memo: Memo = field(default_factory=Memo)


class Desk:
    """Answers labs from the runs that are stored so far.

    Of a lab that has got runs, only those are read, and only what rests on them is computed anew:
    a page that is open asks after every run.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._made: dict[tuple[str, str, Any], tuple[_Basis, Any]] = {}
        self._turn = threading.Lock()

    def answers(self, lab: SavedLab, store: Store) -> Answers:
        """The answers, provisional while runs are missing."""
        with self._turn:
            held = self._held.get(lab.id) or _Held()
            stored, finished = store.stored(lab.keys), store.finished(lab.keys)
            known = {key: finished[key] for key in stored if key in finished}
            timings = lab.timings(store)
            is_new = known != held.finished or timings != held.timings
            if held.answers is None or is_new or lab.shortfall != held.shortfall:
                new = [key for key, when in known.items() if held.finished.get(key) != when]
                kept = {key: record for key, record in held.records.items() if key in known}
                held.records, held.finished = kept | store.get_all(new), known
                held.timings = timings
                records = lab.by_setting(held.records)
                held.shortfall = lab.shortfall
                held.answers = answer(lab.plan, records, timings, held.memo, lab.shortfall)
            self._held[lab.id] = held
            while len(self._held) > _HELD:
                self._held.pop(next(iter(self._held)))
            return held.answers

    def summary(self, lab: SavedLab, store: Store, words: Words) -> dict[str, Any]:
        """Of the answers, what the list of labs shows."""
        return self.made(summed_up, lab, store, words)

    def made(
        self, make: Callable[[Answers, Words], T], lab: SavedLab, store: Store, words: Words
    ) -> T:
        """What `make` makes of the answers; held for every lab."""
        basis = frozenset(store.stored(lab.keys)), lab.shortfall
        place = lab.id, words.language, make
        held = self._made.get(place)
        if not held or held[0] != basis:
            held = basis, make(self.answers(lab, store), words)
            self._made[place] = held
        return held[1]


def listed(lab: SavedLab, store: Store, desk: Desk, words: Words) -> dict[str, Any]:
    """A line of the list of labs."""
    have, runs = progress(lab, store)
    return {
        "id": lab.id,
        "title": title(lab.plan, words),
        "author": words.say(lab.plan.author),
        "source": lab.plan.source,
        "ad_hoc": lab.plan.ad_hoc,
        "preset": lab.plan.preset,
        "asked": lab.asked.isoformat(),
        "seeds": len(lab.plan.seeds),
        "runs": runs,
        "have": have,
        **desk.summary(lab, store, words),
    }


def progress(lab: SavedLab, store: Store) -> tuple[int, int]:
    """How many of a lab's runs are there, and how many it needs: those of its first look.

    How many more claims get depends on what is found, and on the lab's budget; one that came to its
    end without time for all of these needs no more.
    """
    stored, first = store.stored(lab.keys), set(lab.plan.runs)
    if lab.shortfall:
        return len(stored), len(stored)
    needed = {key for run, key in zip(lab.runs, lab.keys, strict=True) if run in first}
    return len(stored), len(stored | needed)


def class_of(labs: Iterable[SavedLab], store: Store, desk: Desk, words: Words) -> ClassView:
    """The labs that lab files asked for, side by side; those without an author by their titles."""
    notes: list[str] = []
    columns = [
        replace(desk.made(_class_lab, lab, store, words), place=lab.id[:6], link=f"#/labs/{lab.id}")
        for lab in labs
        if not lab.plan.ad_hoc
    ]
    return class_view(told_apart(columns, words, notes), words, notes)


def _class_lab(answers: Answers, words: Words) -> ClassLab:
    report = build(answers, words)
    return class_lab(report, report.title)


def summed_up(answers: Answers, words: Words) -> dict[str, Any]:
    """Of the answers, what the list of labs shows."""
    report = build(answers, words)
    alone = len(report.questions) == 1 and not report.experiments
    return {"tally": tally(report), "answer": report.questions[0].answer if alone else None}


def title(plan: Plan, words: Words) -> str:
    """A lab's own title; that of an ad-hoc question says what it compares."""
    if not plan.ad_hoc:
        return words.say(plan.title)
    (question,) = plan.questions
    return compared_name(words, question)


def tally(report: Report) -> dict[str, int]:
    """How many claims have each verdict, by its code, of those that can have one yet."""
    claims = (claim for question in report.questions for claim in question.claims)
    return dict(Counter(claim.code for claim in claims if not _is_early(claim, report)))


def _is_early(claim: Claim, report: Report) -> bool:
    """Whether runs are still to come, and there are too few for any verdict."""
    return report.missing > 0 and claim.reason == "too few seeds"


def shown(lab: SavedLab, store: Store, desk: Desk, words: Words, paths: Paths) -> LabPage:
    """Everything about a lab, but for its curves."""
    # First how many runs there are: the report may rest on more, if some are stored meanwhile.
    line = listed(lab, store, desk, words)
    ask = ask_of(lab.plan, data_id(lab.data, paths))
    return page_of(desk.answers(lab, store), line, ask, words)


def page_of(answers: Answers, line: Mapping[str, Any], ask: Ask | None, words: Words) -> LabPage:
    """The answers as a page, with the `line` of the lab's own in the list of labs."""
    report = build(answers, words)
    return LabPage.model_validate(
        {
            **dict(report),
            **line,
            "seeds": report.seeds,
            "provisional": line["have"] < line["runs"],
            "toml": lab_file(answers.plan),
            "ask": ask,
        }
    )


def curves(lab: SavedLab, store: Store, desk: Desk, question: str, words: Words) -> Any:
    """The curves of one question's levels; None if the lab has no such question."""
    for answered in desk.answers(lab, store).questions:
        if answered.question.id == question:
            return curves_of(answered, words)
    return None


def place_of(lab: SavedLab, planned: PlannedRun) -> tuple[str | None, int | None]:
    """The first question that a run belongs to, and its level there."""
    for question in lab.plan.questions:
        for number, level in enumerate(question.levels):
            if planned.setting in level.settings:
                return question.id, number
    return None, None


def data_id(source: DataSource, paths: Paths) -> str:
    """The id of a data set that the page knows; "" if it does not."""
    if source == DataSource():
        return "mnist"
    if source.path and source == DataSource(path=source.path):
        name = source.path.stem
        return name if source.path == paths.data(name).absolute() else ""
    return ""
