"""What the house style says and a script can tell."""

import ast
from pathlib import Path

from tests.architecture.sources import ROOT, sources

MOST_LINES_OF_A_MODULE = 350
MOST_LINES_OF_A_FUNCTION = 60


def test_a_module_is_named_after_its_subject() -> None:
    vague = {"utils", "util", "helpers", "misc", "common_utils"}
    assert [name for name in sources() if name.rpartition(".")[2] in vague] == []


def test_a_module_holds_one_subject() -> None:
    long = {
        name: lines
        for name, tree in sources().items()
        if (lines := max((getattr(node, "end_lineno", 0) or 0 for node in tree.body), default=0))
        > MOST_LINES_OF_A_MODULE
    }
    assert long == {}, "split where a file holds two subjects"


def test_a_function_fits_on_a_page() -> None:
    long = {
        f"{name}:{node.name}": (node.end_lineno or 0) - node.lineno
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_no_error_is_swallowed_whole() -> None:
    silent = [
        f"{name}:{node.lineno}"
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(each, ast.Pass) for each in node.body)
    ]
    assert silent == []


def test_every_app_says_on_one_page_what_it_is() -> None:
    apps = [path.parent for path in ROOT.glob("*/models.py")]
    apps += [path.parent for path in ROOT.glob("opencoach/*/models.py")]
    missing = [str(Path(app).relative_to(ROOT)) for app in apps if not (app / "README.md").exists()]
    assert missing == []
