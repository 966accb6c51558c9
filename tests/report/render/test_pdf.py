"""A page is printed by Chromium where there is one, and where not it is said what to do."""

import shutil
import stat

import pytest

from siffra.errors import SiffraError
from siffra.report.render import pdf
from siffra.report.render.pdf import PROGRAMS, write_pdf


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<!doctype html><title>t</title><p>What does dropout do?</p>", "utf-8")
    return path


def stand_in(tmp_path, monkeypatch, script: str) -> None:
    """A program in the place of Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.skipif(not any(map(shutil.which, PROGRAMS)), reason="there is no Chromium")
def test_a_page_is_printed_beside_itself(page):
    printed = write_pdf(page)

    assert printed == page.with_suffix(".pdf")
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 1


def test_without_a_browser_it_is_said_what_to_do(page, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(SiffraError, match=r"no Chromium .* open .*report\.html in a browser"):
        write_pdf(page)


def test_a_browser_that_fails_leaves_nothing(page, tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "exit 1")

    with pytest.raises(SiffraError, match="it wrote no file"):
        write_pdf(page)
    assert not page.with_suffix(".pdf").exists()


def test_a_browser_that_hangs_is_ended(page, tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(pdf, "_PATIENCE", 0.2)

    with pytest.raises(SiffraError, match="it took longer than 0 s"):
        write_pdf(page)
