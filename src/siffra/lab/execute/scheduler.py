"""What a lab does next: first what it needs at all, then what decides most for its time.

All settings are trained with the seeds of the first look. Then the open claim that is expected to
be shown in the fewest seconds goes on to its next look, again and again, as long as there is time:
the claims of the lab's author before those that others add, and last all that no look of theirs is
expected to decide. Giving up on those is not binding,
and costs no error (C. Jennison and B. W. Turnbull, Group Sequential Methods, 2000, section 2.6.2).
A run serves all claims that it belongs to.

If a first look at everything is predicted to take longer than the lab's budget lasts, claims go
first from the start, each on its own, and one without a first look is open like the others. What
has no claims then comes last. Nothing is begun that does not fit into what is left: a claim whose
next look does not is passed over.

What comes next depends on what is there and on what it costs alone, so that a lab which was killed
goes on as it would have. Predictions become better with every run, and what was chosen by a bad one
is chosen anew.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set

from siffra.lab.execute.cost import Costs
from siffra.lab.execute.events import Job
from siffra.lab.execute.needs import Need, Needs
from siffra.lab.execute.results import Shortfall, StoredRecords
from siffra.lab.plan.plan import Plan, PlannedRun, PlannedTiming
from siffra.lab.stats.levels import Memo, Records
from siffra.lab.stats.rounds import OpenClaim, Rounds, Timings, judge_rounds, why_not_tested

EXPECTED_LOOK = 2
"""At which of its looks, from 0, a claim is expected to be shown of which nothing is seen yet.

By ten seeds more than half of a student's claims are (docs/method.md, "Power").
"""


class Pending:
    """Jobs that are not over, and how many there are of each setting: these take equally long."""

    def __init__(self) -> None:
        self.jobs: set[Job] = set()
        self._alike: Counter[Job] = Counter()

    def add(self, jobs: Iterable[Job]) -> None:
        """Add those that are not among them."""
        new = [job for job in jobs if job not in self.jobs]
        self.jobs.update(new)
        self._alike.update(map(_like, new))

    def remove(self, jobs: Iterable[Job]) -> None:
        """Remove those that are among them."""
        gone = [job for job in jobs if job in self.jobs]
        self.jobs.difference_update(gone)
        self._alike.subtract(map(_like, gone))

    def seconds(self, cost: Callable[[Job], float]) -> float:
        """What they take one after the other."""
        return sum(count * cost(job) for job, count in self._alike.items() if count)


class Scheduler:
    """Chooses the jobs of `plan`, as many as can be made `at_once`, by what they cost."""

    def __init__(self, plan: Plan, costs: Costs, at_once: int) -> None:
        self._plan, self._costs, self._at_once = plan, costs, at_once
        self._runs = plan.runs
        self._memo = Memo()
        self._judged: tuple[tuple[int, int], Rounds] | None = None
        self._is_bounded = _is_bounded(plan)

    @property
    def is_settled(self) -> bool:
        """Whether all jobs are known from the start, whatever the runs show."""
        levels = [level for question in self._plan.questions for level in question.levels]
        return not self._plan.looks and all(len(level.settings) == 1 for level in levels)

    @property
    def latest(self) -> Rounds | None:
        """How the lab stood when it was last judged; None if it never was."""
        return self._judged and self._judged[1]

    def judge(self, records: Records, timings: Timings) -> Rounds:
        """How the lab stands; anew only where there are new results."""
        seen = len(records), len(timings)
        if self._judged is None or self._judged[0] != seen:
            rounds = judge_rounds(self._plan, records, timings, self._memo)
            self._judged = seen, rounds
        return self._judged[1]

    def first_look(self, records: Records, timings: Timings) -> Need:
        """What a first look at everything lacks."""
        return self._needs(records, timings).first_look(self._runs)

    def next(self, records: Records, timings: Timings, pending: Set[Job]) -> list[Job]:
        """The next jobs, besides those that are `pending`; none if there is nothing left to do."""
        needs = self._needs(records, timings)
        first = needs.first_look(self._runs)
        ahead = [job for job in first.jobs if job not in pending]
        left = self.seconds_left(records, timings, pending)
        is_enough = not self._is_bounded or self.seconds([*ahead, *first.later]) <= left
        if (ahead and is_enough) or not self._plan.looks:
            return ahead
        for need in self._in_order(needs, self.judge(records, timings), ahead, pending):
            jobs = [job for job in need.jobs if job not in pending]
            if jobs and self.seconds([*jobs, *need.later]) <= left:
                return jobs
        return []

    def shortfall(self, records: Records, timings: Timings) -> Shortfall | None:
        """What is missing of a first look, where nothing comes next; None if nothing is."""
        needs = self._needs(records, timings)
        first = needs.first_look(self._runs)
        if not first.all:
            return None
        plan = self._plan
        return Shortfall(
            seconds=self.seconds(first.all),
            questions=tuple(self.seconds(needs.of_question(q).all) for q in plan.questions),
            experiments=tuple(self.seconds(needs.of_experiment(e).all) for e in plan.experiments),
            claims=tuple(
                (claim.number, self.seconds(needs.of_claim(claim, claim.seeds).all))
                for claim in self.judge(records, timings).open
                if claim.is_unseen
            ),
        )

    def fits(self, records: Records, timings: Timings, pending: Set[Job]) -> bool:
        """Whether what is `pending` fits into what is left, by what is known now."""
        return not self._is_bounded or self.seconds_left(records, timings, pending) >= 0

    def seconds_left(
        self, records: Records, timings: Timings, pending: Set[Job] = frozenset()
    ) -> float:
        """What is left of the plan's budget, in wall seconds; infinity if there is no budget.

        All runs count by what they took, also those that were stored before: asked again, a lab
        comes to the same end.
        """
        if self._plan.time is None:
            return math.inf
        if isinstance(records, StoredRecords):
            took = records.took
        else:
            took = sum(record.took for record in records.values())
        took += sum(self._costs.of_timing(planned) for planned in timings)
        return self._plan.time - took / self._at_once - self.seconds(pending)

    def seconds(self, jobs: Collection[Job]) -> float:
        """Wall seconds of jobs that are made at once."""
        return sum(map(self.cost, jobs)) / self._at_once

    def cost(self, job: Job) -> float:
        """The seconds that a job takes."""
        if isinstance(job, PlannedTiming):
            return self._costs.of_timing(job)
        return self._costs.seconds(job.setting)

    def _needs(self, records: Records, timings: Timings) -> Needs:
        self._costs.learn_times(timings.values())
        return Needs(self._plan, self._costs, records, timings)

    def _in_order(
        self, needs: Needs, rounds: Rounds, ahead: Collection[Job], pending: Set[Job]
    ) -> Iterator[Need]:
        """What may come next, the best first; of the first look those jobs are still `ahead`."""
        claims = (needs.of_claim(claim, claim.seeds) for claim in self._by_seconds(rounds, needs))
        if not ahead:
            yield from claims
            return
        begun = {job.setting for job in pending if isinstance(job, PlannedRun)}
        runs = sorted((job for job in ahead if isinstance(job, PlannedRun)), key=self.cost)
        # A guess may be wrong by so much that what it is of would never be begun, so it is tried.
        known = {setting.model.kind for setting in begun}
        for run in runs:
            kind = run.setting.model.kind
            if kind not in known and not self._costs.knows_kind(kind):
                known.add(kind)
                yield Need((run,))
        yield from claims
        yield from self._unclaimed(needs, rounds.open)
        # Nothing fits that can be finished: what time there is may show that something would.
        for run in runs:
            if run.setting not in begun and not self._costs.knows(run.setting):
                yield Need((run,))

    def _by_seconds(self, rounds: Rounds, needs: Needs) -> list[OpenClaim]:
        """The open claims, the author's first, of each those that are expected to be shown soonest.

        Where all runs of both sides fail, as of a program that does not start, there are no more.
        """
        looks = self._plan.looks
        unseen = looks[min(EXPECTED_LOOK, len(looks) - 1)]

        def order(claim: OpenClaim) -> tuple[bool, bool, float]:
            shown_by = unseen if claim.is_unseen else claim.forecast
            need = needs.of_claim(claim, shown_by or claim.seeds)
            question = self._plan.questions[claim.number[0]]
            is_anothers = bool(question.author_of(question.claims[claim.number[1]]))
            return shown_by is None, is_anothers, self.seconds(need.all)

        hopeful = (claim for claim in rounds.open if not needs.has_only_failures(claim))
        return sorted(hopeful, key=order)

    def _unclaimed(self, needs: Needs, claims: Sequence[OpenClaim]) -> list[Need]:
        """What of a first look belongs to no open claim, level by level, the cheapest first."""
        claimed = {(claim.number[0], level) for claim in claims for level in claim.levels}
        parts = [
            needs.of_level(question, level)
            for of, question in enumerate(self._plan.questions)
            for i, level in enumerate(question.levels)
            if (of, i) not in claimed
        ]
        parts += map(needs.of_experiment, self._plan.experiments)
        return sorted(parts, key=lambda need: self.seconds(need.all))


def _like(job: Job) -> Job:
    """One for all that take as long."""
    return PlannedRun(job.setting, 0) if isinstance(job, PlannedRun) else job


def _is_bounded(plan: Plan) -> bool:
    """Whether the budget holds from the first run on, as it does for a lab with claims to decide.

    What has none is asked for what its levels are like, and gets the seeds of the first look.
    """
    if plan.time is None or not plan.looks or plan.ad_hoc:
        return False
    return any(not why_not_tested(claim, q, plan) for q in plan.questions for claim in q.claims)
