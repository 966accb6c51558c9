"""What the first runs of a program or a function show: whether it gives anything at all.

A run that fails is a result, and so is a level of which all do, as long as another works. If none
does, more runs show nothing: then it is the command, the script or the metric that is wrong.
"""

from collections.abc import Iterable

from siffra.config import ExternalModel
from siffra.engine.command.metrics import is_other_metrics
from siffra.errors import ExecutorError
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.training.run import Record, WrittenRecord

_FEWEST = 2
"""So many runs must fail, also where there is one setting: a single one may have had bad luck."""


class FirstRuns:
    """Looks at the runs of `plan` as they are made, until one works.

    `any_works` says that one is stored. Networks of siffra's own do not fail.
    """

    def __init__(self, plan: Plan, *, any_works: bool = False) -> None:
        runs = [run for run in plan.runs if isinstance(run.setting.model, ExternalModel)]
        of_first_seed = sum(run.seed == runs[0].seed for run in runs)
        self._awaited = set(runs[: max(_FEWEST, of_first_seed)])
        self._any_works = any_works or not runs
        self._failed: list[Record] = []

    def expect_metrics(self, made: Iterable[Record | WrittenRecord]) -> None:
        """See that a run that measured something measured what it was asked for.

        Raises:
            ExecutorError: None has yet, and this one gave other metrics.
        """
        if self._any_works:
            return
        records = [record.read() for record in made]
        self._any_works = not all(record.failure for record in records)
        for record in records:
            if not self._any_works and is_other_metrics(record.failure):
                raise ExecutorError(f"{record.failure}.")

    def expect_one_that_works(
        self, made: Iterable[tuple[PlannedRun, Record | WrittenRecord]]
    ) -> None:
        """See that not all runs of the first seed failed, and in the same way.

        Raises:
            ExecutorError: They did.
        """
        if self._any_works:
            return
        for run, record in made:
            if run in self._awaited:
                self._awaited.remove(run)
                self._failed.append(record.read())
        if self._awaited or len({_kind(record) for record in self._failed}) > 1:
            return
        last = self._failed[-1]
        lines = [line.strip() for line in last.output if line.strip()][-1:]
        said = "".join(f": {line}" for line in lines if line != last.failure)
        raise ExecutorError(
            f"all of the first {len(self._failed)} runs failed ({last.failure}){said}"
        )


def _kind(record: Record) -> str:
    """How it failed: what an exception says may differ from level to level."""
    return record.failure.partition(":")[0]
