"""Words: every module says its job, every public thing is documented, silenced checks give their reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

BANNED_MODULES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "handlers", "handler", "misc"}
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SILENCED = re.compile(r"#\s*(?:type:\s*ignore|noqa)\b(?P<rest>[^#]*)(?P<after>#.*)?$")
CODES = re.compile(r"^\s*(?:\[[\w\-, ]+\]|:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)")


def _first_sentence(text: str) -> str:
    return text.strip().split("\n\n", maxsplit=1)[0]


def test_a_module_opens_with_a_sentence_that_says_its_job(package):
    silent = []
    for file in package:
        first = _first_sentence(ast.get_docstring(file.tree) or "")
        if len(first.split()) < 4 or not first.endswith((".", ":", "?", "::")):
            silent.append(f"{file.inside}: {first!r}")
    assert not silent, "\n".join(silent)


def test_no_two_modules_have_the_same_job(package):
    first = [_first_sentence(ast.get_docstring(file.tree) or "") for file in package]
    assert sorted(first) == sorted(set(first))


def test_no_module_is_a_drawer_for_anything(package):
    drawers = [
        file.inside
        for file in package
        if BANNED_MODULES & {part.removesuffix(".py").strip("_") for part in file.inside.split("/")}
    ]
    assert not drawers, "\n".join(drawers)


def test_every_public_thing_has_a_docstring(package):
    """Classes, functions, methods and properties that a reader can reach; what is nested in a function is its own."""
    silent = [f"{file.inside}: {name}" for file in package for name in _undocumented(file.tree.body, "")]
    assert not silent, "\n".join(silent)


def _undocumented(body: list[ast.stmt], inside: str) -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        marks = [ast.unparse(mark) for mark in node.decorator_list]
        if ast.get_docstring(node) is None and not any(mark.endswith(("overload", ".setter")) for mark in marks):
            yield inside + node.name
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node.body, f"{inside}{node.name}.")


def test_a_silenced_check_names_its_code_and_its_reason(package, test_sources):
    bare = []
    for file in [*package, *test_sources]:
        for line, comment in file.comments():
            match = SILENCED.search(comment)
            if match and not _explained(match):
                bare.append(f"{file.place}:{line} {comment}")
    assert not bare, "\n".join(bare)


def _explained(match: re.Match[str]) -> bool:
    codes = CODES.match(match["rest"])
    if not codes:
        return False
    reason = match["rest"][codes.end() :] + (match["after"] or "")
    return len(re.findall(r"[A-Za-z]+", reason)) >= 2


def test_nothing_is_left_to_do(package):
    left = [f"{file.inside}: {line}" for file in package for line in file.text.splitlines() if LEFTOVERS.search(line)]
    left += [
        f"{file.inside}:{node.lineno} NotImplementedError"
        for file in package
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert not left, "\n".join(left)


def test_only_protocols_have_empty_bodies(package):
    """A body of ``...`` or ``pass`` outside a Protocol, an overload or an abstract method is a stub."""
    stubs = []
    for file in package:
        for scope in ast.walk(file.tree):
            if not isinstance(scope, ast.Module | ast.ClassDef) or _is_protocol(scope):
                continue
            stubs += [
                f"{file.inside}:{node.lineno} {node.name}"
                for node in scope.body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_stub(node)
            ]
    assert not stubs, "\n".join(stubs)


def _is_protocol(scope: ast.Module | ast.ClassDef) -> bool:
    return isinstance(scope, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in scope.bases)


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if any(ast.unparse(mark).endswith(("overload", "abstractmethod")) for mark in node.decorator_list):
        return False
    body = node.body
    documented = ast.get_docstring(node) is not None
    if documented:
        body = body[1:]  # a docstring alone is a body: it says that nothing is what happens
    return any(isinstance(line, ast.Pass) or _is_dots(line) for line in body) and len(body) == 1


def _is_dots(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and line.value.value is ...
