"""A report: every number and every text that is shown of a lab.

`results.json` is its dump, and to read one back is to validate it. HTML, Markdown, terminal,
notebook, page and the comparison of two reports render it. Accuracies are fractions, times are in
seconds, and a number that is not finite is null. A name that ends in `_text` holds a sentence or a
phrase in the report's language.
"""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from siffra.config import metrics
from siffra.config.metrics import Better
from siffra.errors import SiffraError
from siffra.lab.answers import ClaimAnswer, Verdict
from siffra.lab.plan import plan
from siffra.lab.plan.plan import Direction
from siffra.lab.stats import estimates
from siffra.lab.stats.decisions import Basis, Grade
from siffra.lab.stats.estimates import Scale
from siffra.report.text.messages import capital

NAME = "results.json"
SCHEMA_VERSION = 3
"""Version 1 had the numbers, few of the texts, and no `schema_version`; 2 no grades."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DECIDED: tuple[Verdict, ...] = ("supported", "refuted", "no difference")


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[int | float | None, BeforeValidator(_finite)]
Interval = tuple[Number, Number]
Knobs = dict[str, Any]
"""Values by knob: numbers, texts, or lists of them."""


class _Part(BaseModel):
    # What a later siffra adds is no reason not to read its reports.
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class Summary(_Part):
    """A mean over seeds with its 95 % interval."""

    mean: Number
    """Of times it is the geometric mean."""
    interval: Interval
    """Its low and its high end; null for a single seed."""
    values: tuple[Number, ...]
    """One a seed."""
    text: str = ""
    """The mean with what its interval supports: in per cent, points or seconds."""

    def as_estimated(self) -> estimates.Summary:
        """The summary with NaN for what is null."""
        mean, low, high = (_or_nan(x) for x in (self.mean, *self.interval))
        return estimates.Summary(mean, low, high, tuple(_or_nan(x) for x in self.values))


class ShiftCurve(_Part):
    """Accuracy on test images that are moved or turned by more and more."""

    at: tuple[Number, ...]
    """Pixels or degrees."""
    mean: tuple[Number, ...]
    """Mean accuracy over seeds."""
    interval: tuple[Interval, ...]
    """Their 95 % intervals."""


class Times(_Part):
    """When runs reached a target."""

    median: Number
    """Null where half of the runs or more never reached it."""
    values: tuple[Number, ...]
    """One a run; null for a run that never reached it."""


class Target(_Part):
    """An accuracy that a claim names, and when the runs of a level first had it."""

    on: str
    """The set that it was reached on."""
    target: float
    """The accuracy."""
    epochs: Times
    """In epochs."""
    seconds: Times
    """In seconds of training."""
    never: int
    """How many runs did not reach it."""


class Metric(_Part):
    """What is measured of trainings that siffra does not do itself."""

    name: str
    """Its name: a table's column, or what a program calls it."""
    better: Better = "higher"
    """Whether `higher` or `lower` values are better."""
    margin: Number = None
    """The smallest difference that matters, of a ratio as a share; null if not known."""
    scale: Scale = "difference"
    """Whether two values are compared by their `difference` or their `ratio`."""
    unit: str = ""
    """Its unit; `fraction` for one that is shown in per cent."""
    step: float = 0.0
    """The coarseness with which it was measured."""


class Share(_Part):
    """Of so many runs so many, with the share of all such runs that this is compatible with."""

    k: int
    """So many."""
    n: int
    """Of so many runs."""
    low: float
    """The low end of the exact 95 % interval (Clopper and Pearson)."""
    high: float
    """Its high end."""


class Measured(_Part):
    """What was measured over seeds, of a level or of an experiment."""

    n: int
    """How many runs there are, one a seed."""
    seeds: tuple[int, ...] = ()
    """Their seeds."""
    keys: tuple[str, ...] = ()
    """Their keys, as in `runs.csv`."""
    accuracy: dict[str, Summary]
    """After the last epoch, by set, over the runs that did not diverge."""
    metrics: dict[str, Summary] = {}
    """The question's own metrics, by name, over the runs that have them."""
    seconds: Summary
    """Training time."""
    diverged: int = 0
    """How many runs diverged."""
    collapsed: int = 0
    """How many runs collapsed (their networks give every image the same class) or failed."""
    collapse: Share | None = None
    """The share of runs that collapse; null without runs."""
    busy: int = 0
    """How many runs were made on a busy machine, so that their times may be too long."""
    diverged_seeds: tuple[int, ...] = ()
    """The seeds of those that diverged."""
    shifts: dict[str, ShiftCurve] | None = None
    """Shift curves by direction (`x`, `y`, `any`, `turned`); null if networks were not examined."""
    reported: dict[str, float] = {}
    """What the lab's author reported: accuracy by set or values of metrics, and `seconds`."""
    failure_text: str = ""
    """How many runs failed, why, and the last line that one of them printed; empty if none did."""
    remarks: str = ""
    """What is unusual, or chosen, in a few words."""


class Level(Measured):
    """One combination of the varied knobs."""

    name: str = ""
    """What it is called in tables."""
    knobs: Knobs
    """The varied knobs."""
    fixed: Knobs = {}
    """The knobs that this level holds fixed, and not all levels."""
    settings: tuple[Knobs, ...] = ()
    """All knobs of each setting that it was trained with; several if knobs were retuned."""
    best: bool = False
    """Whether it is the best on validation."""
    targets: tuple[Target, ...] = ()
    """When its runs reached the targets that the question's claims name."""
    retuned: Knobs = {}
    """The values of the retuned knobs that were chosen, on the tuning seeds."""
    edge: tuple[str, ...] = ()
    """The retuned knobs of which the smallest or largest value tried was chosen."""


class Experiment(Measured):
    """A setting that the lab's author ran."""

    id: str
    """Its id in the lab file."""
    name: str
    """What the author calls it."""
    note: str = ""
    """What the author notes of it."""
    knobs: Knobs
    """All of its knobs."""
    knobs_text: str = ""
    """The knobs in words."""
    first_look: Number = None
    """The seconds that a first look at it would take; null if there was time for it."""
    named: tuple[Metric, ...] = ()
    """What is measured of it, the main one first, if siffra does not train it itself."""


class Claim(_Part):
    """A claim with its verdict and what that rests on."""

    id: str
    """Its id in the lab file."""
    say: str
    """The claim in the author's words."""
    verdict: Verdict
    """What the runs show; `inconclusive` is called open in texts."""
    grade: Grade | None = None
    """How sure the verdict is.

    In at most 5 % of labs is any `shown` verdict wrong; of all verdicts, `shown` and `likely`,
    at most 5 % are expected to be. Null where there is none, and in reports of schema 2 or 1.
    """
    basis: Basis = "difference"
    """What the verdict rests on.

    The `difference` between the runs that train, the share of runs that `collapse`, or the
    `median` run, where a level is compared with a number.
    """
    collapsed: tuple[tuple[int, int], ...] = ()
    """For either side, how many runs collapsed, of how many; empty where that was not judged."""
    by: str | None = None
    """Whose claim it is; null for the lab's author."""
    estimate: Number = None
    """Level minus against, or level over against: see `scale`."""
    interval: Interval | None = None
    """The estimate's interval at `confidence`; an end is null where it is open."""
    n: int = 0
    """How many seeds the estimate rests on."""
    fixed: Knobs = {}
    """The knobs that all levels of its question share."""
    confidence: float | None = None
    """The interval's level, above 0.95 where claims share the lab's 5 % error rate."""
    scale: Scale | None = None
    """Whether accuracies are subtracted or times divided."""
    shown_in: str | None = None
    """The unit of the texts: `points`, `percent`, `times`, `seconds`, `epochs`; else `plain`."""
    values: tuple[Number, ...] = ()
    """One a seed, on the same scale."""
    censored: int = 0
    """How many seeds did not reach the target on one side or both."""
    seeds_needed: int | None = None
    """About how many seeds would decide an inconclusive claim; null if not known."""
    reason: str = ""
    """A code for what is unusual; empty if nothing is.

    `too short`: it is about a longer training; `too few seeds`: fewer than five; `no variation`:
    its metric differs alike with every seed; `no margin`: none is known, so that nothing can be
    shown to make no difference; and others, each of which the `evidence` has in words.
    """
    diverged: int = 0
    """In how many seeds a run of one side diverged."""
    look: int | None = None
    """The number of seeds at which a lab with interim looks decided it."""
    first_look: Number = None
    """The seconds that its first look would take; null if there was time for it."""
    degrees_of_freedom: Number = None
    """Of the t distribution behind the interval."""
    reported: str = ""
    """The author's own figure, in words."""
    metric: str
    """What is compared: one of siffra's metrics, or of the question's own."""
    named: Metric | None = None
    """That metric, if it is the question's own."""
    on: str
    """The set on which it is measured."""
    target: float | None
    """The accuracy to be reached, of a claim about the time to reach it."""
    level: tuple[int, ...]
    """Indices of the question's levels that the claim is about."""
    against: tuple[int, ...] | float
    """Indices of the levels that they are compared with, or a number."""
    times: float = 1.0
    """What they are compared with is so many times what `against` has."""
    plus: float = 0.0
    """Or that much more than it has."""
    direction: Direction
    """What is claimed of the levels beside what they are compared with."""
    margin: float = Field(ge=0)
    """The smallest difference that matters: a fraction, or a share of a time."""
    epochs: int | float
    """The length of training that it is about; 1 for any."""
    verdict_text: str = ""
    """The verdict in words."""
    compared: str = ""
    """What is compared with what."""
    evidence: str = ""
    """Estimate, interval and number of seeds, and what is unusual."""
    margin_text: str = ""
    """The margin in words; empty if the claim was not tested."""

    @property
    def code(self) -> str:
        """The verdict with its grade as one word, for keys of the catalogue and for style."""
        return verdict_code(self.verdict, self.grade)

    @property
    def compared_first(self) -> str:
        """What is compared, where a sentence begins with it; a name stays as it is."""
        return self.compared if self.named else capital(self.compared)

    @property
    def sentence(self) -> str:
        """The verdict with what was compared and what it rests on."""
        parts = "; ".join(part for part in (self.compared, self.evidence) if part)
        return f"{capital(self.verdict_text)}: {parts}."

    def as_planned(self) -> plan.Claim:
        """The claim as a plan has it, in the one language in which it was written."""
        names = ("id", "metric", "on", "target", "level", "against", "times", "plus", "direction")
        fields = {name: getattr(self, name) for name in (*names, "margin", "epochs")}
        named = metrics.Metric(**self.named.model_dump()) if self.named else None
        return plan.Claim(**fields, named=named, say={"": self.say}, reported={})

    def as_estimated(self) -> estimates.Estimate | None:
        """The estimate; ends that are null lie at infinity, or are unknown (one seed)."""
        if self.interval is None or self.confidence is None or self.scale is None:
            return None
        value, low, high = (_or_nan(x) for x in (self.estimate, *self.interval))
        if self.n > 1:
            low = -math.inf if math.isnan(low) else low
            high = math.inf if math.isnan(high) else high
        values = tuple(_or_nan(x) for x in self.values)
        return estimates.Estimate(
            value, low, high, self.confidence, values, self.scale, self.censored
        )


class Added(_Part):
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


class Estimate(_Part):
    """A paired comparison with its interval."""

    value: Number
    """The estimate."""
    low: Number
    """The interval's low end."""
    high: Number
    """Its high end."""
    confidence: float
    """The interval's level."""
    values: tuple[Number, ...]
    """One a seed."""
    scale: Scale
    """Whether the two sides are subtracted or divided."""
    censored: int = 0
    """How many seeds did not reach the target on one side or both."""
    freedom: Number = None
    """Degrees of freedom."""


class Loss(_Part):
    """Where a value of a knob is worst off."""

    value: Any
    """The value."""
    at: Any
    """The other knob's value there."""
    to: Any
    """The value that it loses to."""
    estimate: Estimate
    """The difference in validation accuracy."""


class Interaction(_Part):
    """Whether the best value of one knob depends on another."""

    knob: str
    """The knob."""
    by: str
    """The other knob."""
    verdict: str
    """`depends`, `same` or `inconclusive`."""
    margin: float
    """The smallest difference in accuracy that matters."""
    best: tuple[tuple[Any, Any], ...]
    """For each value of the other knob, the value that is best there on validation."""
    common: Any = None
    """The value that is as good as any throughout, if there is one."""
    losses: tuple[Loss, ...]
    """Where each value loses most clearly."""
    verdict_text: str = ""
    """The verdict in words."""
    finding: str = ""
    """What was found."""
    evidence: str = ""
    """What that rests on."""

    @property
    def code(self) -> str:
        """The verdict on claims that looks alike."""
        return {"depends": "supported", "same": "no_difference"}.get(self.verdict, self.verdict)

    @property
    def sentence(self) -> str:
        """The verdict with what was found."""
        parts = (f"{capital(self.verdict_text)}:", self.finding, self.evidence)
        return " ".join(part for part in parts if part)


class Figure(_Part):
    """A figure of the report's folder."""

    name: str
    """Its file in `figures/`, without the ending (`.svg`, or `.png` for a large one)."""
    caption: str
    """What it shows."""


class Question(_Part):
    """A question with its answer."""

    id: str
    """Its id in the lab file."""
    ask: str
    """The question in the author's words."""
    lead: str = ""
    """The answer's first sentence."""
    answer: str
    """The whole answer."""
    note: str = ""
    """What was assumed, and why."""
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
    first_look: Number = None
    """The seconds that a first look at them would take; null if there was time for all."""
    added: tuple[Added, ...] | None = None
    """What each ingredient of a recipe adds; null for other questions."""
    added_text: str = ""
    """How to read that."""
    interactions: tuple[Interaction, ...] = ()
    """For two knobs in all combinations: whether the best of one depends on the other."""
    figures: tuple[Figure, ...] = ()
    """Its figures."""
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


class Surprise(_Part):
    """A refuted claim of the lab's author whose whole interval is far on the other side."""

    question: str
    """The question's id."""
    claim: str
    """The claim's id."""
    margins: Number
    """How many margins the interval's nearer end lies beyond zero."""
    far_text: str
    """The same in words."""


class VerdictsBy(_Part):
    """The verdicts on the claims of one author."""

    by: str | None
    """Whose; null for the lab's author."""
    verdicts: dict[Verdict, int]
    """How many claims have which verdict."""
    likely: dict[Verdict, int] = {}
    """How many of these are only likely."""

    @property
    def tally(self) -> dict[str, int]:
        """The same by the code of verdict and grade; those that there are none of are left out."""
        sure: dict[Verdict, int] = {v: n - self.likely.get(v, 0) for v, n in self.verdicts.items()}
        codes = {verdict_code(v): sure.get(v, 0) for v in DECIDED}
        codes |= {verdict_code(v, "likely"): n for v, n in self.likely.items()}
        codes |= {verdict_code(v): n for v, n in sure.items() if v not in DECIDED}
        return {code: n for code, n in codes.items() if n}


class Look(_Part):
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


class Undecided(_Part):
    """A claim that nothing is shown of yet, and that has a look left."""

    question: str
    """The question's id."""
    claim: str
    """The claim's id."""
    n: int
    """How many seeds it has."""
    seeds: int | None = None
    """With how many it would more likely than not be shown; null if with none that it may have."""
    seconds: Number = None
    """The training that they would take, if no other claim needs it."""
    is_first: bool = False
    """Whether these are the seeds of its first look, for which there was no time."""


class Shortened(_Part):
    """What was not run as the lab file says."""

    text: str
    """All of it, in words."""
    epochs_from: tuple[Number, ...] = ()
    """The lab file's numbers of epochs, of runs that were cut."""
    stand_ins: dict[str, str] = {}
    """The recipes that stood in for others, by those."""
    left_out: tuple[str, ...] = ()
    """The questions and experiments that were left out."""


class Machine(_Part):
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


class DataNote(_Part):
    """What is to be known of the data."""

    code: str
    """A code for it."""
    text: str
    """In words."""


class Method(_Part):
    """A part of the method."""

    title: str
    """Its heading."""
    paragraphs: tuple[str, ...]
    """Its text."""


class Report(_Part):
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
    preset: str
    """The preset's name."""
    preset_text: str = ""
    """The preset and the number of seeds, in words."""
    epochs: int | None
    """The most epochs that the preset allows; null if it cuts nothing."""
    shortened: Shortened | None = None
    """What was not run as the lab file says; null if everything was."""
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


def count_verdicts(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """How often each verdict was given; all of them are there."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def count_grades(claims: Iterable[Claim | ClaimAnswer]) -> dict[str, dict[Verdict, int]]:
    """How many `verdicts` there are of each kind, and how many of these are only `likely`."""
    claims = list(claims)
    return {
        "verdicts": count_verdicts(claim.verdict for claim in claims),
        "likely": count_verdicts(claim.verdict for claim in claims if claim.grade == "likely"),
    }


def verdict_code(verdict: Verdict, grade: Grade | None = None) -> str:
    """`no_difference`, `likely_no_difference`: a verdict as one word, for keys and for style."""
    return f"{'likely_' if grade == 'likely' else ''}{verdict.replace(' ', '_')}"


def _or_nan(value: int | float | None) -> float:
    return math.nan if value is None else value
