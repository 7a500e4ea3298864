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
        module = importlib.import_module("statebook." + file.inside.removesuffix(".py").replace("/", "."))
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
    assert not loose, "\n".join(loose)


def test_the_list_of_growing_records_is_not_stale(package):
    growing = {(file, found.__name__) for file, found in _dataclasses(package) if not found.__dataclass_params__.frozen}
    assert {(file, name) for file, names in GROW.items() for name in names} == growing


WORLDS = {"io", "socket", "subprocess", "asyncio", "threading", "tempfile", "shutil", "sqlite3", "urllib"}
TOUCHES = {
    "open",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "iterdir",
    "exists",
    "stat",
    "getenv",
    "environ",
}


def test_the_protocol_does_no_io(package):
    reaching = [
        f"{file.inside}:{node.lineno} {ast.unparse(node)[:80]}"
        for file in package
        if file.inside.startswith("protocol/")
        for node in ast.walk(file.tree)
        if _reaches_out(node)
    ]
    assert not reaching, "\n".join(reaching)


def _reaches_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in WORLDS for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").partition(".")[0] in WORLDS
    if isinstance(node, ast.Attribute):
        return node.attr in TOUCHES
    return isinstance(node, ast.Name) and node.id == "open"


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


def test_an_error_that_leaves_its_room_is_in_the_tree(package):
    """A signal may be passed between the modules of one room; what another room catches or shows is an error."""
    known = {name for name, found in vars(builtins).items() if _is_error(found)}
    known |= {name for name, found in vars(errors).items() if _is_error(found)}
    signals = {
        (node.name, _room(file))
        for file in package
        if file.inside != "errors.py"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ClassDef)
        if any(ast.unparse(base).rpartition(".")[2] in known for base in node.bases)
    }
    loose = [
        f"{file.inside} imports {name} of {room}"
        for name, room in signals
        for file in package
        if _room(file) != room
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}
    ]
    assert not loose, "\n".join(loose)


def _room(file) -> str:
    return file.inside.split("/")[0]


def _is_error(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, BaseException)


def test_every_error_is_one_line_and_says_what_to_do():
    shown = errors.StatebookError("The file\nis locked.", "Close the other\nkernel.")._render_traceback_()
    assert shown == ["StatebookError: The file is locked. Close the other kernel."]


def test_every_public_name_exists_and_is_documented():
    assert {"load_ipython_extension", "unload_ipython_extension", "tool", "connect"} <= set(statebook.__all__)
    for name in statebook.__all__:
        assert inspect.getdoc(getattr(statebook, name)), name
