"""A report: every number and every text that is shown of a lab.

`results.json` is its dump, and to read one back is to validate it. HTML, Markdown, terminal,
notebook, page and the comparison of two reports render it. Accuracies are fractions, times are in
seconds, and a number that is not finite is null. A name that ends in `_text` holds a sentence or a
phrase in the report's language.
"""

from pathlib import Path

from pydantic import ValidationError

from siffra.errors import SiffraError
from siffra.lab.answers import Verdict
from siffra.lab.plan.presets import PRESETS
from siffra.report.model.claims import (
    Claim,
    Interaction,
    Surprise,
    Undecided,
    VerdictsBy,
    count_grades,
)
from siffra.report.model.measured import (
    Experiment,
    Interval,
    Knobs,
    Level,
    Metric,
    Number,
    Part,
    Summary,
)
from siffra.report.text.messages import Words, capital, words_in

NAME = "results.json"
SCHEMA_VERSION = 3
"""Version 1 had the numbers, few of the texts, and no `schema_version`; 2 no grades."""


class Figure(Part):
    """A figure of the report's folder."""

    name: str
    """Its file in `figures/`, without the ending (`.svg`, or `.png` for a large one)."""
    caption: str
    """What it shows."""
    number: int = 0
    """Its number, as texts refer to it; 0 in reports of before figures had one."""

    @property
    def shows_results(self) -> bool:
        """Whether a question's figure shows its results, and not what its networks do."""
        return self.name.endswith(("-curves", "-levels", "-heatmap"))


class Added(Part):
    """What one ingredient of a recipe adds: the whole recipe minus the level without it."""

    without: int
    """The index of the level that lacks the ingredient."""
    name: str = ""
    """What the ingredient is called."""
    n: int = 0
    """How many seeds both have."""
    accuracy: dict[str, Summary | None]
    """By set; null without a common seed."""
    seconds: Summary | None
    """Of training."""


class Search(Part):
    """The search that chose a question's first level, and what it promised."""

    space: Knobs
    """What was searched of each knob: a range as it was typed, or a list of values."""
    runs: int
    """How many settings were tried, with one run each."""
    failed: int
    """How many of these runs have no value."""
    best: Number
    """The best value of the others: what the search promised."""
    fresh: Number
    """The mean of what it chose, on seeds that had no part in any choice."""
    luck: Number
    """How much better the promise was than that mean; below 0 if it was worse."""
    luck_interval: Interval
    """Its 95 % interval, by that of the mean."""


class Question(Part):
    """A question with its answer."""

    id: str
    """Its id in the lab file."""
    ask: str
    """The question in the author's words."""
    lead: str = ""
    """The answer's first sentence."""
    more: tuple[str, ...] = ()
    """Its other sentences."""
    answer: str
    """The whole answer."""
    note: str = ""
    """What was assumed, and why."""
    search: Search | None = None
    """The search that its levels come from; null if they were given."""
    by: str | None = None
    """Whose its claims are; null for the lab's author."""
    vary: tuple[str, ...] = ()
    """The varied knobs."""
    varied_text: str = ""
    """The varied knobs in words."""
    metrics: tuple[Metric, ...] = ()
    """Its own metrics, the main one first; none: accuracy by set, and time."""
    retune: tuple[str, ...] = ()
    """The knobs that each level chose anew, on validation."""
    fixed: Knobs = {}
    """The knobs that all levels share."""
    fixed_text: str = ""
    """All that was held fixed, in words."""
    claims: tuple[Claim, ...]
    """Its claims."""
    levels: tuple[Level, ...]
    """Its levels."""
    edge: tuple[str, ...] = ()
    """The varied knobs of which the best value is the smallest or largest tried."""
    untrained: tuple[int, ...] = ()
    """The indices of the levels for which there was no time for a first look."""
    untrained_text: str = ""
    """The same in words, and what a first look at them would take."""
    first_look: Number = None
    """The seconds that a first look at them would take; null if there was time for all."""
    added: tuple[Added, ...] | None = None
    """What each ingredient of a recipe adds; null for other questions."""
    added_text: str = ""
    """How to read that."""
    interactions: tuple[Interaction, ...] = ()
    """For two knobs in all combinations: whether the best of one depends on the other."""
    figures: tuple[Figure, ...] = ()
    """Its figures, those of its results first."""
    figures_text: str = ""
    """Which figures the answer is shown in."""
    unexamined_text: str = ""
    """How many networks are missing from the figures that rest on them, if any are."""

    @property
    def tally(self) -> dict[str, int]:
        """How many of its claims have which verdict and grade, by their code."""
        return VerdictsBy(by=self.by, **count_grades(self.claims)).tally

    @property
    def best(self) -> int | None:
        """The index of the level that is best on validation."""
        return next((i for i, level in enumerate(self.levels) if level.best), None)

    @property
    def heading(self) -> str:
        """The varied knobs as a heading; those that are none of siffra's stay as they are."""
        return self.varied_text if self.metrics else capital(self.varied_text)


class Look(Part):
    """An interim look of a lab's claims, each of which has it when its own runs are there."""

    seeds: int
    """The number of seeds."""
    spent: float
    """The share of labs that may have made an error by now."""
    decided: int
    """How many claims were shown at it."""
    open: int
    """How many had it and were left open."""
    waiting: int = 0
    """How many have not had it yet."""


class Shortened(Part):
    """What was not run as the lab file says."""

    text: str
    """All of it, in words."""
    epochs_from: tuple[Number, ...] = ()
    """The lab file's numbers of epochs, of runs that were cut."""
    stand_ins: dict[str, str] = {}
    """The recipes that stood in for others, by those."""
    left_out: tuple[str, ...] = ()
    """The questions and experiments that were left out."""


class Machine(Part):
    """A machine that made runs."""

    cpu: str
    """Its processor."""
    cores: int | None = None
    """How many cores a run may use."""
    threads: int
    """How many threads computed a run."""
    system: str = ""
    """Its operating system."""
    jobs: int = 1
    """How many runs shared it, at most."""
    versions: dict[str, str] = {}
    """The versions of Python, siffra and the libraries on it."""


class DataNote(Part):
    """What is to be known of the data."""

    code: str
    """A code for it."""
    text: str
    """In words."""


class Method(Part):
    """A part of the method."""

    title: str
    """Its heading."""
    paragraphs: tuple[str, ...]
    """Its text."""


class Report(Part):
    """A lab with its answers."""

    schema_version: int = 1
    """The version of this format: 3."""
    title: str
    """The lab's title."""
    author: str = ""
    """Who wrote the lab, if its file says so."""
    course: str = ""
    """For which course."""
    date: str = ""
    """When, in the author's words."""
    length_text: str = ""
    """The length of the runs, if a preset cut them."""
    source: str = ""
    """The lab file."""
    digest: str = ""
    """Its SHA-256."""
    command: str
    """The command that makes it again."""
    proviso: str | None = None
    """What the command needs besides."""
    language: str = "en"
    """The language of the texts: `en` or `sv`."""
    paired: bool = True
    """Whether runs of two levels with the same seed are compared in pairs; else as two groups."""
    preset: str
    """The preset's name."""
    preset_text: str = ""
    """The preset and the number of seeds, in words."""
    epochs: int | None
    """The most epochs that the preset allows; null if it cuts nothing."""
    shortened: Shortened | None = None
    """What was not run as the lab file says; null if everything was."""
    data_text: str = ""
    """How many images each set has, and how the shifted ones are shifted."""
    seeds: tuple[int, ...]
    """The seeds; of a lab with interim looks, those of the first look."""
    runs: int
    """How many runs it rests on."""
    runs_text: str = ""
    """The same in words."""
    machine: Machine | None
    """The machine that made most runs."""
    versions: dict[str, str]
    """The versions of Python, siffra and the libraries on that machine."""
    other_machines: tuple[Machine, ...] = ()
    """The others, those with most runs first."""
    data_notes: tuple[DataNote, ...] = ()
    """What is to be known of the data."""
    missing: int = 0
    """How many runs are missing; the answers are provisional until they are made."""
    first_look: Number = None
    """The seconds that a first look at everything would take; null if there was time for it."""
    busy: int = 0
    """How many runs were made on a busy machine."""
    busy_text: str = ""
    """The same in words, and how to make them again."""
    looks: tuple[Look, ...] = ()
    """The interim looks."""
    undecided: tuple[Undecided, ...] = ()
    """The claims that have a look left, those that take least training first."""
    course_text: str = ""
    """Why a lab with looks stopped, and what it would take to decide the rest."""
    limits: tuple[str, ...] = ()
    """What given results cannot show: a sentence each."""
    summary: str = ""
    """How many claims have which verdict, in words."""
    surprises: tuple[Surprise, ...] = ()
    """The refuted claims that are farthest from what was claimed."""
    most_wrong_text: str = ""
    """The first two of them, each with what was seen; empty if there are none."""
    verdicts: dict[Verdict, int] = {}
    """How many claims have which verdict."""
    likely: dict[Verdict, int] = {}
    """How many of these are only likely."""
    claims_by: tuple[VerdictsBy, ...] = ()
    """The same by author."""
    questions: tuple[Question, ...]
    """The questions."""
    experiments: tuple[Experiment, ...] = ()
    """The experiments."""
    experiments_figures: tuple[Figure, ...] = ()
    """The figures of all experiments."""
    methods: tuple[Method, ...] = ()
    """How the answers were found."""
    facts: tuple[tuple[str, str], ...] = ()
    """What it takes to repeat the lab: names and values."""

    @property
    def words(self) -> Words:
        """What its renderers say themselves."""
        return words_in(self.language).about(pairs=self.paired, is_claimed=self.is_claimed)

    def title_of(self, claim: Claim) -> str:
        """What a claim says; where nobody made it, what it compares."""
        return claim.say if self.is_claimed else claim.compared_first

    @property
    def is_claimed(self) -> bool:
        """Whether somebody made its claims; a question alone has one for each comparison."""
        return self.preset in PRESETS  # that of a question is its name, `vary` or `judge`

    @property
    def byline(self) -> str:
        """Author, course and date, as far as they are known."""
        return ", ".join(filter(None, (self.author, self.course, self.date)))

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Those of all questions."""
        return tuple(claim for question in self.questions for claim in question.claims)

    def claim_of(self, part: Surprise | Undecided) -> Claim:
        """The claim that it is about."""
        (question,) = (q for q in self.questions if q.id == part.question)
        return next(claim for claim in question.claims if claim.id == part.claim)

    def dump(self) -> str:
        """The content of `results.json`."""
        return self.model_dump_json(indent=2) + "\n"


def read_report(path: Path) -> Report:
    """Read the report in the folder `path`, or its `results.json`.

    Raises:
        SiffraError: There is no report, or not one that this siffra can read.
    """
    file = path / NAME if path.is_dir() else path
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise SiffraError(
            f"{file}: no such file; name the folder of a report, as `siffra lab --out` wrote it."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SiffraError(f"{file}: cannot be read: {reason}.") from error
    try:
        report = Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = " ".join(f"{where} {first['msg']}".split())
        raise SiffraError(f"{file}: not the results of a siffra report ({reason}).") from error
    if report.schema_version > SCHEMA_VERSION:
        raise SiffraError(
            f"{file}: schema_version is {report.schema_version}, and this siffra reads "
            f"{SCHEMA_VERSION} at most; update siffra."
        )
    return report
