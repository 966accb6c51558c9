"""What the site has beyond the pages in this folder: its front, the commands, files linked to.

A hook of MkDocs': see `mkdocs.yml`. README.md is the front page; the page of commands is made
from the command line itself.
"""

import re
import sys
from collections.abc import Iterator
from enum import EnumType
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "src"))

PAGES = {"README.md": "index.md", "SECURITY.md": "security.md"}
"""Pages from the repository's front, and what the site calls them."""
LINKED = (
    "LICENSE",
    "src/siffra/data/MNIST-LICENSE.md",
    "src/siffra/lab/digits.toml",
    *(f"examples/{path.name}" for path in sorted((ROOT / "examples").iterdir()) if path.is_file()),
)
"""Files outside of this folder that its pages, or README.md, link to."""


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Pages that `mkdocs.yml` does not name are how-tos."""
    nav: Any = config.nav
    (how_to,) = (part["How to"] for part in nav if isinstance(part, dict) and "How to" in part)
    named = re.findall(r"[a-z_]+\.md", str(nav))
    how_to += sorted(path.name for path in DOCS.glob("*.md") if path.name not in named)
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages that are made here, and the files that are linked to."""
    from mkdocs.structure.files import File

    made = {site: page(name) for name, site in PAGES.items()}
    made["commands.md"] = "\n".join(commands())
    made |= {site_path(name): (ROOT / name).read_text("utf-8") for name in LINKED}
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to files outside of this folder to where the site has them."""
    return re.sub(r"\]\(\.\./([^)#]+)", lambda link: f"]({site_path(link[1])}", markdown)


def site_path(name: str) -> str:
    """Where the site has a file of the repository's."""
    return PAGES.get(name, f"files/{name}.txt")


def page(name: str) -> str:
    """A page from the repository's front, with links as they are from this folder."""
    text = (ROOT / name).read_text("utf-8").replace("](examples/)", "](examples/shapes.toml)")
    return re.sub(r"\]\((?!https?:|#)(?:docs/)?([^)]+)", _from_here, text)


def _from_here(link: re.Match[str]) -> str:
    return f"]({link[1]}" if link[0].startswith("](docs/") else f"](../{link[1]}"


def commands() -> Iterator[str]:
    """The page of commands: of each, what it does, examples and options."""
    import typer.main

    from siffra.cli import app

    yield "# Commands\n\nWhat `siffra COMMAND --help` says.\n"
    yield from _group(typer.main.get_command(app), "siffra")


def _group(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield from _command(command, f"{path} {name}")
        if hasattr(command, "commands"):
            yield from _group(command, f"{path} {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    yield f"## `{path}`\n"
    text, _, examples = (command.help or "").partition("[dim]")
    yield re.sub(r"\[/?bold\]", "`", text).strip() + "\n"
    if examples:
        lines = examples.partition("\n")[2].strip().splitlines()
        yield "\n".join(["```console", *(f"$ {line.strip()}" for line in lines), "```\n"])
    if command.params:
        yield "| option | |\n|---|---|"
        for parameter in command.params:
            told = " ".join((parameter.help or "").split())
            yield f"| <code>{_cell(_spelled(parameter))}</code> | {_cell(told)} |"
    yield ""


def _spelled(parameter: Any) -> str:
    """An option with what follows it, or the place of an argument."""
    if not parameter.opts[0].startswith("-"):
        return parameter.metavar or parameter.opts[0].upper()
    return f"{parameter.opts[0]} {_taken(parameter)}".strip()


def _taken(parameter: Any) -> str:
    """What an option is followed by: its own word for it, or the words that it takes."""
    kind = parameter.type_descriptor.annotation
    words = [word.value for word in kind] if isinstance(kind, EnumType) else []
    return parameter.metavar or "|".join(words)


def _cell(text: str) -> str:
    return escape(text, quote=False).replace("|", "&#124;")
