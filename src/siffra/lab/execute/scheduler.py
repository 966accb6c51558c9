"""What a lab does next: first what it needs at all, then what decides most for its time.

All settings are trained with the seeds of the first look. Then the open claim that is expected to
be shown in the fewest seconds goes on to its next look, again and again, as long as there is time:
claims that no look of theirs is expected to decide come last. Giving up on those is not binding,
and costs no error (C. Jennison and B. W. Turnbull, Group Sequential Methods, 2000, section 2.6.2).
A run serves all claims that it belongs to.
"""

import math
from collections.abc import Iterator, Mapping, Set

from siffra.config import Setting
from siffra.lab.execute.cost import Costs
from siffra.lab.plan.plan import Claim, Plan, PlannedRun, PlannedTiming
from siffra.lab.stats.levels import Memo, Records, chosen_setting
from siffra.lab.stats.rounds import (
    OpenClaim,
    Rounds,
    Timings,
    judge_rounds,
    timed_settings,
)

Job = PlannedRun | PlannedTiming


class Scheduler:
    """Chooses the jobs of `plan`, as many as can be made `at_once`, by what they cost."""

    def __init__(self, plan: Plan, costs: Costs, at_once: int) -> None:
        self._plan, self._costs, self._at_once = plan, costs, at_once
        self._runs = plan.runs
        self._memo = Memo()
        self._judged: tuple[tuple[int, int], Rounds] | None = None

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

    def first(self, records: Records, timings: Timings) -> Iterator[Job]:
        """What is needed whatever is seen, as far as it is known by now, and not there."""
        plan = self._plan
        wanted: list[Job] = list(self._runs)
        for question in plan.questions:
            for level in question.levels:
                chosen = chosen_setting(plan, level, records)
                if chosen and len(level.settings) > 1:
                    wanted += plan.runs_of([chosen], plan.seeds)
            if settings := timed_settings(plan, question, records):
                wanted += [PlannedTiming(settings, number) for number in range(len(plan.seeds))]
        for job in dict.fromkeys(wanted):
            if not _is_made(job, records, timings):
                yield job

    def next(self, records: Records, timings: Timings, pending: Set[Job]) -> list[Job]:
        """The next jobs, besides those that are `pending`; none if there is nothing left to do."""
        first = [job for job in self.first(records, timings) if job not in pending]
        if first or not self._plan.looks:
            return first
        left = self.seconds_left(records, timings, pending)
        for claim in self._by_seconds(self.judge(records, timings), records, timings):
            jobs = [
                job
                for job in self._jobs(claim, claim.seeds, records, timings)
                if job not in pending
            ]
            if jobs and self._seconds(jobs) <= left:
                return jobs
        return []

    def seconds_left(
        self, records: Records, timings: Timings, pending: Set[Job] = frozenset()
    ) -> float:
        """What is left of the plan's budget, in wall seconds; infinity if there is no budget.

        All runs count by what they took, also those that were stored before: asked again, a lab
        comes to the same end.
        """
        if self._plan.time is None:
            return math.inf
        took = sum(record.seconds + record.scoring_seconds for record in records.values())
        took += sum(self._costs.of_timing(planned) for planned in timings)
        return self._plan.time - took / self._at_once - self._seconds(pending)

    def _seconds(self, jobs: Set[Job] | list[Job]) -> float:
        """Wall seconds of jobs that are made at once."""
        return sum(map(self.cost, jobs)) / self._at_once

    def cost(self, job: Job) -> float:
        """The seconds that a job takes."""
        if isinstance(job, PlannedTiming):
            return self._costs.of_timing(job)
        return self._costs.seconds(job.setting)

    def _by_seconds(self, rounds: Rounds, records: Records, timings: Timings) -> list[OpenClaim]:
        """The open claims, those first that are expected to be shown soonest."""

        def order(claim: OpenClaim) -> tuple[bool, float]:
            until = claim.forecast or claim.seeds
            jobs = self._jobs(claim, until, records, timings)
            return claim.forecast is None, self._seconds(list(jobs))

        return sorted(rounds.open, key=order)

    def _jobs(
        self, claim: OpenClaim, seeds: int, records: Records, timings: Timings
    ) -> Iterator[Job]:
        """What a claim lacks for a look at so many seeds."""
        plan = self._plan
        question = plan.questions[claim.number[0]]
        asked: Claim = question.claims[claim.number[1]]
        jobs: list[Job] = []
        if asked.metric != "seconds":
            settings = [chosen_setting(plan, question.levels[i], records) for i in claim.levels]
            known: list[Setting] = [setting for setting in settings if setting]
            jobs += plan.runs_of(list(dict.fromkeys(known)), range(seeds))
        if asked.is_timed:
            timed = timed_settings(plan, question, records)
            jobs += [PlannedTiming(timed, number) for number in range(seeds)]
        yield from (job for job in jobs if not _is_made(job, records, timings))


def _is_made(job: Job, records: Records, timings: Mapping[PlannedTiming, object]) -> bool:
    if isinstance(job, PlannedTiming):
        return job in timings
    return (job.setting, job.seed) in records
