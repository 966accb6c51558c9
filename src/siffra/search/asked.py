"""What a search is asked for, and what it tells while it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siffra.search.race import Candidate

Doing = Literal["timing", "trying", "confirming", "averaging"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched for: `budget` and `time` in seconds, `fixed` knobs, the sets that count."""

    budget: float
    time: float
    sets: tuple[str, ...]
    fixed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Now:
    """What a search is doing: `spent` of `time` seconds are over, `best` is the leader's score."""

    doing: Doing
    candidate: Candidate | None
    seed: int
    tried: int
    best: float | None
    spent: float
    time: float
