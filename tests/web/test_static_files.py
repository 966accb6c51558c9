"""The page's files as they are served: found at once, and asked for once."""

import re
from pathlib import PurePosixPath
from posixpath import normpath

import pytest
from starlette.responses import Response

from siffra.report.text.messages import LANGUAGES
from siffra.web.static_files import FIRST, FOLDER, KINDS, StaticFiles, modules

IMPORT = re.compile(r'^import [^;]*?"(\.[^"]+)";', re.MULTILINE)


@pytest.fixture
def page(ui) -> str:
    return ui.ask("/").body.decode()


def ahead(page: str) -> list[str]:
    """The modules that the page names before one of them is read."""
    found = re.findall(r'<link rel="modulepreload" href="(?:[\w/]+?)/(modules/[^"]+)">', page)
    assert len(found) == page.count("modulepreload")
    return found


def test_the_page_names_ahead_every_module_that_the_first_view_runs_with(page):
    seen, new = set(), set(FIRST)
    while new:
        seen |= new
        imported = {
            normpath(PurePosixPath(name).parent / each)
            for name in new
            for each in IMPORT.findall((FOLDER / name).read_text("utf-8"))
        }
        new = imported - seen

    assert sorted(ahead(page)) == sorted(seen)


def test_the_first_view_needs_neither_charts_nor_other_views(page):
    """They come after the form: each module is a request."""
    folders = {PurePosixPath(name).parts[1] for name in ahead(page)}

    assert not folders & {"charts", "playground"}
    assert "vendor" not in page.replace("vendor/uplot/uPlot.css", "").replace("vendor/inter", "")
    assert len(ahead(page)) <= 20


def test_a_module_that_two_others_import_is_named_once():
    files = {"a.js": b'import "./b.js";', "b.js": b'import x from "./c/d.js";', "c/d.js": b""}
    files["a.js"] += b'\nimport { y } from "./c/d.js";\nconst later = import("./e.js");'

    assert modules(files, ["a.js"]) == ["a.js", "b.js", "c/d.js"]


def test_every_address_in_the_page_is_one_that_is_answered_and_kept(ui, page):
    addresses = re.findall(r'(?:href|src)="([^"#]+)"', page)

    assert len(addresses) > 20
    for address in addresses:
        answer = ui.ask(f"/{address}")
        assert answer.status == 200
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_the_page_itself_is_asked_for_each_time(ui):
    assert ui.ask("/").headers["cache-control"] == "no-cache"


def test_a_change_in_any_file_changes_every_address(monkeypatch, tmp_path):
    before = {path for path in StaticFiles(Response()).files if path.startswith("/static/")}
    for path in FOLDER.rglob("*"):
        if path.suffix in KINDS:
            copied = tmp_path / path.relative_to(FOLDER)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    (tmp_path / "style.css").write_text("/* another */", encoding="utf-8")
    monkeypatch.setattr("siffra.web.static_files.FOLDER", tmp_path)

    after = {path for path in StaticFiles(Response()).files if path.startswith("/static/")}

    assert len(after) == len(before)
    assert not after & before


def test_the_page_says_which_languages_there_are(page):
    assert f'data-languages="{" ".join(LANGUAGES)}"' in page
