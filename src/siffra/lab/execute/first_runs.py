"""What the first runs of a program or a function show: whether it gives anything at all.

A run that fails is a result, and so is a level of which all do, as long as another works. If none
does, more runs show nothing: then it is the command, the script or the metric that is wrong.
"""

import re
from collections.abc import Iterable

from siffra.config import ExternalModel
from siffra.engine.command.metrics import is_other_metrics
from siffra.engine.command.printed import read_number
from siffra.errors import ExecutorError
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.training.run import Record, WrittenRecord

_FEWEST = 2
"""So many runs must fail, also where there is one setting: a single one may have had bad luck."""


_MOST = 10
"""Of the runs of a search, whose settings are chosen as it goes on, this many must fail."""


class FirstRuns:
    """Looks at the runs of `plan`, or of a search (None), as they are made, until one works.

    `any_works` says that one is stored. Networks of siffra's own do not fail.
    """

    def __init__(self, plan: Plan | None, *, any_works: bool = False) -> None:
        planned = plan.runs if plan else ()
        runs = [run for run in planned if isinstance(run.setting.model, ExternalModel)]
        of_first_seed = sum(run.seed == runs[0].seed for run in runs)
        self._awaited = set(runs[: max(_FEWEST, of_first_seed)]) if plan else None
        self._any_works = any_works or (plan is not None and not runs)
        self._failed: list[Record] = []

    def expect_metrics(self, made: Iterable[Record | WrittenRecord]) -> None:
        """Check that a run that measured something measured what it was asked for.

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
        """Check that not all runs of the first seed, or the first of a search, failed alike.

        Raises:
            ExecutorError: They did.
        """
        if self._any_works:
            return
        for run, record in made:
            if self._awaited is None or run in self._awaited:
                self._failed.append(record.read())
                self._awaited = self._awaited and self._awaited - {run}
        is_early = len(self._failed) < _MOST if self._awaited is None else bool(self._awaited)
        if is_early or len({_kind(record) for record in self._failed}) > 1:
            return
        last = self._failed[-1]
        said = f": {last.last_words}" if last.last_words else ""
        raise ExecutorError(
            f"all of the first {len(self._failed)} runs failed ({last.failure}){said}{_right(last)}"
        )


def _kind(record: Record) -> str:
    """How it failed: what an exception says, or a text says in a metric's place, may differ."""
    return re.split(r":| the text '", record.failure, maxsplit=1)[0]


def _right(record: Record) -> str:
    """What a program must do whose metric was not found; "" of all else."""
    missing = re.fullmatch(r"no metric (`.+`)", record.failure)
    is_program = isinstance(record.model, ExternalModel) and record.model.command
    if not missing or not is_program:
        return ""
    name = missing[1][1:-1]
    pattern = _pattern(name, "\n".join(record.output))
    return (
        f"; {missing[1]} is looked for on stdout, as JSON in lines of its own, "
        f'{{"{name}": 0.21}}; read any other text by a pattern '
        + (f'as --read "{pattern}"' if pattern else "(--read)")
    )


def _pattern(name: str, output: str) -> str:
    """What would read the metric where it was printed as `val_acc=0.93` or `'val_acc': 0.93`.

    "" if it was not, or the pattern would read another metric too, as `best_val_acc=0.95`.
    """
    found = re.findall(rf"([\w/.-]?){re.escape(name)}(['\"]? ?[:=] ?)([-+.\w]*)", output)
    marks = {mark for _, mark, _ in found}
    if len(marks) != 1 or not all(not before and read_number(n) for before, _, n in found):
        return ""
    mark = re.sub("['\"]", ".", marks.pop())  # it is shown in quotes
    return rf"{re.escape(name)}{mark}([-+.\w]+)"
