"""`siffra doctor`: is everything in order, and if not, what mends it?"""

import json
import os
from typing import TYPE_CHECKING

import typer

from siffra.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siffra.doctor.finding import Finding

COMPLAINTS = 1


def doctor(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Look whether everything is in order on this machine, and say what mends what is not.

    Versions, environment variables, processor, threads, the store of runs, the folders, the
    images that siffra brings, and whether a short training works and is as fast as it should
    be. Changes nothing. Ends with 0 if all is well, and with 1 if anything is to be mended.

    [dim]Examples[/dim]
    siffra doctor
    siffra doctor --json
    """
    from rich.console import Console

    environment = dict(os.environ)  # before siffra's own modules add to it
    from siffra.doctor import examination

    findings = []
    with Console(stderr=True).status("") as status:
        for finding in examination.examine(environment, store):
            findings.append(finding)
            status.update(f"{finding.about}: looked at; going on")
    if as_json:
        typer.echo(json.dumps(examination.as_json(findings)))
    else:
        _print(findings)
    if any(finding.complaints for finding in findings):
        raise typer.Exit(COMPLAINTS)


def _print(findings: "Sequence[Finding]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        for number, (name, fact) in enumerate(finding.facts.items()):
            table.add_row("" if number else finding.about, name, str(fact))
    console = Console(highlight=False, markup=False)
    console.print(table)
    wrong = [(each.about, complaint) for each in findings for complaint in each.complaints]
    if not wrong:
        console.print("\nAll is well.")
    for about, complaint in wrong:
        console.print(f"\n{about}: {complaint.found}\n  mend it: {complaint.fix}", soft_wrap=True)
