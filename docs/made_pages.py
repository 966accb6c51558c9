"""MkDocs hook that adds pages from outside this folder: see `mkdocs.yml`.

README.md becomes the front page, SECURITY.md a page; the page of commands is generated from the
command line. Files that the pages link to are copied.
"""

# pyright: reportMissingImports=false
# Only `make docs` installs MkDocs.

import ast
import re
import sys
from collections.abc import Iterator
from enum import Enum
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "src"))

PAGES = {"README.md": "index.md", "SECURITY.md": "security.md"}
"""Pages from the repository root, and their names on the site."""
LINKED = (
    "LICENSE",
    "src/siffra/data/MNIST-LICENSE.md",
    "src/siffra/lab/digits.toml",
    *(
        str(path.relative_to(ROOT))
        for kind in ("toml", "py", "csv")
        for path in sorted((ROOT / "examples").rglob(f"*.{kind}"))
    ),
)
"""Files outside this folder that its pages or README.md link to."""


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Put pages that `mkdocs.yml` does not name under *How to*."""
    nav: Any = config.nav
    (how_to,) = (part["How to"] for part in nav if isinstance(part, dict) and "How to" in part)
    named = re.findall(r"[a-z_]+\.md", str(nav))
    how_to += sorted(path.name for path in DOCS.glob("*.md") if path.name not in named)
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages and the linked files."""
    from mkdocs.structure.files import File

    pages = {site: page(name) for name, site in PAGES.items()}
    pages["commands.md"] = "\n".join(commands())
    pages["results.md"] = "\n".join(results())
    pages |= {site_path(name): (ROOT / name).read_text("utf-8") for name in LINKED}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links to files outside this folder at their copies on the site."""
    return re.sub(r"\]\(\.\./([^)#]+)", lambda link: f"]({site_path(link[1])}", markdown)


def site_path(name: str) -> str:
    """The site path of a file in the repository."""
    return PAGES.get(name, f"files/{name}.txt")


def page(name: str) -> str:
    """A page from the repository root, with its links made relative to this folder."""
    text = (ROOT / name).read_text("utf-8").replace("](examples/)", "](examples/shapes.toml)")
    return re.sub(r"\]\((?!https?:|#)(?:docs/)?([^)]+)", _from_here, text)


def _from_here(link: re.Match[str]) -> str:
    return f"]({link[1]}" if link[0].startswith("](docs/") else f"](../{link[1]}"


def commands() -> Iterator[str]:
    """The page of commands: description, examples and options of each."""
    import typer.main

    from siffra.cli import app

    yield "# Commands\n"
    yield "After this page you know every command and option. "
    yield "`siffra COMMAND --help` prints the same.\n"
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
            text = " ".join((parameter.help or "").split())
            yield f"| <code>{_cell(_usage(parameter))}</code> | {_cell(text)} |"
    yield ""


def _usage(parameter: Any) -> str:
    """An option with its value, or the name of an argument."""
    if not parameter.opts[0].startswith("-"):
        return parameter.metavar or parameter.opts[0].upper()
    return f"{parameter.opts[0]} {_value(parameter)}".strip()


def _value(parameter: Any) -> str:
    """The placeholder for an option's value, or its choices."""
    kind = parameter.type_descriptor.annotation
    if not parameter.metavar and isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(member.value for member in kind)
    return parameter.metavar or ""


def results() -> Iterator[str]:
    """The page of `results.json`: the fields of each of its objects, with types and meanings."""
    from siffra.report import model

    schema = model.Report.model_json_schema(mode="serialization")
    meanings = _meanings(Path(model.__file__).parent)
    yield (
        "# results.json\n\nAfter this page you can read a report from a program. `siffra lab` and "
        "`siffra vary --out` write the file, and `--json` prints it. It is one "
        f"[Report](#report), in version {model.SCHEMA_VERSION} of the format. Accuracies are "
        "fractions, times are in seconds, and a number that is not finite is null. Later versions "
        "of siffra may add fields; `schema_version` rises if the meaning of one changes.\n"
    )
    for name, part in {"Report": schema, **schema["$defs"]}.items():
        meaning, fields = meanings[name]
        yield f"## {name}\n\n{meaning}\n\n| field | type | meaning |\n|---|---|---|"
        for field, kind in part["properties"].items():
            yield f"| `{field}` | {_kind(kind)} | {fields[field].replace('|', '&#124;')} |"
        yield ""


def _meanings(package: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """The docstrings of a package's classes and of their fields, inherited ones included."""
    classes: dict[str, tuple[str, dict[str, str]]] = {}
    trees = [ast.parse(path.read_text("utf-8")) for path in package.glob("*.py")]
    for node in (node for tree in trees for node in tree.body):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        fields = {k: v for base in bases if base in classes for k, v in classes[base][1].items()}
        for field, text in pairwise(node.body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(meaning))),
                ):
                    fields[name] = " ".join(meaning.split())
        classes[node.name] = ast.get_docstring(node) or "", fields
    return classes


def _kind(schema: dict[str, Any]) -> str:
    """A JSON type in words."""
    match schema:
        case {"$ref": name}:
            part = name.rpartition("/")[2]
            return f"[{part}](#{part.lower()})"
        case {"anyOf": kinds}:
            names = dict.fromkeys(_kind(kind) for kind in kinds)
            # A number may happen to be whole: that is no type of its own.
            return " or ".join(n for n in names if n != "integer" or "number" not in names)
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"prefixItems": kinds}:
            return f"pair of {' and '.join(dict.fromkeys(map(_several, kinds)))}"
        case {"type": "array", "items": kind}:
            return f"list of {_several(kind)}"
        case {"type": "object", "additionalProperties": dict(kind)}:
            return f"object of {_several(kind)}"
        case {"type": str(kind)}:
            return kind
        case _:
            return "any"


def _several(schema: dict[str, Any]) -> str:
    """The type of a list's items."""
    kind = _kind(schema)
    return f"({kind})" if " or " in kind else kind


def _cell(text: str) -> str:
    return escape(text, quote=False).replace("|", "&#124;")
