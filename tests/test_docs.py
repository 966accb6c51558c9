"""The documentation: what its pages show is what happens, and the site has all of them."""

import contextlib
import importlib
import io
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main

import siffra
from siffra.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = runpy.run_path(str(DOCS / "made_pages.py"))
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")

_NUMBER = r"−?\d+(?:\.\d+)?"
_CLOSE, _SMALL = 2.0, 5.0
"""Points by which accuracies may differ between kinds of CPU; below the other, numbers are times
and half-widths, of which only that they stand there is compared."""


def test_the_site_has_every_page():
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r"[a-z_]+\.md", text))
    pages = {path.name for path in DOCS.rglob("*.md")} | {*MADE["PAGES"].values(), "commands.md"}
    nav = [{"Home": "index.md"}, {"How to": sorted(named - {"index.md"})}]

    MADE["on_config"](SimpleNamespace(nav=nav))

    assert named <= pages
    assert sorted(["index.md", *nav[1]["How to"]]) == sorted(pages)


@pytest.mark.parametrize("path", [*sorted(DOCS.glob("*.md")), *ROOT.glob("*.md")], ids=str)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), target
        if path.parent == DOCS and target.startswith("../"):
            assert target.removeprefix("../") in {*MADE["LINKED"], *MADE["PAGES"]}


def test_the_page_of_commands_has_every_command():
    def paths(group, path):
        for name, command in group.commands.items():
            yield f"{path} {name}"
            yield from paths(command, f"{path} {name}") if hasattr(command, "commands") else ()

    text = "\n".join(MADE["commands"]())

    assert re.findall(r"^## `(.*)`$", text, re.MULTILINE) == list(
        paths(typer.main.get_command(app), "siffra")
    )
    assert "| <code>--preset quick&#124;standard&#124;full</code> |" in text
    assert "| <code>KNOB=V1,V2,...</code> |" in text


def test_the_page_on_python_has_every_public_function():
    named = re.findall(r"^::: (\S+)$", (DOCS / "python.md").read_text("utf-8"), re.MULTILINE)

    found = [
        getattr(importlib.import_module(module), name)
        for module, _, name in (each.rpartition(".") for each in named)
    ]

    assert all(each.__doc__ for each in found)
    for name in set(siffra.__all__) - {"__version__"}:
        assert getattr(siffra, name) in found, f"docs/python.md lacks {name}"


def test_the_citation_has_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")

    assert f"\nversion: {siffra.__version__}\n" in text


def steps(page: str) -> list[tuple[str, str, str]]:
    """What a page does: (kind, command or source, what is shown of the outcome)."""
    found = re.findall(r"```(console|python|text|toml)\n(.*?)```", page, re.DOTALL)
    taken = []
    for kind, content in found:
        if kind == "console":
            command, _, outcome = content.partition("\n")
            taken.append((kind, command.removeprefix("$ "), outcome))
        elif kind == "text":
            taken[-1] = (*taken[-1][:2], content)
        else:
            taken.append((kind, content, ""))
    return taken


def essence(told: str) -> list[str]:
    """The words of what was printed, without drawings, and without what depends on the clock."""
    text = re.sub(r"(?m)^.*│.*$|─+", "", told)
    text = " ".join(text.split())
    times = r"(?:(?:but |and )?training|though|no clear difference in training)"
    text = re.sub(rf"[,;] {times}.*?(?=\.(?: [A-Z]|$))", "", text)
    text = re.sub(r"about [\d.]+ (?:s|min) of training", "", text)
    text = re.sub(r"(?<=[\d)])\*", "", text)  # marks a time of a busy machine
    text = re.sub(
        r"With [^.]*(?:\.\d[^.]*)*on a busy machine[^.]*\.|\* Some of these[^.]*\.", "", text
    )
    text = re.sub(rf"± {_NUMBER}|\({_NUMBER}–{_NUMBER}\)", "", text)
    return text.split()


def assert_same(shown: str, told: str) -> None:
    for part in shown.split("…\n"):
        expected = essence(part)
        found = essence(told) if part == shown else essence(told)[: len(expected)]
        assert len(found) == len(expected), told
        for one, other in zip(expected, found, strict=True):
            numbers = [re.search(_NUMBER, word) for word in (one, other)]
            if not all(numbers):
                assert one == other, told
                continue
            wanted, got = (float(number[0].replace("−", "-")) for number in numbers if number)
            assert abs(wanted) < _SMALL or abs(wanted - got) <= _CLOSE, (one, other)


def test_the_tutorial_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    environment = os.environ | {"COLUMNS": "100"}

    for kind, said, shown in steps(TUTORIAL):
        if kind == "toml":
            Path("my-lab.toml").write_text(said, encoding="utf-8")
        elif kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as told:
                exec(compile(said, "tutorial.md", "exec"), {})
            assert_same(shown, told.getvalue())
        else:
            done = subprocess.run(
                [sys.executable, "-m", *said.split()],
                capture_output=True, text=True, env=environment,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert_same(shown, done.stdout)
    for name in ("siffra-report/report.html", "rapport/report.html", "digits.safetensors"):
        assert (tmp_path / name).exists()


def test_an_outcome_that_is_shown_wrongly_would_be_seen():
    told = "256 neurons is best, with 96.8 ± 0.1 %; no clear difference in training time."

    assert_same("256 neurons is best, with 96.1 ± 0.4 %, but training takes longer.", told)
    for wrong in (told.replace("96.8", "92"), told.replace("best", "worst"), told + " More."):
        with pytest.raises(AssertionError):
            assert_same(told, wrong)
