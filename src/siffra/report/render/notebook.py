"""Answers as a little HTML, for a notebook's output cell; the full page is `report.html`."""

from collections.abc import Iterable, Sequence
from html import escape

from siffra.lab.answers import Answers, QuestionAnswer
from siffra.report.render.terminal import fixed_words, levels_table
from siffra.report.text.ablation import added_note
from siffra.report.text.interactions import interaction_sentence, interactions
from siffra.report.text.messages import words_in
from siffra.report.text.narrative import answer_sentence, summary_sentence, verdict_sentence
from siffra.report.text.tables import Table, added_table


def lab_html(answers: Answers, language: str = "en") -> str:
    """Every question with its answer, table and verdicts."""
    parts = []
    if len(answers.questions) > 1:
        title = words_in(language).say(answers.plan.title)
        parts = [f"<p><b>{escape(title)}</b> {escape(summary_sentence(answers, language))}</p>"]
    return "".join([*parts, *(_question(question, language) for question in answers.questions)])


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; everything in it is text."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(headings, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _question(answer: QuestionAnswer, language: str) -> str:
    ask = words_in(language).say(answer.question.ask)
    verdicts = (verdict_sentence(claim, answer.question, language) for claim in answer.claims)
    added = added_table(words_in(language), answer)
    found = (interaction_sentence(i) for i in interactions(words_in(language), answer))
    return (
        f"<p><b>{escape(ask)}</b> {escape(answer_sentence(answer, language))}</p>"
        f"{_added(added, answer, language) if added else ''}"
        f"{html_table(*levels_table(answer, language))}"
        f"<ul>{''.join(f'<li>{escape(verdict)}</li>' for verdict in (*verdicts, *found))}</ul>"
        f"<p>{escape(fixed_words(words_in(language), answer))}</p>"
    )


def _added(table: Table, answer: QuestionAnswer, language: str) -> str:
    words = words_in(language)
    title, note = escape(words("head.added")), escape(added_note(words, answer))
    return f"<p>{title}:</p>{html_table(*table.texts)}<p>{note}</p>"
