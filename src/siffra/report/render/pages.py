"""Pages from templates, in HTML and Markdown, and folders that are written whole or not at all."""

import os
import re
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from siffra.errors import SiffraError
from siffra.lab.plan.texts import safe_name
from siffra.report.drawing import Drawing, for_page
from siffra.report.intervals import glance
from siffra.report.text import tables
from siffra.report.text.messages import Words, capital
from siffra.report.text.verdicts import score
from siffra.system.atomic_write import part_folder

_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~#!$])")
_NEW_LINE = re.compile(r"[ \t]*[\r\n\v\f\x1c-\x1e\u0085\u2028\u2029]+[ \t]*")
# Not `\s`: no-break spaces keep numbers with their units.


def html_page(template: str, words: Words, **shown: object) -> str:
    """The template as a page that needs nothing but itself; all that it is given is text."""

    def picture(drawing: Drawing) -> Markup:
        return Markup(for_page(drawing))

    environment = _environment(words, autoescape=True)
    environment.globals.update(css=Markup(_text("report.css")), for_page=picture)
    return environment.get_template(template).render(**shown)


def markdown_page(template: str, words: Words, **shown: object) -> str:
    """The template as Markdown; all that it is given is text."""

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else escape_markdown(str(value))

    def code(text: str) -> Markup:
        # One line of a fenced block, which it cannot end.
        return Markup(" ".join(text.split()).replace("```", "'''"))

    environment = _environment(words, finalize=finalize)
    environment.globals.update(code=code)
    return environment.get_template(template).render(**shown).strip() + "\n"


def escape_markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it as it is: no markup, no HTML, no new line."""
    line = _NEW_LINE.sub(" ", text)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def write_folder(contents: Mapping[str, bytes], out: Path) -> list[Path]:
    """Write files by their paths within `out`; each is put in its place when all are made.

    The first of them is put there last.

    Raises:
        SiffraError: `out` cannot be written.
    """
    try:
        _write(contents, out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiffraError(f"{out}: the report cannot be written there: {reason}.") from error
    return [out / name for name in contents]


def anchor(question: str) -> str:
    """The id of a question's section."""
    return safe_name(f"question-{question}")


def _environment(words: Words, **options: Any) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text), undefined=StrictUndefined, trim_blocks=True, **options
    )
    environment.globals.update(words=words, tables=tables, anchor=anchor, glance=glance)
    environment.globals["score"] = partial(score, words)
    environment.filters["capital"] = capital
    return environment


def _text(name: str) -> str:
    return files("siffra.report.render").joinpath("templates", name).read_text("utf-8")


def _write(contents: Mapping[str, bytes], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with part_folder(out) as made:
        for name, content in contents.items():
            path = made / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        for name in reversed(list(contents)):
            (out / name).parent.mkdir(exist_ok=True)
            os.replace(made / name, out / name)
