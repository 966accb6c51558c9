"""Imports point one way: a module imports only from its own floor and the floors below it.

So do the modules of the page, which are JavaScript.
"""

import ast
import graphlib
import posixpath
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "siffra"

# From the ground up. A longer prefix beats a shorter one, so `lab.plan` is not on `lab`'s floor.
FLOORS = (
    "errors",
    "system",
    "config",
    "data",
    "results",
    "engine.command",
    "engine",
    "training",
    "store",
    "lab.stats.interim",
    "lab.plan",
    "lab.stats",
    "lab.execute",
    "lab",
    "search",
    "report",
    "export",
    "bench",
    "doctor",
    "api",
    "web",
    "cli",
    "__main__",
)

PAGE = PACKAGE / "web" / "static" / "modules"
PAGE_FLOORS = (
    "dom",
    "words",
    "theme",
    "colours",
    "route",
    "server",
    "jobs",
    "charts",
    "playground",
    "results",
    "judge",
    "ask",
    "shortcuts",
    "top",
    "main",
)
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")


def modules() -> dict[str, Path]:
    """Every module by its name below `siffra`; a package by its own name."""
    paths = (path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def floor(module: str) -> int | None:
    """The floor of the longest name in `FLOORS` that is `module` or a package around it."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in FLOORS:
            return FLOORS.index(name)
    return None


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Names below `siffra` that the file imports, anywhere in it, functions included."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("siffra.") for name in names if name.startswith("siffra."))


@pytest.mark.parametrize("module", sorted(modules()))
def test_every_module_has_a_floor(module):
    assert floor(module) is not None, f"give siffra.{module} a floor in FLOORS"


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module):
    own = floor(module)

    for name in imported(modules()[module]):
        below = floor(name)
        if below is None:
            assert "." not in name, f"siffra.{module} imports siffra.{name}, which has no floor"
            continue  # a name of `siffra` itself, such as __version__
        assert own is not None
        assert below <= own, f"siffra.{module} must not import siffra.{name}"


def test_few_imports_wait_for_a_call():
    """Only what brings an extra, or is heavy and seldom needed; commands import what they call."""
    waiting = {
        f"siffra.{module}:{node.lineno}"
        for module, path in modules().items()
        if not module.startswith("cli")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert len(waiting) <= 10, sorted(waiting)


def test_no_module_imports_itself_by_way_of_others():
    known = modules()
    graph = {
        module: {module_of(name, known) for name in imported(path)} - {module, None}
        for module, path in known.items()
    }

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules in the cycle


def module_of(name: str, known: Collection[str]) -> str | None:
    """The module that an imported name is, or is defined in."""
    return next((m for m in (name, name.rpartition(".")[0]) if m in known), None)


def test_the_table_has_no_floor_twice():
    assert len(set(FLOORS)) == len(FLOORS)


def test_an_upward_import_would_be_seen(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def late():\n    from siffra.cli import app\n    import siffra.lab.plan.plan\n"
    )

    assert imported(planted) == ("cli.app", "lab.plan.plan")
    assert floor("cli.app") == FLOORS.index("cli")
    assert floor("lab.plan.plan") == FLOORS.index("lab.plan")
    assert floor("lab.answers") == FLOORS.index("lab")


def page_modules() -> dict[str, Path]:
    """Every JavaScript module by its path below `modules`, without the suffix."""
    return {path.relative_to(PAGE).with_suffix("").as_posix(): path for path in PAGE.rglob("*.js")}


def page_imports(module: str, text: str) -> set[str]:
    """The modules that `module` imports, by the names in `page_modules`."""
    folder = posixpath.dirname(module)
    paths = [posixpath.normpath(posixpath.join(folder, name)) for name in _IMPORT.findall(text)]
    return {path.removesuffix(".js") for path in paths if not path.startswith("..")}


def page_floor(module: str) -> int:
    return PAGE_FLOORS.index(module.partition("/")[0])


@pytest.mark.parametrize("module", sorted(page_modules()))
def test_imports_of_the_page_point_down(module):
    for name in page_imports(module, page_modules()[module].read_text("utf-8")):
        assert name in page_modules(), f"{module}.js imports {name}.js, which is not there"
        assert page_floor(name) <= page_floor(module), f"{module}.js must not import {name}.js"


def test_no_module_of_the_page_imports_itself_by_way_of_others():
    texts = {module: path.read_text("utf-8") for module, path in page_modules().items()}
    graph = {module: page_imports(module, text) for module, text in texts.items()}
    assert sum(map(len, graph.values())) > len(graph)  # imports are seen

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules in the cycle


@pytest.mark.parametrize(
    "line",
    [
        'import { t } from "../jobs.js";',
        'import {\n  t,\n  has,\n} from "../jobs.js";',
        'export { t } from "../jobs.js";',
        'import "../jobs.js";',
        'const late = await import("../jobs.js");',
    ],
)
def test_an_import_of_the_page_would_be_seen(line):
    assert page_imports("results/run", line) == {"jobs"}
    assert page_floor("results/run") > page_floor("jobs")


def test_a_cycle_of_the_page_would_be_seen():
    planted = {
        "results/run": 'import { column } from "./runs.js";',
        "results/runs": 'import { run } from "./run.js";',
    }
    graph = {module: page_imports(module, text) for module, text in planted.items()}

    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph).prepare()
