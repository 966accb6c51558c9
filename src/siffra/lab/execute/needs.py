"""What a lab still lacks for a look: the jobs that are known, and stand-ins for those that are not.

Which of retuned settings is run with the seeds that are judged, and timed, is not known before the
tuning is done; that it will be, and about what it takes, is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from siffra.config import Setting
from siffra.lab.execute.cost import Costs
from siffra.lab.execute.events import Job
from siffra.lab.plan.plan import Claim, Experiment, Level, Plan, PlannedRun, PlannedTiming, Question
from siffra.lab.stats.levels import Records, chosen_setting
from siffra.lab.stats.rounds import OpenClaim, Timings, timed_levels, timed_settings


@dataclass(frozen=True, slots=True)
class Need:
    """Jobs to be made, and `later` those that follow: of the dearest setting that may be chosen."""

    jobs: tuple[Job, ...]
    later: tuple[Job, ...] = ()

    @property
    def all(self) -> tuple[Job, ...]:
        """What it takes in all."""
        return self.jobs + self.later


class Needs:
    """What `plan` needs, where these `records` and `timings` are there."""

    def __init__(self, plan: Plan, costs: Costs, records: Records, timings: Timings) -> None:
        self._plan, self._costs = plan, costs
        self._records, self._timings = records, timings

    def first_look(self, planned: Iterable[PlannedRun]) -> Need:
        """A first look at everything, which takes the `planned` runs whatever is seen."""
        plan = self._plan
        wanted: list[Job] = list(planned)
        tuned: list[Level] = []
        later: list[Job] = []
        for question in plan.questions:
            for level in question.levels:
                chosen = chosen_setting(plan, level, self._records)
                if chosen and len(level.settings) > 1:
                    wanted += plan.runs_of([chosen], plan.seeds)
                elif not chosen:
                    tuned.append(level)
            rounds = self._rounds(question, len(plan.seeds))
            wanted += rounds.jobs
            later += rounds.later
        return self._need(wanted, [*self._after_tuning(tuned, plan.seeds), *later])

    def of_claim(self, claim: OpenClaim, seeds: int) -> Need:
        """What a claim lacks for a look at this many `seeds`."""
        question = self._plan.questions[claim.number[0]]
        asked: Claim = question.claims[claim.number[1]]
        is_of_runs = asked.metric != "seconds"
        levels = [question.levels[i] for i in claim.levels] if is_of_runs else []
        return self._of_levels(question, levels, seeds if asked.is_timed else 0, range(seeds))

    def has_only_failures(self, claim: OpenClaim) -> bool:
        """Whether no run of a first look gave any of its levels a result: more would not either."""
        levels = self._plan.questions[claim.number[0]].levels
        settings = [setting for i in claim.levels for setting in levels[i].settings]
        runs = [self._records.get((s, seed)) for s in settings for seed in self._plan.seeds]
        return bool(runs) and all(run is not None and bool(run.failure) for run in runs)

    def of_question(self, question: Question) -> Need:
        """What all of a question's levels and times lack for a first look."""
        seeds = self._plan.seeds
        return self._of_levels(question, question.levels, len(seeds), seeds)

    def of_level(self, question: Question, level: Level) -> Need:
        """What one level lacks for a first look."""
        return self._of_levels(question, [level], 0, self._plan.seeds)

    def of_experiment(self, experiment: Experiment) -> Need:
        """What an experiment lacks for a first look."""
        return self._need(self._plan.runs_of([experiment.setting], self._plan.seeds), ())

    def _of_levels(
        self, question: Question, levels: Sequence[Level], rounds: int, seeds: Sequence[int]
    ) -> Need:
        """The runs of `levels` with these seeds, and this many rounds of the question's times."""
        plan, chosen = self._plan, list[Setting]()
        tuned: list[Level] = []
        for level in levels:
            setting = chosen_setting(plan, level, self._records)
            if setting:
                chosen.append(setting)
            else:
                tuned.append(level)
        times = self._rounds(question, rounds) if rounds else Need(())
        runs = plan.runs_of(list(dict.fromkeys(chosen)), seeds)
        tuning = [*tuned, *(self._untuned(question) if rounds else ())]
        wanted = [*runs, *self._tuning(tuning), *times.jobs]
        return self._need(wanted, [*self._after_tuning(tuned, seeds), *times.later])

    def _rounds(self, question: Question, count: int) -> Need:
        """So many rounds of a question's times."""
        if settings := timed_settings(self._plan, question, self._records):
            return Need(tuple(PlannedTiming(settings, number) for number in range(count)))
        levels = [question.levels[i] for i in timed_levels(self._plan, question)]
        settings = tuple(dict.fromkeys(self._dearest(level) for level in levels))
        rounds = range(count) if settings else ()
        return Need((), tuple(PlannedTiming(settings, number) for number in rounds))

    def _untuned(self, question: Question) -> Iterator[Level]:
        """The levels whose times are asked for, and that have not chosen yet."""
        for i in timed_levels(self._plan, question):
            if chosen_setting(self._plan, question.levels[i], self._records) is None:
                yield question.levels[i]

    def _tuning(self, levels: Iterable[Level]) -> tuple[PlannedRun, ...]:
        """The runs by which these levels choose."""
        settings = list(dict.fromkeys(setting for level in levels for setting in level.settings))
        return self._plan.runs_of(settings, self._plan.tuning_seeds or self._plan.seeds)

    def _after_tuning(self, levels: Sequence[Level], seeds: Sequence[int]) -> Iterator[PlannedRun]:
        """The runs of what these levels will choose."""
        if self._plan.tuning_seeds:  # else they choose among those
            for level in {level.settings: level for level in levels}.values():
                yield from (PlannedRun(self._dearest(level), seed) for seed in seeds)

    def _dearest(self, level: Level) -> Setting:
        """The setting of a level that takes longest of those that may be chosen."""
        chosen = chosen_setting(self._plan, level, self._records)
        return chosen or max(level.settings, key=self._costs.seconds)

    def _need(self, wanted: Iterable[Job], later: Iterable[Job]) -> Need:
        return Need(
            tuple(job for job in dict.fromkeys(wanted) if not self._is_made(job)), tuple(later)
        )

    def _is_made(self, job: Job) -> bool:
        if isinstance(job, PlannedTiming):
            return job in self._timings
        return (job.setting, job.seed) in self._records
