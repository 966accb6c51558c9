"""Reading what a training measured from what it prints and from the file it writes."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from siffra.engine.command.output import Stream
from siffra.engine.command.patterns import POSITIONS, Patterns
from siffra.engine.command.printed import Objects, Printed, Twice, read_number, read_object
from siffra.errors import ConfigError

Curve = tuple[tuple[float, float], ...]
"""Pairs of an epoch, or a step, and a value."""
Position = tuple[str, float]
"""`epoch` or `step`, and which."""
OnEpoch = Callable[[Position, Mapping[str, float]], None]

METRICS_FILE = "metrics.json"
_LARGEST_FILE = 2**20
_MOST_METRICS = 1000
_MOST_POINTS = 4096
_BUT = "; the training gave "


@dataclass(frozen=True, slots=True)
class MetricSource:
    """Which metrics a command reports, and where they are read.

    Those that `patterns` name are found by these, in stdout and stderr. Any other is read from
    `metrics.json` in the run's folder, or from the last JSON object on stdout that has it. Other
    numbers in such an object are read along.
    """

    metrics: tuple[str, ...]
    patterns: Patterns

    @classmethod
    def parse(cls, metrics: Sequence[str], read: Sequence[str] = ()) -> Self:
        """From the names of metrics, and regular expressions as in `Patterns.parse`.

        Raises:
            ConfigError: There is no metric, or a pattern is wrong.
        """
        if not metrics:
            raise ConfigError("metric: found none; name one, as `val_loss:lower`.")
        return cls(tuple(metrics), Patterns.parse(read, metrics))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalResult:
    """What a training that siffra did not do itself gave, whatever it was.

    A run that failed may have metrics all the same.

    Attributes:
        metrics: Values by name; not finite if the training diverged.
        curves: By name, for those that were given together with an epoch or a step. Very long
            ones are thinned out.
        steps: By name, the coarseness with which it was measured: the smallest unit of a last
            decimal in which a value was printed.
        seconds: Wall time.
        failure: "" if all is well, else what went wrong: `timeout`, `signal 9`, `exit 1`,
            "no metric `val_loss`" and the like.
        output: The last lines that it printed.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str = ""
    output: tuple[str, ...] = ()


class MetricReader:
    """Reads the metrics of one run, line by line.

    Args:
        source: What to read.
        on_epoch: Called with an epoch, or step, and the values that were printed with it.
    """

    def __init__(self, source: MetricSource, on_epoch: OnEpoch | None = None) -> None:
        self._wanted, self._patterns = source.metrics, source.patterns
        self._by_patterns = source.patterns.metrics
        self._in_objects = frozenset(source.metrics) - self._by_patterns
        self._on_epoch = on_epoch or (lambda position, values: None)
        self._objects = Objects()
        self._last: dict[str, Printed] = {}
        self._misfits: dict[str, str] = {}
        self._curves: dict[str, dict[float, float]] = {}
        self._steps: dict[str, float] = {}
        self._position: Position | None = None
        self._others: dict[str, None] = {}  # in objects without any that is wanted
        self._problem = ""

    def read(self, line: str, stream: Stream) -> None:
        """One line that the command printed."""
        if self._patterns.compiled:
            self._read_text(line)
        if stream == "stdout" and self._in_objects:
            self._read_object(self._objects.read(line) or {})

    def read_file(self, path: Path) -> None:
        """The file that the command may have written; its values replace those of lines."""
        if not path.is_file():
            return
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                values = read_object(file.read(_LARGEST_FILE))
        except OSError:
            values = None
        if values is None:
            self._problem = f"{path.name} is no JSON object of at most 1 MB"
        else:
            self._read_object(values, is_final=True)

    def measured(self) -> ExternalResult:
        """All that was read so far."""
        return ExternalResult(
            metrics={name: number.value for name, number in self._last.items()},
            curves={name: tuple(curve.items()) for name, curve in self._curves.items()},
            steps=dict(self._steps),
            failure=self._problem or self._what_is_missing(),
        )

    def _read_object(self, values: Mapping[str, object], *, is_final: bool = False) -> None:
        if not self._in_objects.isdisjoint(values):
            printed = {n: value for n, value in values.items() if n not in self._by_patterns}
            self._take(printed, None if is_final else _position(values))
        else:
            others = (name for name, value in values.items() if isinstance(value, Printed))
            self._others |= dict.fromkeys(others)

    def _read_text(self, line: str) -> None:
        texts = self._patterns.search(line)
        if not texts:
            return
        values = {name: read_number(text) or text for name, text in texts.items()}
        # An epoch often has a line of its own, before those with its metrics.
        position = _position(values)
        self._position = self._position if position is None else position
        self._take(values, self._position)

    def _take(self, values: Mapping[str, object], position: Position | None) -> None:
        numbers: dict[str, float] = {}
        for name, value in values.items():
            if name in POSITIONS and name not in self._wanted:
                continue
            if isinstance(value, Printed):
                self._take_number(name, value)
                numbers[name] = value.value
            elif name in self._wanted:
                self._last.pop(name, None)
                self._misfits[name] = _kind(value)
        if position is not None and numbers:
            self._add_points(position[1], numbers)
            self._on_epoch(position, numbers)

    def _take_number(self, name: str, number: Printed) -> None:
        if name not in self._wanted and name not in self._last and len(self._last) >= _MOST_METRICS:
            return
        self._misfits.pop(name, None)
        self._last[name] = number
        if number.step:
            self._steps[name] = min(number.step, self._steps.get(name, math.inf))

    def _add_points(self, position: float, numbers: Mapping[str, float]) -> None:
        for name in numbers.keys() & self._last.keys():
            curve = self._curves.setdefault(name, {})
            curve[position] = numbers[name]
            if len(curve) > _MOST_POINTS:
                self._curves[name] = dict(list(curve.items())[::2])

    def _what_is_missing(self) -> str:
        for name in self._wanted:
            if name in self._misfits:
                return f"metric `{name}` is {self._misfits[name]}, no number"
            if name not in self._last:
                return no_metric(name, [*self._others, *self._last])
        return ""


def no_metric(name: str, given: Collection[str]) -> str:
    """That a training did not give this metric, but others, if it did."""
    others = ", ".join(other for other in dict.fromkeys(given) if other not in POSITIONS)
    return f"no metric `{name}`" + (f"{_BUT}{others}" if others else "")


def is_other_metrics(failure: str) -> bool:
    """Whether a run failed because it gave other metrics than was asked for."""
    return failure.startswith("no metric `") and _BUT in failure


def _position(values: Mapping[str, object]) -> Position | None:
    """Where on its curve a value is that stands beside these."""
    numbers = ((name, values.get(name)) for name in POSITIONS)
    steps = ((name, n.value) for name, n in numbers if isinstance(n, Printed) and n.step)
    return next(steps, None)


def _kind(value: object) -> str:
    """What stands where a number should, in few words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Twice):
        return "there twice"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "a list" if isinstance(value, list) else "an object"
