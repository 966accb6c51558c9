"""`siffra doctor`: checks the installation and suggests fixes."""

import json
import os
from typing import TYPE_CHECKING

import typer

from siffra.cli.options import JsonOption, StoreOption
from siffra.system.terminal import console, echo_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siffra.doctor.finding import Finding

COMPLAINTS = 1


def doctor(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check the installation and suggest fixes.

    Checks versions, environment variables, processor, the store of runs, the MNIST images
    shipped with siffra, and whether a short training works at the expected speed. Changes
    nothing. Exits with 0 if there is no problem, else with 1.

    [dim]Examples[/dim]
    siffra doctor
    siffra doctor --json
    """
    environment = dict(os.environ)  # before siffra's own modules add to it
    from siffra.doctor import installation, places
    from siffra.doctor import training as timed
    from siffra.doctor.finding import as_json as findings_as_json
    from siffra.system.cpu import available_cores

    checks = {
        "versions": installation.packages,
        "environment": lambda: installation.variables(environment, available_cores()),
        "processor": installation.processor,
        "images": installation.data,
        "store": lambda: places.store(store),
        "training for a second (the very first one compiles)": lambda: timed.training(environment),
    }
    findings = []
    with console(err=True).status("") as status:
        for name, check in checks.items():
            status.update(name)
            findings.append(check())
    if as_json:
        echo_json(json.dumps(findings_as_json(findings)))
    else:
        _print(findings)
    if any(finding.complaints for finding in findings):
        raise typer.Exit(COMPLAINTS)


def _print(findings: "Sequence[Finding]") -> None:
    out = console(soft_wrap=True)
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        out.print(f"{finding.about:{width}}  {finding}")
    complaints = [(each.about, complaint) for each in findings for complaint in each.complaints]
    for about, complaint in complaints:
        out.print(f"\n{about}: {complaint.found}\n  fix: {complaint.fix}")
    if not complaints:
        out.print("\nNo problems found.")
