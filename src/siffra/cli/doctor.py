"""`siffra doctor`: is everything in order, and if not, what mends it?"""

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

    Checks versions, environment variables, processor, threads, the store of runs, folders, the
    MNIST images shipped with siffra, and whether a short training works at the expected speed.
    Changes nothing. Exits with 0 if there is no problem, else with 1.

    [dim]Examples[/dim]
    siffra doctor
    siffra doctor --json
    """
    environment = dict(os.environ)  # before siffra's own modules add to it
    from siffra.doctor import examination

    findings = []
    with console(err=True).status("") as status:
        for name, check in examination.checks(environment, store).items():
            status.update(name)
            findings.append(check())
    if as_json:
        echo_json(json.dumps(examination.as_json(findings)))
    else:
        _print(findings)
    if any(finding.complaints for finding in findings):
        raise typer.Exit(COMPLAINTS)


def _print(findings: "Sequence[Finding]") -> None:
    told = [
        ("" if number else finding.about, name, str(fact))
        for finding in findings
        for number, (name, fact) in enumerate(finding.facts.items())
    ]
    about, name = (max(len(line[column]) for line in told) for column in (0, 1))
    out = console(soft_wrap=True)
    for line in told:
        out.print(f"{line[0]:{about}}  {line[1]:{name}}  {line[2]}")
    wrong = [(each.about, complaint) for each in findings for complaint in each.complaints]
    for part, complaint in wrong:
        out.print(f"\n{part}: {complaint.found}\n  mend it: {complaint.fix}")
    if not wrong:
        out.print("\nAll is well.")
