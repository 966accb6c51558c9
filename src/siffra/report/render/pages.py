"""Pages from templates, in HTML and Markdown, and folders that are written whole or not at all."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from siffra.errors import SiffraError
from siffra.report.figures.style import Drawing, for_page
from siffra.report.render import markdown
from siffra.report.text.messages import Words
from siffra.system.atomic_write import part_folder


def html_page(template: str, words: Words, **shown: Any) -> str:
    """The template as a page that needs nothing but itself; all that it is given is text."""

    def picture(drawing: Drawing) -> Markup:
        return Markup(for_page(drawing))

    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(words=words, css=Markup(_text("report.css")), for_page=picture)
    return environment.get_template(template).render(**shown)


def markdown_page(template: str, words: Words, **shown: Any) -> str:
    """The template as Markdown; all that it is given is text."""

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else markdown.escape(str(value))

    def code(text: str) -> Markup:
        return Markup(markdown.code(text))

    environment = Environment(
        loader=FunctionLoader(_text),
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(words=words, code=code)
    return environment.get_template(template).render(**shown).strip() + "\n"


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
