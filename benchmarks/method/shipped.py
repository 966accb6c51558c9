"""Made-up labs judged by siffra's own functions: `siffra.lab.stats`, from differences on."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from benchmarks.method.power import Judge
from benchmarks.method.twin import GREATER, LOOKS, OPEN, SAME, SMALLER, Judged, Labs
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.collapse import compare_failures
from siffra.lab.stats.comparison import Comparison, MedianComparison
from siffra.lab.stats.decisions import ClaimAnswer, ClaimTest
from siffra.lab.stats.families import Decision, decide
from siffra.lab.stats.interim import Schedule

BETTER = {"supported": GREATER, "refuted": SMALLER, "no difference": SAME, "inconclusive": OPEN}
"""What a verdict on "the level is better" says of a metric of which more is better."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A claim at a look: its p-values are asked for again at every look of the others."""

    test: ClaimTest
    p_inside: float
    p_outside: float


def judge(labs: Labs, looks: tuple[int, ...] = LOOKS) -> Judged:
    """All claims go on to the next look, in step, until they are decided."""
    schedule = Schedule(looks)
    shape = labs.differences.shape[:2]
    shown, likely, look = (np.zeros(shape, int) for _ in range(3))
    by_share = np.zeros(shape, bool)
    for lab in range(shape[0]):
        tests, decisions = _run(labs, lab, schedule)
        for i, decision in decisions.items():
            verdict, basis = _verdict(tests[i][decision.look].test, decision, schedule)
            shown[lab, i] = verdict if decision.grade == "shown" else OPEN
            likely[lab, i] = verdict
            by_share[lab, i] = basis == "collapse"
            look[lab, i] = looks[decision.look]
    return Judged(shown, likely, by_share, look)


def in_parallel(executor: Executor, parts: int) -> Judge:
    """The same, with the labs shared out to processes."""

    def judge_parts(labs: Labs, looks: tuple[int, ...] = LOOKS) -> Judged:
        bounds = np.linspace(0, len(labs.differences), parts + 1).astype(int)
        pieces = [_piece(labs, slice(a, b)) for a, b in pairwise(bounds.tolist()) if a < b]
        found = list(executor.map(judge, pieces, [looks] * len(pieces)))
        return Judged(
            shown=np.concatenate([one.shown for one in found]),
            likely=np.concatenate([one.likely for one in found]),
            by_share=np.concatenate([one.by_share for one in found]),
            look=np.concatenate([one.look for one in found]),
        )

    return judge_parts


def _piece(labs: Labs, of: slice) -> Labs:
    down, against = labs.down, labs.down_against
    return replace(
        labs,
        differences=labs.differences[of],
        down=None if down is None else down[of],
        down_against=None if against is None else against[of],
    )


def _run(
    labs: Labs, lab: int, schedule: Schedule
) -> tuple[dict[int, list[_Known]], dict[int, Decision]]:
    """One lab from its first look to its last."""
    claims = [_claim(labs, i) for i in range(labs.differences.shape[1])]
    tests: dict[int, list[_Known]] = {i: [] for i in range(len(claims))}
    schedules = dict.fromkeys(tests, schedule)
    decisions: dict[int, Decision] = {}
    for seeds in schedule.seeds:
        for i, made in tests.items():
            if i not in decisions or decisions[i].grade != "shown":
                test = _test(labs, lab, i, claims[i], seeds)
                made.append(_Known(test, test.p_inside, test.p_outside))
        decisions = decide(tests, schedules)
        if all(decision.grade == "shown" for decision in decisions.values()):
            break
    return tests, decisions


def _verdict(test: ClaimTest, decision: Decision, schedule: Schedule) -> tuple[int, str]:
    if decision.kind is None:
        return OPEN, "difference"
    # What is shown has no forecast of seeds, which would take most of the time.
    answer: ClaimAnswer = test.answer(replace(decision, grade="shown"), schedule)
    found = BETTER[answer.verdict]
    if test.claim.metric == "seconds" and found in (GREATER, SMALLER):
        found = GREATER + SMALLER - found  # more of it is worse
    return found, answer.basis


def _claim(labs: Labs, i: int) -> Claim:
    is_accuracy = bool(labs.accuracy[i])
    margin = float(labs.margin[i])
    metric = "accuracy" if is_accuracy else "seconds"
    return Claim(
        id=str(i),
        say={},
        metric="collapse" if labs.by_shares else metric,
        on="test",
        target=None,
        level=(1,),
        against=0.5 if labs.number[i] else (0,),
        direction="better",
        margin=margin if is_accuracy else float(np.expm1(margin)),
        epochs=1,
        reported={},
    )


def _test(labs: Labs, lab: int, i: int, claim: Claim, seeds: int) -> ClaimTest:
    """The claim by its first so many pairs."""
    d = labs.differences[lab, i, :seeds]
    if labs.number[i]:
        return ClaimTest(claim, MedianComparison(tuple(d.tolist()), "difference"))
    floor = float(labs.floor[i])
    if not labs.accuracy[i]:
        return ClaimTest(claim, Comparison(tuple(d.tolist()), "ratio", floor))
    down, against = _down(labs.down, lab, i, seeds), _down(labs.down_against, lab, i, seeds)
    if labs.by_shares:
        return ClaimTest(claim, compare_failures(down, against))
    kept = [value for value, a, b in zip(d.tolist(), down, against, strict=True) if not (a or b)]
    comparison = Comparison(tuple(kept), "difference", floor, failed=seeds - len(kept))
    return ClaimTest(claim, comparison, compare_failures(down, against))


def _down(down: np.ndarray | None, lab: int, i: int, seeds: int) -> Sequence[bool]:
    return [False] * seeds if down is None else down[lab, i, :seeds].tolist()
