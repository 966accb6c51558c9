"""What a check finds: facts, and problems with their fixes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem, and what fixes it; a line each."""

    found: str
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: its facts by name, and its problems."""

    about: str
    facts: Mapping[str, Fact]
    complaints: tuple[Complaint, ...] = ()

    def __str__(self) -> str:
        return "; ".join(f"{name} {fact}" for name, fact in self.facts.items())


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The facts by check, and all problems in one list."""
    return {
        "healthy": not any(finding.complaints for finding in findings),
        "complaints": [
            {"about": finding.about, **asdict(complaint)}
            for finding in findings
            for complaint in finding.complaints
        ],
        "facts": {finding.about: dict(finding.facts) for finding in findings},
    }
