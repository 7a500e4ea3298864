"""Values: the protocol is frozen and slotted, the drawn error tree is the real one, `__all__` tells the truth."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib
import inspect
import re

import statebook
from statebook import errors

GROW = {
    # a run is folded from entries one by one; copying it whole at each would be quadratic
    "runs.py": {"Run", "ModelRecord", "CallRecord"},
}


def _dataclasses(package):
    for file in package:
        if not file.inside.startswith("protocol/") or file.path.name == "__init__.py":
            continue
        module = importlib.import_module(f"statebook.protocol.{file.path.stem}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if dataclasses.is_dataclass(found) and found.__module__ == module.__name__:
                yield file.path.name, found


def test_values_are_frozen_and_slotted(package):
    seen = list(_dataclasses(package))
    loose = [
        f"{file}: {found.__name__}"
        for file, found in seen
        if not (found.__dataclass_params__.frozen or found.__name__ in GROW.get(file, set()))
        or "__slots__" not in vars(found)
    ]
    assert len(seen) > 20
    assert loose == []


def test_the_list_of_growing_records_is_not_stale(package):
    growing = {(file, found.__name__) for file, found in _dataclasses(package) if not found.__dataclass_params__.frozen}
    assert {(file, name) for file, names in GROW.items() for name in names} == growing


def test_the_protocol_does_no_io(package):
    worlds = {"os", "io", "pathlib", "socket", "subprocess", "asyncio", "threading", "tempfile", "shutil", "sqlite3"}
    reaching = [
        f"{file.inside}: {ast.unparse(node)}"
        for file in package
        if file.inside.startswith("protocol/")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        if name.partition(".")[0] in worlds
    ]
    assert reaching == []


def test_the_drawn_error_tree_is_the_real_one():
    real = {
        (name, found.__base__.__name__)
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if found.__module__ == errors.__name__
    }
    assert _drawn_tree(errors.__doc__ or "") == real


def _drawn_tree(text: str) -> set[tuple[str, str]]:
    """``(class, parent)`` from the drawing; a class at the left edge names its base in brackets or is the root."""
    found: set[tuple[str, str]] = set()
    above: list[str] = []
    for line in text.splitlines():
        match = re.match(r"^ {4}((?:│   |    )*(?:[├└]── )?)([A-Z]\w+)(?: \((\w+)\))?(?=\s{2,}|$)", line)
        if match:
            depth = len(match[1]) // 4
            parent = above[depth - 1] if depth else match[3] or "Exception"
            found.add((match[2], parent))
            above[depth:] = [match[2]]
    return found


def test_errors_are_defined_in_one_place(package):
    """A private class may carry a signal inside one module; what leaves a room is in the tree."""
    known = {name for name, found in vars(builtins).items() if _is_error(found)}
    known |= {name for name, found in vars(errors).items() if _is_error(found)}
    elsewhere = [
        f"{file.inside}: {node.name}"
        for file in package
        if file.inside != "errors.py"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if any(ast.unparse(base).rpartition(".")[2] in known for base in node.bases)
    ]
    assert elsewhere == []


def _is_error(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, BaseException)


def test_every_error_is_one_line_and_says_what_to_do():
    shown = errors.StatebookError("The file\nis locked.", "Close the other\nkernel.")._render_traceback_()
    assert shown == ["StatebookError: The file is locked. Close the other kernel."]


def test_every_public_name_exists_and_is_documented():
    assert {"load_ipython_extension", "unload_ipython_extension", "tool", "connect"} <= set(statebook.__all__)
    for name in statebook.__all__:
        assert inspect.getdoc(getattr(statebook, name)), name
