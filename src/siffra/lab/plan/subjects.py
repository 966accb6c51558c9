"""What a lab trains: siffra's networks on a data set, or the runs of a program."""

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import METRICS, Metric
from siffra.config.validation import shown
from siffra.data.dataset import Dataset
from siffra.data.shifted import SHIFTED
from siffra.errors import LabFileError
from siffra.lab.plan.figures import check_demands, default_figures, figures_of_metrics
from siffra.lab.plan.format import ClaimTable, QuestionTable
from siffra.lab.plan.plan import Figure, Level
from siffra.lab.plan.program import Program
from siffra.lab.plan.settings import Cut, Part, assemble

_OF_METRICS: frozenset[Figure] = frozenset({"curves", "levels", "heatmap"})
"""The figures that can be drawn of any metric."""

Made = tuple[Setting, int | float]
"""A setting as it is to be run, and the epochs that the lab file says of it."""


class Subject(abc.ABC):
    """What the settings of a lab are of. What cannot be run is refused, with the place."""

    @abc.abstractmethod
    def made(self, parts: Sequence[Part], about: str, *, in_full: bool = False) -> Made:
        """The setting that `parts` make, of which later ones override earlier ones.

        Args:
            parts: Knobs, and where they were written.
            about: Which setting that is, for a message.
            in_full: Whether it keeps the length that it has.

        Raises:
            LabFileError: There is no such setting.
        """

    @abc.abstractmethod
    def check(self, table: QuestionTable, where: str) -> None:
        """Raises LabFileError if a question asks for what these settings do not have."""

    @abc.abstractmethod
    def figures(self, vary: Sequence[str], levels: Sequence[Level]) -> tuple[Figure, ...]:
        """The figures of a question that names none."""

    @abc.abstractmethod
    def metrics(self, claims: Sequence[ClaimTable]) -> tuple[Metric, ...]:
        """The metrics that are none of siffra's own; that of the first claim is the main one."""

    def named(self, claim: ClaimTable) -> Metric | None:
        """The metric of a claim, if it is none of siffra's own."""
        return None

    @abc.abstractmethod
    def margin(self, claim: ClaimTable) -> float:
        """The smallest difference that matters to a claim; 0 if that is not known."""


@dataclass(frozen=True, slots=True)
class Networks(Subject):
    """siffra's own networks, and classifiers, on `dataset`; `source` is the lab file."""

    dataset: Dataset
    cut: Cut
    source: str
    examines: bool = False

    def made(self, parts: Sequence[Part], about: str, *, in_full: bool = False) -> Made:
        return assemble(parts, self.dataset, Cut() if in_full else self.cut, self.source, about)

    def check(self, table: QuestionTable, where: str) -> None:
        check_demands(table, where, self.dataset)

    def figures(self, vary: Sequence[str], levels: Sequence[Level]) -> tuple[Figure, ...]:
        return default_figures(vary, levels, self.dataset, examines=self.examines)

    def metrics(self, claims: Sequence[ClaimTable]) -> tuple[Metric, ...]:
        return ()

    def margin(self, claim: ClaimTable) -> float:
        return claim.margin or METRICS[claim.metric].usual_margin(shifted=claim.on in SHIFTED)


@dataclass(frozen=True, slots=True)
class ProgramRuns(Subject):
    """The runs of a program that a lab file, `source`, names."""

    program: Program
    source: str
    _spelled: dict[tuple[str, Any], Any] = field(default_factory=dict)

    def made(self, parts: Sequence[Part], about: str, *, in_full: bool = False) -> Made:
        values: dict[str, Any] = {}
        for part in parts:
            for name, value in part.knobs.items():
                if not _is_given(value):
                    raise LabFileError(
                        f"{self.source}: {part.where}.{name}: found {shown(value)}; a knob of a "
                        f"command takes a finite number, a text, or true or false ({about})."
                    )
            values |= part.knobs
        if missing := sorted(self.program.knobs - set(values)):
            where = next(part.where for part in reversed(parts) if part.knobs)
            raise LabFileError(
                f"{self.source}: {where}: the command's `{{{missing[0]}}}` has no value; "
                f"give `{missing[0]}` one here or in `[base]` ({about})."
            )
        self._expect_spelled_alike(parts, about)
        # In one order, so that settings which several questions share are the same.
        ordered = {name: values[name] for name in sorted(values)}
        return Setting.external(ordered, self.program.command), 1

    def check(self, table: QuestionTable, where: str) -> None:
        if table.retune:
            raise LabFileError(
                f"{where}.retune: what is retuned is chosen by accuracy on validation, which a "
                "command has none of; vary it instead."
            )
        for figure in table.figures or ():
            if figure not in _OF_METRICS:
                raise LabFileError(
                    f"{where}.figures: `{figure}` shows networks; of a command there are "
                    f"{', '.join(sorted(_OF_METRICS))}."
                )

    def figures(self, vary: Sequence[str], levels: Sequence[Level]) -> tuple[Figure, ...]:
        return figures_of_metrics(vary, levels)

    def metrics(self, claims: Sequence[ClaimTable]) -> tuple[Metric, ...]:
        known: Mapping[str, Metric] = self.program.metrics
        order = dict.fromkeys([*(claim.metric for claim in claims[:1]), *known])
        return tuple(known[name] for name in order)

    def named(self, claim: ClaimTable) -> Metric | None:
        return self.program.metrics[claim.metric]

    def margin(self, claim: ClaimTable) -> float:
        return claim.margin or self.program.metrics[claim.metric].margin or 0.0

    def _expect_spelled_alike(self, parts: Sequence[Part], about: str) -> None:
        """Equal values make equal settings, and a program may well tell 1 from true or 1.0."""
        last = {name: (part.where, value) for part in parts for name, value in part.knobs.items()}
        for name, (where, value) in last.items():
            known = self._spelled.setdefault((name, value), value)
            if type(known) is not type(value):
                raise LabFileError(
                    f"{self.source}: {where}.{name}: found {shown(value)}, but {shown(known)} "
                    f"elsewhere, which is the same run; write it alike ({about})."
                )


def _is_given(value: object) -> bool:
    """Whether a command can be given it."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, bool | int | float | str)
