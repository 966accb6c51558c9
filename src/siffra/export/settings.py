"""Settings with their seeds: the groups in which other tools show runs."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from siffra.config import ExternalModel
from siffra.config.knobs import spell
from siffra.training.run import Epoch, Record, setting_id

Plain = bool | int | float | str

MOST_STEPS = 2.0**63
"""What the step of other tools, and a whole number of a table, stays below."""
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class SettingGroup:
    """A setting on one data set, and its runs by seed."""

    id: str
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """What tells it from others, to be read by people and good as the name of a folder."""
        knobs = ",".join(f"{k}={v}" for k, v in plain_knobs(self.records[0]).items())
        knobs = re.sub(r"[^\w.,=+-]+", "_", knobs.removeprefix("model="))
        return f"{knobs[:_LONGEST_NAME]}-{self.id}"


def _accuracies(prefix: str, scored: Epoch | Record) -> dict[str, float]:
    """`prefix/SET`: accuracy; of a run that has diverged by then there is nothing to show."""
    reached = scored.accuracy.items()
    return {f"{prefix}/{name}": value for name, value in reached if value is not None}


def moments(record: Record) -> Iterator[tuple[int, float, dict[str, float]]]:
    """A step, seconds since 1970 and scalars by tag: after every epoch, and of the whole run."""
    if isinstance(record.model, ExternalModel):
        yield from _measured(record)
        return
    ended = record.finished.timestamp()
    clock = ended - record.seconds
    for step, epoch in enumerate(record.epochs, start=1):
        clock += epoch.seconds
        loss = math.nan if epoch.loss is None else epoch.loss
        times = {"loss": loss, "epoch_seconds": epoch.seconds}
        yield step, clock, times | _accuracies("accuracy", epoch)
    final = _accuracies("final/accuracy", record)
    yield len(record.epochs), ended, final | {"final/seconds": record.seconds}


def _measured(record: Record) -> Iterator[tuple[int, float, dict[str, float]]]:
    """`moments` of a program's run, whose epochs are taken to last equally long.

    Where it has parts of epochs, or steps too large for other tools, these are numbered.
    """
    ended, rows, step = record.finished.timestamp(), curve_rows(record), 0
    is_whole = all(position.is_integer() and abs(position) < MOST_STEPS for position, _ in rows)
    for number, (position, values) in enumerate(rows, start=1):
        step = int(position) if is_whole else number
        yield step, ended - record.seconds * (1 - number / len(rows)), values
    metrics = record.metrics.items()
    final = {f"final/{name}": math.nan if value is None else value for name, value in metrics}
    yield step, ended, final | {"final/seconds": record.seconds}


def curve_rows(record: Record) -> list[tuple[float, dict[str, float]]]:
    """The curves of a program's run: an epoch or a step, and what was measured there."""
    rows: dict[float, dict[str, float]] = {}
    for name, curve in record.curves.items():
        for position, value in curve:
            rows.setdefault(position, {})[name] = value
    return sorted(rows.items())


def has_no_result(record: Record) -> bool:
    """Whether other tools are to show it as a run that failed."""
    return record.diverged or bool(record.failure)


def setting_groups(records: Sequence[Record]) -> list[SettingGroup]:
    """The runs by setting, in the order in which each first comes; seeds in theirs."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(setting_id(record), []).append(record)
    return [
        SettingGroup(name, tuple(sorted(group, key=lambda record: record.seed)))
        for name, group in groups.items()
    ]


def plain_knobs(record: Record) -> dict[str, Plain]:
    """The knobs of a run as numbers and texts; one that differs between layers is `64,32`."""
    return {
        name: spell(value) if isinstance(value, list | tuple) else value
        for name, value in record.setting.knobs().items()
    }
