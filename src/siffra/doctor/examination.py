"""The whole examination: every part in turn, then all that is wrong in one list."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from siffra.doctor import machine, places
from siffra.doctor.finding import Check, Finding
from siffra.doctor.packages import packages
from siffra.doctor.training import training
from siffra.doctor.variables import variables
from siffra.system.cores import available_cores


def checks(environment: Mapping[str, str], store: Path | None = None) -> Mapping[str, Check]:
    """What there is to look at, by what it is called while it is, the quick things first.

    `environment` is what siffra was started with; `store` is another than the user's own.
    """
    return {
        "versions": packages,
        "environment": lambda: variables(environment, available_cores()),
        "processor": machine.processor,
        "matrix products": lambda: machine.blas(environment),
        "images": places.data,
        "store": lambda: places.store(store),
        "folders": places.folders,
        "training for a second (the very first one compiles)": lambda: training(environment),
    }


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
