"""The documentation: the site has every page, and the tutorial's commands print what it shows."""

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main

import siffra
from siffra.cli import app
from siffra.report.model.measured import Measured, Part

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = runpy.run_path(str(DOCS / "made_pages.py"))
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")

_NUMBER = r"−?\d+(?:\.\d+)?"
_CLOSE, _SMALL = 2.0, 5.0
"""Percentage points by which accuracies may differ between kinds of CPU. Numbers below `_SMALL`
are times and half-widths, whose values are not compared."""


def test_the_site_has_every_page():
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r"[a-z_]+\.md", text))
    made = {*MADE["PAGES"].values(), "commands.md", "results.md"}
    pages = {path.name for path in DOCS.rglob("*.md")} | made
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


def test_the_page_of_results_has_every_field_with_its_meaning():
    text = "\n".join(MADE["results"]())
    parts = [part for part in parts_of(Part) if part is not Measured]

    for part in parts:
        section = text.partition(f"\n## {part.__name__}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.+) \| (\S.*\S) \|$", section, re.MULTILINE)
        assert [field for field, *_ in rows] == list(part.model_fields)
    assert len(parts) == text.count("\n## ") > 15
    assert "| `verdict` | `supported` or `refuted` or " in text
    assert "| `claims` | list of [Claim](#claim) |" in text


def parts_of(base):
    """The parts of a report, each with those that it is a base of; not what a page adds."""
    for part in base.__subclasses__():
        if part.__module__.startswith("siffra.report.model"):
            yield part
            yield from parts_of(part)


def test_the_page_on_python_has_every_public_function():
    text = (DOCS / "python.md").read_text("utf-8")
    paths = re.findall(r"^::: (\S+)$", text, re.MULTILINE)

    documented = [
        getattr(importlib.import_module(module), name)
        for module, _, name in (path.rpartition(".") for path in paths)
    ]

    assert all(each.__doc__ for each in documented)
    for name in set(siffra.__all__) - {"__version__"}:
        assert getattr(siffra, name) in documented, f"docs/python.md lacks {name}"
        assert f"`siffra.{name}`" in text.partition(":::")[0], f"its table lacks {name}"


def test_the_citation_has_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")

    assert f"\nversion: {siffra.__version__}\n" in text


def steps(page: str) -> list[tuple[str, str, str]]:
    """The steps of a page: (kind, command or source, output shown)."""
    blocks = re.findall(r"```(console|python|text|toml)\n(.*?)```", page, re.DOTALL)
    listed = []
    for kind, content in blocks:
        if kind == "console":
            command, _, output = content.partition("\n")
            listed.append((kind, command.removeprefix("$ "), output))
        elif kind == "text":
            listed[-1] = (*listed[-1][:2], content)
        else:
            listed.append((kind, content, ""))
    return listed


def essence(output: str) -> list[str]:
    """The words of an output, without drawings and without what depends on clock and cores."""
    text = re.sub(r"(?m)^.*│.*$|─+", "", output)
    text = " ".join(text.split())
    text = re.sub(r"about [\d.]+ (?:s|min) of training(?:, \d+ runs in parallel)?", "", text)
    text = re.sub(r"(?<=[\d)])\*", "", text)  # marks a time of a busy machine
    text = re.sub(
        r"With [^.]*(?:\.\d[^.]*)*on a busy machine[^.]*\.|\* Some of these[^.]*\.", "", text
    )
    text = re.sub(r"Training takes (?:[^.]|\.\d)*\.", "", text)
    text = re.sub(rf"± {_NUMBER}|\({_NUMBER}–{_NUMBER}\)", "", text)
    return text.split()


def assert_same(shown: str, printed: str) -> None:
    for part in shown.split("…\n"):
        expected = essence(part)
        actual = essence(printed) if part == shown else essence(printed)[: len(expected)]
        assert len(actual) == len(expected), printed
        for word, counterpart in zip(expected, actual, strict=True):
            numbers = [re.search(_NUMBER, each) for each in (word, counterpart)]
            if not all(numbers):
                assert word == counterpart, printed
                continue
            wanted, got = (float(number[0].replace("−", "-")) for number in numbers if number)
            assert abs(wanted) < _SMALL or abs(wanted - got) <= _CLOSE, (word, counterpart)


def test_the_tutorial_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    environment = os.environ | {"COLUMNS": "100"}

    for kind, source, shown in steps(TUTORIAL):
        if kind == "toml":
            Path("my-lab.toml").write_text(source, encoding="utf-8")
        elif kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, "tutorial.md", "exec"), {})
            assert_same(shown, printed.getvalue())
        else:
            done = subprocess.run(
                [sys.executable, "-m", *source.split()],
                capture_output=True, text=True, env=environment,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert_same(shown, done.stdout)
    for name in ("siffra-report/report.html", "rapport/report.html", "digits.safetensors"):
        assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["judge.md", "command.md", "search.md"])
def test_a_page_shows_what_its_commands_print(name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    page = (DOCS / name).read_text("utf-8")
    shown = [step for step in steps(page) if step[0] == "console"]

    assert shown
    for _, command, output in shown:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert_same(output, done.stdout)


def test_the_examples_on_programs_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    page = (DOCS / "command.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(source, "command.md", "exec"), {})

    assert "Better: val_loss, lr 0.3 against lr 0.03" in capsys.readouterr().out


def test_the_examples_on_functions_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "functions.md").read_text("utf-8")
    names = {"__name__": "__main__"}
    printed: list[str] = []
    for kind, source, _ in steps(page):
        assert kind == "python"
        exec(compile(source, "functions.md", "exec"), names)
        printed.append(capsys.readouterr().out)
    answer, verdict, best = printed

    said = ("Shown: ", "Better: ", "Held fixed: ")  # and not how long runs took
    shown = [line for line in steps(page)[0][2].splitlines() if line.startswith(said)]
    assert shown == [line for line in answer.splitlines() if line.startswith(said)] != []
    assert verdict.startswith("supported -0.21")
    assert best.startswith("Found: lr 0.")
    assert (tmp_path / "report" / "report.html").exists()


def test_the_example_on_searching_runs(capsys):
    page = (DOCS / "search.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(source, "search.md", "exec"), {})

    answer, *_, chosen = capsys.readouterr().out.strip().split("\n")
    assert "Shown: val_loss is " in answer
    assert "'width': 64" in chosen


def test_options_in_the_workflow_of_the_page_on_programs_are_there():
    page = (DOCS / "command.md").read_text("utf-8")
    (workflow,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    vary = typer.main.get_command(app).commands["vary"]  # pyright: ignore[reportAttributeAccessIssue]
    known = {name for parameter in vary.params for name in parameter.opts}

    # In quotes are the options of the program.
    assert set(re.findall(r"--[a-z-]+", re.sub(r'"[^"]*"', "", workflow))) <= known


def test_the_examples_on_judging_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    page = (DOCS / "judge.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    frame = [
        {"width": width, "seed": seed, "accuracy": 0.9 + 0.01 * (width > 8) + 0.001 * (seed % 3)}
        for width in (8, 16)
        for seed in range(6)
    ]
    exec(compile(source, "judge.md", "exec"), {"frame": frame})

    assert "width 16 is better than width 8 in accuracy." in capsys.readouterr().out


def test_an_outcome_that_is_shown_wrongly_would_be_seen():
    printed = (
        "256 neurons is best: 96.8 ± 0.1 %. Training takes 1.3 times as long with 256 neurons."
    )

    assert_same("256 neurons is best: 96.1 ± 0.4 %.", printed)
    wrong_ones = printed.replace("96.8", "92"), printed.replace("best", "worst"), printed + " More."
    for wrong in wrong_ones:
        with pytest.raises(AssertionError):
            assert_same(printed, wrong)
