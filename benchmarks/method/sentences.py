"""How often an answer's sentences say that levels differ which are alike.

What an answer may say beyond the claims of its question is `siffra.report.text.findings`'; here it
is asked about made-up questions, whose levels are alike, or all but one, through all of
`siffra.lab`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.method.draws import DOWN, MARGIN, SPREAD, Rng, half_trained, normal
from benchmarks.method.errors import share
from benchmarks.method.twin import LOOKS
from siffra.lab.answers import QuestionAnswer, Records, answer
from siffra.lab.plan.plan import Plan
from siffra.report.text.findings import findings
from tests.made_runs import (
    IMAGES,
    SETS,
    make_claim,
    make_level,
    make_plan,
    make_question,
    make_record,
)

SEEDS = 5


def _collapsing(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.2, DOWN, normal(rng, shape))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question: its number of `levels`, and what their runs are drawn by.

    With `claims`, the first level is worse than all others by `worse` spreads, and so many of them
    are claimed to be better, at looks that end when each is shown. Else all levels are alike.
    """

    levels: int
    draw: Callable[..., np.ndarray] = normal
    claims: int = 0
    worse: float = 0.0


QUESTIONS: Mapping[str, Kind] = {
    "2 levels": Kind(2),
    "5 levels": Kind(5),
    "13 levels": Kind(13),
    "5 levels, 20 % of runs collapse": Kind(5, _collapsing),
    "5 levels, 50 % of runs stop at 45 %": Kind(5, half_trained(0.5)),
    "5 levels, one 3 spreads worse, 1 claim": Kind(5, claims=1, worse=3),
    "5 levels, one 3 spreads worse, 4 claims": Kind(5, claims=4, worse=3),
    "5 levels, one a spread worse, 4 claims": Kind(5, claims=4, worse=1),
}


@dataclass(frozen=True, slots=True)
class Sentences:
    """Of so many `questions`, the answers to `wrong` part levels that are alike."""

    what: str
    questions: int
    wrong: int

    def share(self) -> tuple[float, float, float]:
        """Of the questions, with its 95 % interval."""
        return share(self.wrong, self.questions)


def study_sentences(questions: int, say: Callable[[str], None]) -> list[Sentences]:
    """Questions about three sets of images, most of them without claims."""
    rows = []
    for what, kind in QUESTIONS.items():
        say(f"sentences: {what}")
        rng = np.random.default_rng(14)
        plan = made_plan(kind)
        wrong = sum(is_wrong(made_answer(rng, plan, kind), kind) for _ in range(questions))
        rows.append(Sentences(what, questions, wrong))
    return rows


def is_wrong(answer: QuestionAnswer, kind: Kind) -> bool:
    """Whether any sentence parts two levels that are alike; all but a worse first are."""
    said = findings(answer)
    if not kind.claims:
        return said.any
    others = answer.levels[1:]
    return any(
        level in others
        for standing in said.standings.values()
        for level in (standing.levels[i] for i in standing.ranking.below)
    )


def made_plan(kind: Kind) -> Plan:
    """A lab of one question."""
    rates = [{"learning_rate": 0.01 * (i + 1), "epochs": 1} for i in range(kind.levels)]
    claims = [
        make_claim(id=f"q{level}", level=(level,), against=(0,), margin=MARGIN)
        for level in range(1, kind.claims + 1)
    ]
    question = make_question([make_level(rate) for rate in rates], claims)
    question = replace(question, vary=("learning_rate",), figures=("confusion",))
    looks = LOOKS if kind.claims else ()
    seeds = range(looks[-1] if looks else SEEDS)
    return replace(make_plan(question, seeds=seeds), looks=looks, preset="full")


def made_answer(rng: Rng, plan: Plan, kind: Kind) -> QuestionAnswer:
    """The answer when the claims are shown, or have had all looks.

    As in a lab, the levels that no open claim compares get no further seeds.
    """
    records = made_records(rng, plan, kind)
    if not kind.claims:
        return answer(plan, records).questions[0]
    settings = [level.settings[0] for level in plan.questions[0].levels]
    seeds = dict.fromkeys(range(kind.levels), plan.looks[0])
    while True:
        made = {
            (settings[level], seed): records[settings[level], seed]
            for level, count in seeds.items()
            for seed in range(count)
        }
        answers = answer(plan, made)
        if not answers.open:
            return answers.questions[0]
        for claim in answers.open:
            seeds |= {level: max(claim.seeds, seeds[level]) for level in claim.levels}


def made_records(rng: Rng, plan: Plan, kind: Kind) -> Records:
    """A run for each level and seed, drawn alike but for a first level that is worse."""
    records = {}
    for number, each in enumerate(plan.questions[0].levels):
        (setting,) = each.settings
        drawn = kind.draw(rng, (len(plan.seeds), len(SETS))) - SPREAD * kind.worse * (number == 0)
        accuracy = np.clip(drawn, 0, 1)
        # All sets of a run collapse together.
        accuracy[accuracy[:, SETS.index("test")] == DOWN] = DOWN
        for seed in plan.seeds:
            by_set = dict(zip(SETS, accuracy[seed].tolist(), strict=True))
            record = make_record(setting, seed, accuracy=by_set)
            if by_set["test"] == DOWN:
                one_class = [[IMAGES // 2, 0], [IMAGES // 2, 0]]
                confusion = dict.fromkeys(SETS, one_class)
                record = record.model_copy(update={"confusion": confusion})
            records[setting, seed] = record
    return records
