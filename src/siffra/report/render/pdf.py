"""A report's page as a PDF, printed by Chromium where there is one."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from siffra.errors import SiffraError

PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
"""What Chromium is called, in the order in which it is looked for."""
_PATIENCE = 120.0
"""Seconds; a large report takes a few."""


def write_pdf(page: Path) -> Path:
    """Print the page at `page` into a PDF beside it.

    Raises:
        SiffraError: There is no Chromium, or it fails; the text says what to do instead.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    instead = f"open {page} in a browser and print it to a file"
    if program is None:
        raise SiffraError(f"pdf: no Chromium or Chrome is on PATH; {instead}.")
    pdf = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="siffra-") as folder:
        printed = Path(folder) / pdf.name
        try:
            _print(program, page, printed)
            ended = None if printed.is_file() else "it wrote no file"
        except subprocess.TimeoutExpired:
            ended = f"it took longer than {_PATIENCE:.0f} s"
        except OSError as error:
            ended = error.strerror or str(error)
        if ended:
            raise SiffraError(f"pdf: {program} cannot print the page: {ended}; {instead}.")
        try:
            shutil.move(printed, pdf)
        except OSError as error:
            raise SiffraError(f"{pdf}: cannot be written: {error.strerror}.") from error
    return pdf


def _print(program: str, page: Path, pdf: Path) -> None:
    # As root it refuses to run in its sandbox; the page is siffra's own, and has no scripts.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    words = [
        program,
        "--headless",
        "--disable-gpu",
        "--no-pdf-header-footer",
        f"--user-data-dir={pdf.parent / 'profile'}",
        f"--print-to-pdf={pdf}",
        *(["--no-sandbox"] if is_root else []),
        page.absolute().as_uri(),
    ]
    subprocess.run(words, timeout=_PATIENCE, check=False, capture_output=True)
