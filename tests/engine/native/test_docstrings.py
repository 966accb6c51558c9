"""Every kernel says what it is handed: names, shapes and types of all its arguments.

A kernel's docstring has an `Args:` section, one line for an argument or for several alike:

    Args:
        images: (n, pixels) uint8 or float32.
        first, last: int.

An array has its shape in front of its type.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import siffra

PACKAGE = Path(siffra.__file__).parent
COMPILERS = {"compiled", "parallel", "inline", "noinline", "njit"}
TYPE = re.compile(
    r"(\([^()]+\) )?"  # a shape
    r"(u?int(8|16|32|64)?|float(32|64)|bool|array|vectors?|str|[A-Z]\w+)"  # NamedTuples by name
    r"( or u?int\d+| or float32)*"
    r"( pair| triple)?\b"
)


def name_of(decorator: ast.expr) -> str:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return function.id if isinstance(function, ast.Name) else ""


def kernels_in(path: Path) -> Iterator[ast.FunctionDef]:
    """The functions that are compiled, also those that another function makes.

    Not those of a single vector, `u`, such as activations.
    """
    tree = ast.parse(path.read_text())
    compiled_by_name = {
        argument.id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and name_of(call) in COMPILERS
        for argument in call.args
        if isinstance(argument, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            is_decorated = any(name_of(each) in COMPILERS for each in node.decorator_list)
            of_a_vector = [each.arg for each in node.args.args] == ["u"]
            if (is_decorated or node.name in compiled_by_name) and not of_a_vector:
                yield node


KERNELS = {
    f"{path.relative_to(PACKAGE)}: {kernel.name} (line {kernel.lineno})": kernel
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "system" / "jit.py"
    for kernel in kernels_in(path)
}


def described(docstring: str) -> dict[str, str]:
    """What the `Args:` section says, by argument."""
    _, _, section = docstring.partition("Args:\n")
    entries = {}
    for names, text in re.findall(r"^    (\w[\w, ]*): (.+)$", section, re.MULTILINE):
        entries |= dict.fromkeys(names.split(", "), text)
    return entries


@pytest.mark.parametrize("kernel", KERNELS)
def test_arguments_have_shapes_and_types(kernel):
    node = KERNELS[kernel]

    entries = described(ast.get_docstring(node) or "")

    assert list(entries) == [argument.arg for argument in node.args.args]
    assert [text for text in entries.values() if not TYPE.match(text)] == []


def test_kernels_of_all_kinds_are_found():
    assert len(KERNELS) > 60
    for path, name in (("native/products", "run"), ("native/dense", "_epoch"), ("shifts", "")):
        assert any(path in kernel and name in kernel for kernel in KERNELS)


@pytest.mark.parametrize(
    "section",
    ["", "Args:\n    x: rows of pixels.", "Args:\n    x: float32.\n    y: float32.", "x: float32."],
)
def test_a_docstring_without_types_or_with_other_arguments_is_seen(section):
    entries = described(f"Something.\n\n{section}")

    assert list(entries) != ["x"] or not TYPE.match(entries["x"])
