"""The whole examination: every part in turn, then all that is wrong in one list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from siffra.bench.limits import available_cores
from siffra.doctor import machine, places
from siffra.doctor.finding import Finding
from siffra.doctor.packages import packages
from siffra.doctor.training import training
from siffra.doctor.variables import variables


def examine(environment: Mapping[str, str], store: Path | None = None) -> Iterator[Finding]:
    """Look at everything, the quick things first.

    `environment` is what siffra was started with; `store` is another than the user's own.
    """
    yield packages()
    yield variables(environment, available_cores())
    yield machine.processor()
    yield machine.blas(environment)
    yield places.data()
    yield places.store(store)
    yield places.folders()
    yield training(environment)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The facts by part, and the complaints in one list."""
    return {
        "healthy": not any(finding.complaints for finding in findings),
        "complaints": [
            {"about": finding.about, **asdict(complaint)}
            for finding in findings
            for complaint in finding.complaints
        ],
        "facts": {finding.about: dict(finding.facts) for finding in findings},
    }
