"""What an examination finds: facts, and complaints that say how to mend what is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that is wrong, and what mends it; a line each."""

    found: str
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the examination: what there is, by name, and what is wrong with it."""

    about: str
    facts: Mapping[str, Fact]
    complaints: tuple[Complaint, ...] = field(default=())


Check = Callable[[], Finding]
