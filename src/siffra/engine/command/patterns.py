"""`--read`: regular expressions that find metrics in lines which are meant for people."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from siffra.errors import ConfigError, did_you_mean

POSITIONS = ("epoch", "step")
"""Names of what says where on a curve a value is; of two, the first counts."""
_LONGEST = 10_000
"""Characters of a line: the time that a pattern takes may grow as a power of them, or worse."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Regular expressions, each with its groups by the names of what they find."""

    compiled: tuple[tuple[re.Pattern[str], dict[str, int]], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str], metrics: Sequence[str]) -> Self:
        """From the patterns that the user wrote, and the metrics that are wanted.

        A group's name says what it finds: a metric, `epoch` or `step`. A pattern without such names
        has one group; these find, in order, the metrics that no group is named after.

        Raises:
            ConfigError: A text is no pattern, or it is not clear what its groups find.
        """
        compiled = [_compile(text) for text in texts]
        named = {name for pattern in compiled for name in pattern.groupindex}
        unnamed = [name for name in metrics if name not in named]
        return cls(tuple((pattern, _groups(pattern, metrics, unnamed)) for pattern in compiled))

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that they find."""
        return frozenset(name for _, groups in self.compiled for name in groups) - set(POSITIONS)

    @property
    def texts(self) -> list[str]:
        """The patterns as they were written."""
        return [pattern.pattern for pattern, _ in self.compiled]

    def search(self, line: str) -> dict[str, str]:
        """The last that they find in a line, by name; nothing in very long lines."""
        values: dict[str, str] = {}
        if len(line) > _LONGEST:
            return values
        for pattern, groups in self.compiled:
            for match in pattern.finditer(line):
                values |= {
                    n: match[group] for n, group in groups.items() if match[group] is not None
                }
        return values


def _compile(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of what will mean something else one day
            return re.compile(text)
    except re.error as error:
        where = f" from character {error.pos + 1} on" if error.pos is not None else ""
        raise ConfigError(f"read: found `{text}`, no regular expression{where}.") from error
    except (OverflowError, RecursionError) as error:
        raise ConfigError(f"read: found `{text}`, too large a regular expression.") from error


def _groups(pattern: re.Pattern[str], metrics: Sequence[str], unnamed: list[str]) -> dict[str, int]:
    """Its groups by what they find; takes the first of `unnamed` if they have no names."""
    text = pattern.pattern
    for name in pattern.groupindex:
        if name not in (*metrics, *POSITIONS):
            raise ConfigError(
                f"read: found a group `{name}` in `{text}`; {did_you_mean(name, metrics)}"
            )
    if pattern.groupindex:
        return dict(pattern.groupindex)
    if not unnamed:
        raise ConfigError(
            f"read: found `{text}`, but the other patterns find all metrics: {', '.join(metrics)}."
        )
    if pattern.groups != 1:
        raise ConfigError(
            f"read: found {pattern.groups or 'no'} groups in `{text}`; put the number in "
            f"one, as `{unnamed[0]}: ([0-9.]+)`."
        )
    return {unnamed.pop(0): 1}
