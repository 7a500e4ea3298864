"""Sizes: small files, short functions, few files a room."""

from __future__ import annotations

import ast
import statistics
from collections import Counter

LONGER_FOR_A_REASON: dict[str, str] = {}
"""Files of the package over 400 lines: ``inside path -> reason``. 500 is the end, whatever the reason."""


def test_a_file_has_at_most_400_lines(package):
    long = {file.inside: file.lines for file in package if file.lines > 400 and file.inside not in LONGER_FOR_A_REASON}
    assert long == {}


def test_no_file_has_more_than_500_lines(package, test_sources):
    long = {file.place: file.lines for file in [*package, *test_sources] if file.lines > 500}
    assert long == {}


def test_the_list_of_longer_files_holds_only_longer_files_with_reasons(package):
    lines = {file.inside: file.lines for file in package}
    stale = [name for name in LONGER_FOR_A_REASON if lines.get(name, 0) <= 400]
    assert not stale, "\n".join(stale)
    assert all(len(reason.split()) >= 4 for reason in LONGER_FOR_A_REASON.values())


def test_the_median_file_has_at_most_150_lines(package):
    assert statistics.median(file.lines for file in package) <= 150


def test_a_function_has_at_most_60_lines(package):
    long = {
        f"{file.inside}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for file in package
        for node in ast.walk(file.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > 60
    }
    assert long == {}


def test_an_init_has_at_most_40_lines(package):
    long = {file.inside: file.lines for file in package if file.path.name == "__init__.py" and file.lines > 40}
    assert long == {}


def test_an_init_only_re_exports(package):
    """Classes live in modules with a name; functions in an ``__init__`` are lazy doors such as ``__getattr__``."""
    classes = [
        f"{file.inside}: {node.name}"
        for file in package
        if file.path.name == "__init__.py"
        for node in file.tree.body
        if isinstance(node, ast.ClassDef)
    ]
    assert not classes, "\n".join(classes)


def test_a_room_has_at_most_10_files(package):
    rooms = Counter(file.inside.rpartition("/")[0] for file in package)
    assert {room: count for room, count in rooms.items() if count > 10} == {}
