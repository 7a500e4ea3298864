"""Doors: imports run downwards, each outside world has one door, nothing keeps state at module level."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

DOORS: dict[str, tuple[str, ...]] = {
    # outside world -> the only places of the package that may import it
    "duckdb": ("store/*", "tools/sql.py"),
    "IPython": ("magic/*", "ui/*", "state/*"),
    "ipykernel": ("magic/*", "ui/*", "state/*", "demo/*"),  # the demo starts a kernel, like a front end
    "ipywidgets": ("ui/*",),
    "anywidget": ("ui/*",),
    "comm": ("ui/*",),
    "openai": ("model/*",),
    "httpx": ("model/*", "tools/*"),
    "httpx2": ("model/*", "tools/*"),
    "aiohttp": ("model/*", "tools/*"),
    "requests": ("model/*", "tools/*"),
    "mcp": ("tools/*",),
    "jupyter_client": ("demo/*",),
    "pickle": ("state/*",),
    "cloudpickle": ("state/*",),
    "dill": (),
    "marshal": ("state/*",),  # functions of the notebook, in snapshots that are signed
    "shelve": (),
    "playwright": (),
    "pytest": (),
}


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every absolute import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))


@pytest.mark.parametrize("world", DOORS)
def test_each_outside_world_has_one_door(package, world):
    others = [
        f"{file.inside}:{line} {name}"
        for file in package
        if not any(fnmatch(file.inside, door) for door in DOORS[world])
        for line, name in _imports(file.tree)
        if name.partition(".")[0] == world
    ]
    assert not others, "\n".join(others)


def test_rooms_import_downwards_only(root):
    # by import, not by script: an environment laid over another has no scripts of what it finds there
    command = "from importlinter.cli import lint_imports_command as check; check()"
    found = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--config", "pyproject.toml"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]


def test_every_room_of_the_house_is_in_the_contract(root, package):
    contract = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    drawn = {name.strip() for layer in contract["layers"] for name in re.split(r"[|:]", layer)}
    rooms = {file.inside.split("/")[0].removesuffix(".py") for file in package} - {"__init__"}
    assert rooms <= drawn


def test_heavy_packages_are_imported_inside_functions(root, package):
    heavy = set(_heavy(root))
    early = [
        f"{file.inside}:{line} {name}"
        for file in package
        for line, name in _module_level_imports(file.tree)
        if name.partition(".")[0] in heavy
    ]
    assert not early, "\n".join(early)


def _heavy(root: Path) -> list[str]:
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return config["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]


def _module_level_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports that run when the module is imported: not those in functions, nor those for type checkers only."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(node)
        waiting.extend(ast.iter_child_nodes(node))


def test_no_module_keeps_state(package):
    """An empty container at module level waits to be filled: a registry that outlives its session."""
    kept = [
        f"{file.inside}:{node.lineno} {ast.unparse(node)}"
        for file in package
        for node in file.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_empty_container(node.value)
    ]
    kept += [
        f"{file.inside}:{node.lineno} {ast.unparse(node)}"
        for file in package
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Global)
    ]
    assert not kept, "\n".join(kept)


def _is_empty_container(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List | ast.Set):
        return not value.elts
    if isinstance(value, ast.Call) and not value.args:
        name = ast.unparse(value.func).rpartition(".")[2]
        return name in {"dict", "list", "set", "defaultdict", "WeakValueDictionary", "WeakKeyDictionary", "WeakSet"}
    return False
