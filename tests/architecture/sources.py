"""Our own source files, read and not imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "opencoach",
    "conversations",
    "knowledge",
    "learning",
    "prompts_admin",
    "flags",
    "usage",
)


@cache
def sources() -> dict[str, ast.Module]:
    """Dotted module name to its syntax tree, migrations left out."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                name = ".".join(parts).removesuffix(".__init__")
                found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def calls_of(name: str) -> Iterator[str]:
    """`module:function` of each call of a function of this name, however it was imported."""
    for module, tree in sources().items():
        yield from (f"{module}:{where}" for where in _calls(tree, name, ""))


def _calls(node: ast.AST, name: str, where: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{where}.{child.name}".lstrip(".")
        if isinstance(child, ast.Call) and _called(child) == name:
            yield where or "<module>"
        yield from _calls(child, name, inside)


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""
