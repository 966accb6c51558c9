"""Claims with their verdicts, and what else is decided of a question's levels."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import Field

from siffra.config import metrics
from siffra.lab.answers import ClaimAnswer, Verdict
from siffra.lab.plan import plan
from siffra.lab.plan.plan import Direction
from siffra.lab.stats import comparison
from siffra.lab.stats.comparison import Scale
from siffra.lab.stats.decisions import Basis, Grade
from siffra.report.model.measured import Interval, Knobs, Metric, Number, Part, or_nan
from siffra.report.text.messages import GAP, capital

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DECIDED: tuple[Verdict, ...] = ("supported", "refuted", "no difference")


class Claim(Part):
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
    by_text: str = ""
    """The same as a report says it; empty for the lab's author."""
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
    """What they are compared with is this many times what `against` has."""
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
    missed_text: str = ""
    """What was claimed and what was measured, of a refuted claim about a difference."""
    estimate_text: str = ""
    """The estimate alone, in words; empty where there is none."""
    interval_text: str = ""
    """The ends of its interval, in words; empty where none is known."""
    confidence_text: str = ""
    """The interval's level in per cent, as texts have it: `98`, `> 99.9`."""
    unbounded_text: str = ""
    """What an interval that spans all that is possible lacks; empty of another."""
    evidence: str = ""
    """Estimate, interval and number of seeds, and what is unusual."""
    margin_text: str = ""
    """The margin in words; empty if the claim was not tested."""

    def __repr__(self) -> str:
        """In a prompt: the claim, its verdict and its estimate, in one line."""
        outcome = ", ".join(filter(None, (self.verdict_text or self.code, self.estimate_in_short)))
        return f"Claim({self.id!r}, {self.say!r}: {outcome}, n={self.n})".replace(GAP, " ")

    @property
    def code(self) -> str:
        """The verdict with its grade as one word, for keys of the catalogue and for style."""
        return verdict_code(self.verdict, self.grade)

    @property
    def whose(self) -> str:
        """Whose claim it is, as a report says it; "" for the lab's author."""
        return self.by_text or self.by or ""

    @property
    def compared_first(self) -> str:
        """What is compared, where a sentence begins with it; a name stays as it is."""
        return self.compared if self.named else capital(self.compared)

    @property
    def estimate_in_short(self) -> str:
        """`+3.2 percentage points (+2.8 to +3.6)`; empty without an estimate."""
        told = self.interval_text or self.unbounded_text
        return f"{self.estimate_text} ({told})" if told else self.estimate_text

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

    def as_estimated(self) -> comparison.Estimate | None:
        """The estimate; ends that are null lie at infinity, or are unknown (one seed)."""
        if self.interval is None or self.confidence is None or self.scale is None:
            return None
        value, low, high = (or_nan(x) for x in (self.estimate, *self.interval))
        if self.n > 1:
            low = -math.inf if math.isnan(low) else low
            high = math.inf if math.isnan(high) else high
        values = tuple(or_nan(x) for x in self.values)
        return comparison.Estimate(
            value, low, high, self.confidence, values, self.scale, self.censored
        )


class Estimate(Part):
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


class Loss(Part):
    """Where a value of a knob is worst off."""

    value: Any
    """The value."""
    at: Any
    """The other knob's value there."""
    to: Any
    """The value that it loses to."""
    estimate: Estimate
    """The difference in validation accuracy."""


class Interaction(Part):
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


class VerdictsBy(Part):
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


class Undecided(Part):
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


class Surprise(Part):
    """A refuted claim of the lab's author that is far from what was measured."""

    question: str
    """The question's id."""
    claim: str
    """The claim's id."""
    margins: Number
    """How many margins the interval's nearer end lies beyond what was claimed."""
    far_text: str
    """What was claimed, and what was measured."""


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
