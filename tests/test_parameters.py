"""No function has more than eight parameters: what belongs together is handed over whole."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import siffra

PACKAGE = Path(siffra.__file__).parent
MOST = 8

# Kernels take arrays and numbers, since Numba has no objects for them.
KERNELS = PACKAGE / "engine" / "native"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    every = function.args
    names = [each.arg for each in (*every.posonlyargs, *every.args, *every.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def is_public(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is of the public API, whose keyword arguments users write out."""
    offered = getattr(siffra, function.name, None) if function.name in siffra.__all__ else None
    return inspect.isfunction(offered) and Path(inspect.getfile(offered)) == path


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PACKAGE.rglob("*.py") if KERNELS not in path.parents),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_function_has_more_than_eight_parameters(path):
    for function in functions(ast.parse(path.read_text("utf-8"))):
        if not is_public(path, function):
            assert len(parameters(function)) <= MOST, f"line {function.lineno}: {function.name}"


def test_methods_in_the_engine_are_no_kernels():
    for path in KERNELS.rglob("*.py"):
        for holder in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(holder, ast.ClassDef):
                for method in functions(holder):
                    assert len(parameters(method)) <= MOST, f"{path.name}: {method.name}"
