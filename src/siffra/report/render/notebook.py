"""Answers as a little HTML, for a notebook's output cell; the full page is `report.html`."""

from collections.abc import Iterable, Sequence
from html import escape

from siffra.report.model import Question, Report
from siffra.report.render.terminal import failure_lines, fixed_line, levels_table
from siffra.report.text.messages import Words
from siffra.report.text.tables import added_table


def lab_html(report: Report) -> str:
    """Every question with its answer, table and verdicts."""
    words = report.words
    parts = [_question(question, words) for question in report.questions]
    if len(parts) > 1:
        parts.insert(0, f"<p><b>{escape(report.title)}</b> {escape(report.summary)}</p>")
    if report.limits:
        limits = "".join(f"<li>{escape(limit)}</li>" for limit in report.limits)
        parts.append(f"<p>{escape(words('head.limits'))}:</p><ul>{limits}</ul>")
    return "".join(parts)


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; everything in it is text."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(headings, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _question(question: Question, words: Words) -> str:
    sentences = [part.sentence for part in (*question.claims, *question.interactions)]
    return (
        f"<p><b>{escape(question.ask)}</b> {escape(question.answer)}</p>"
        f"{_added(question, words)}"
        f"{html_table(*levels_table(question, words))}"
        f"{''.join(f'<p>{escape(line)}</p>' for line in failure_lines(question))}"
        f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"
        f"<p>{escape(fixed_line(question, words))}</p>"
    )


def _added(question: Question, words: Words) -> str:
    table = added_table(words, question)
    if table is None:
        return ""
    title, note = escape(words("head.added")), escape(question.added_text)
    return f"<p>{title}:</p>{html_table(*table.texts)}<p>{note}</p>"
