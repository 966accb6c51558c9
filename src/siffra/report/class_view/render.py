"""The table of a class, rendered: as a page, as Markdown, in the terminal, as JSON."""

from collections.abc import Iterable
from pathlib import Path

from siffra.report.class_view.labs import VIEW, read_class
from siffra.report.class_view.table import Cell, ClassView, Row, class_view
from siffra.report.render.pages import html_page, markdown_page, write_folder
from siffra.report.text.messages import GAP, Words, words_in

PAGE = "class.html"
_SIGNS = {"supported": "✓", "refuted": "✗", "no_difference": "=", "inconclusive": "?"}


def write_class(folder: Path, out: Path, language: str = "en") -> ClassView:
    """Set the reports in `folder` side by side; write `class.html`, `.md` and `.json` to `out`.

    Raises:
        SiffraError: There are none, or `out` cannot be written.
    """
    words = words_in(language)
    labs, notes = read_class(folder, out, words)
    shown = class_view(labs, words, notes)
    pages = {
        PAGE: html_page(PAGE, words, it=shown),
        "class.md": markdown_page("class.md", words, it=shown, sign=sign),
        VIEW: shown.dump(),
    }
    write_folder({name: text.encode("utf-8") for name, text in pages.items()}, out)
    return shown


def class_text(shown: ClassView, words: Words) -> str:
    """The table in plain text: a line a claim, in which each lab has its numbered column."""
    names = [f"{i:>4} {lab.name}" for i, lab in enumerate(shown.labs, start=1)]
    blocks = [[shown.title, shown.summary], shown.unlike, names]
    head = _columns(map(str, range(1, len(names) + 1)))
    for question in shown.questions:
        lines = [line for row in question.rows for line in _lines(row, words)]
        blocks.append([f"({question.label}) {_flat(question.ask)}", head, *lines])
    blocks.append(
        [
            f"({lone.label}) {shown.labs[lone.lab].name}, {lone.cell.verdict_text}: "
            f"{_flat(lone.say)}"
            for lone in shown.alone
        ]
    )
    if shown.alone:
        blocks[-1].insert(0, f"{words('class.alone')}:")
    blocks += [[words("class.legend_plain")], shown.notes]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines).replace(GAP, " ")


def sign(cell: Cell | None) -> str:
    """`✓`, `(✓)` if it is only likely, `✓*` if it is not about the same as the others."""
    if cell is None:
        return ""
    mark = _SIGNS.get(cell.code.removeprefix("likely_"), "–")
    mark = f"({mark})" if cell.code.startswith("likely_") else mark
    return f"{mark}*" if cell.differs else mark


def _lines(row: Row, words: Words) -> tuple[str, str]:
    pooled = words("class.of", k=row.supported, n=row.tested)
    return _columns(map(sign, row.cells)), f"      {pooled}: {_flat(row.say)}"


def _columns(texts: Iterable[str]) -> str:
    return "  " + "".join(f"{text:>4}" for text in texts)


def _flat(text: str) -> str:
    return " ".join(text.split())
