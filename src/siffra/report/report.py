"""Writes a report: the page, its Markdown, its figures and its data, all or nothing."""

import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from siffra.errors import SiffraError
from siffra.examination import Examined
from siffra.lab.verdicts import Answers
from siffra.report import data_files, markdown
from siffra.report.figures import Drawing, for_page
from siffra.report.view import ReportView, view
from siffra.report.words import Words, words_in


def write_report(
    answers: Answers, out: Path, language: str = "en", examined: Examined | None = None
) -> list[Path]:
    """Write `answers` to the folder `out`, replacing an older report's files there.

    `examined` has what is known of the networks themselves; without it, figures that rest on
    that are left out. Every file is made before the first is put in its place, each by a rename,
    the page last.

    Returns:
        The files written: `report.html`, `report.md`, `results.json`, `runs.csv`,
        `runs.parquet` and those in `figures/`; the page first.

    Raises:
        SiffraError: There is no such language, or `out` cannot be written.
    """
    contents = render(answers, words_in(language), examined)
    out = Path(out)
    try:
        _write(contents, out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiffraError(f"{out}: the report cannot be written there: {reason}.") from error
    return [out / name for name in contents]


def render(answers: Answers, words: Words, examined: Examined | None = None) -> dict[str, bytes]:
    """The content of every file of a report, by its path within the report's folder."""
    shown = view(answers, words, examined)
    rows = data_files.run_rows(answers)
    texts = {
        "report.html": _html(shown, words),
        "report.md": _markdown(shown, words),
        "results.json": data_files.results_json(answers, words),
        "runs.csv": data_files.runs_csv(rows),
    }
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    contents["runs.parquet"] = data_files.runs_parquet(rows)
    for drawing in shown.drawings:
        contents[f"figures/{drawing.name}.{drawing.kind}"] = drawing.content
    return contents


def _html(shown: ReportView, words: Words) -> str:
    def picture(drawing: Drawing) -> Markup:
        return Markup(for_page(drawing))

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_template("report.html"))
    css = Markup(_template("report.css"))
    return template.render(it=shown, words=words, css=css, for_page=picture)


def _markdown(shown: ReportView, words: Words) -> str:
    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else markdown.escape(str(value))

    def code(text: str) -> Markup:
        return Markup(markdown.code(text))

    environment = Environment(finalize=finalize, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_template("report.md"))
    return template.render(it=shown, words=words, code=code).strip() + "\n"


def _template(name: str) -> str:
    return files("siffra.report").joinpath("templates", name).read_text("utf-8")


def _write(contents: dict[str, bytes], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
    try:
        for name, content in contents.items():
            path = made / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        (out / "figures").mkdir(exist_ok=True)
        for name in reversed(contents):
            os.replace(made / name, out / name)
    finally:
        shutil.rmtree(made, ignore_errors=True)
