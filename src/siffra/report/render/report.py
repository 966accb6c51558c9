"""Writes a report: the page, its Markdown, its figures and its data, all or nothing."""

from pathlib import Path

from siffra.lab.answers import Answers
from siffra.report.build import Captions, build
from siffra.report.figures import LabFigures, figures_of
from siffra.report.model import NAME, Figure, Report
from siffra.report.render.files import run_rows, runs_csv, runs_parquet
from siffra.report.render.pages import html_page, markdown_page, write_folder
from siffra.report.text.messages import Words, words_in
from siffra.training.examination import Examined


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
    words = words.about(pairs=answers.plan.paired, is_claimed=not answers.plan.ad_hoc)
    figures = figures_of(answers, words, examined)
    report = build(answers, words, examined, captions_of(figures))
    drawings = {sketch.name: sketch.drawing() for sketch in figures.all}
    rows = run_rows(answers)
    texts = {
        "report.html": html_page("report.html", words, report=report, drawings=drawings),
        "report.md": markdown_page("report.md", words, report=report, drawings=drawings),
        NAME: report.dump(),
        "runs.csv": runs_csv(rows),
    }
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    contents["runs.parquet"] = runs_parquet(rows)
    for drawing in drawings.values():
        contents[f"figures/{drawing.name}.{drawing.kind}"] = drawing.content
    return contents


def report_of(answers: Answers, words: Words, examined: Examined | None = None) -> Report:
    """The report as `results.json` has it, with the captions of its figures."""
    words = words.about(pairs=answers.plan.paired, is_claimed=not answers.plan.ad_hoc)
    return build(answers, words, examined, captions_of(figures_of(answers, words, examined)))


def captions_of(figures: LabFigures) -> Captions:
    """The captions, without the figures."""
    return [
        [Figure(name=sketch.name, caption=sketch.caption) for sketch in sketches]
        for sketches in (*figures.questions, figures.experiments)
    ]
