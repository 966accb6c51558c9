"""How far a lab with looks came: why it stopped, and what it would take to decide the rest."""

import math
from collections.abc import Iterable, Mapping

from siffra.config import Setting
from siffra.lab.answers import Answers, LevelAnswer, OpenClaim
from siffra.report.model.claims import Undecided
from siffra.report.text import numbers
from siffra.report.text.messages import Words

_Cost = Mapping[Setting, tuple[int, float]]
"""Of settings, how many more runs, and the seconds of each."""


def undecided(answers: Answers) -> tuple[Undecided, ...]:
    """The claims that have a look left: those first that take least training to decide."""
    first_looks = dict(answers.shortfall.claims) if answers.shortfall else {}
    claims = [_undecided(answers, claim, first_looks.get(claim.number)) for claim in answers.open]
    return tuple(sorted(claims, key=lambda each: each.seconds or math.inf))


def course_text(words: Words, answers: Answers) -> str:
    """Why a lab with looks stopped, and what is likely to decide the rest; "" for another lab."""
    if answers.missing or not (answers.looks or answers.shortfall):
        return ""
    parts = [*_open(words, answers), _short(words, answers)]
    return " ".join(part for part in parts if part)


def _open(words: Words, answers: Answers) -> list[str]:
    """What became of the claims, and of those that have looks left."""
    left = answers.open
    if not left:
        tested = [c for q in answers.questions for c in q.claims if c.verdict != "not tested"]
        all_shown = all(claim.grade == "shown" for claim in tested)
        return [words("course.all" if all_shown else "course.done", most=answers.plan.looks[-1])]
    time = answers.plan.time
    spent = "" if time is None else numbers.span(words, time)
    why = "left" if time is None else "full" if answers.shortfall else "stopped"
    sentences = [words.count(f"course.{why}", len(left), time=spent)]
    seen = [claim for claim in left if not claim.is_unseen]
    if likely := [claim for claim in seen if claim.forecast]:
        seeds = max(claim.forecast or 0 for claim in likely)
        more = numbers.span(words, _seconds(_cost(answers, likely)))
        sentences.append(words.count("course.more", len(likely), seeds=seeds, time=more))
    if rest := len(seen) - len(likely):
        sentences.append(words.count("course.rest", rest, most=answers.plan.looks[-1]))
    return sentences


def _short(words: Words, answers: Answers) -> str:
    """What there was no time for, and what it would take; "" if there was for everything."""
    if answers.shortfall is None:
        return ""
    unseen = sum(claim.is_unseen for claim in answers.open)
    time = numbers.span(words, answers.shortfall.seconds)
    if not unseen:
        return words("course.short.none", time=time)
    return words.count("course.short", unseen, time=time)


def _undecided(answers: Answers, claim: OpenClaim, first_look: float | None) -> Undecided:
    of, number = claim.number
    answered = answers.questions[of]
    have = min((len(answered.levels[i].records) for i in claim.levels), default=0)
    is_first = first_look is not None and claim.is_unseen
    seconds = _seconds(_cost(answers, [claim])) if claim.forecast else None
    return Undecided(
        question=answered.question.id,
        claim=answered.question.claims[number].id,
        n=have,
        seeds=claim.seeds if is_first else claim.forecast,
        seconds=first_look if is_first else seconds,
        is_first=is_first,
    )


def _cost(answers: Answers, claims: Iterable[OpenClaim]) -> _Cost:
    """The runs that would take these claims to the looks at which they are likely to be shown."""
    wanted: dict[Setting, tuple[int, float]] = {}
    for claim in claims:
        levels = [answers.questions[claim.number[0]].levels[i] for i in claim.levels]
        for level in levels:
            if level.setting and level.records:
                more = max(0, (claim.forecast or 0) - len(level.records))
                before, _ = wanted.get(level.setting, (0, 0.0))
                wanted[level.setting] = max(before, more), _seconds_each(level)
    return wanted


def _seconds_each(level: LevelAnswer) -> float:
    """Wall seconds: of runs that were made side by side, each one's share."""
    return sum(r.seconds / r.machine.jobs for r in level.records) / len(level.records)


def _seconds(cost: _Cost) -> float:
    return sum(runs * seconds for runs, seconds in cost.values())
