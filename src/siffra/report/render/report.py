"""Writes a report: the page, its Markdown, its figures and its data, all or nothing."""

from pathlib import Path

from siffra.lab.answers import Answers
from siffra.report.render import files
from siffra.report.render.pages import html_page, markdown_page, write_folder
from siffra.report.text.asked import in_words
from siffra.report.text.messages import Words, words_in
from siffra.report.view import view
from siffra.training.diagnostics import Examined


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
    return write_folder(render(answers, words_in(language), examined), Path(out))


def render(answers: Answers, words: Words, examined: Examined | None = None) -> dict[str, bytes]:
    """The content of every file of a report, by its path within the report's folder."""
    answers = in_words(answers, words)
    shown = view(answers, words, examined)
    rows = files.run_rows(answers)
    texts = {
        "report.html": html_page("report.html", words, it=shown),
        "report.md": markdown_page("report.md", words, it=shown),
        "results.json": files.results_json(answers, words, examined),
        "runs.csv": files.runs_csv(rows),
    }
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    contents["runs.parquet"] = files.runs_parquet(rows)
    for drawing in shown.drawings:
        contents[f"figures/{drawing.name}.{drawing.kind}"] = drawing.content
    return contents
