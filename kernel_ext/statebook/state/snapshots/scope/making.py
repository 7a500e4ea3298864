"""Finds the cell that made a variable, so that one that can't be captured can be made again."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

_WIDEST = 60
"""Characters of a cell's first line that are quoted."""

_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""What keeps the names it binds to itself."""


def labels_of(names: Iterable[str], cells: Sequence[str]) -> dict[str, str]:
    """``In [3]: conn = connect("a.db")`` for each name that one of the cells binds; the newest that does counts.

    ``cells`` are IPython's ``In``: as they ran, by number.
    """
    left, found = set(names), {}
    for number in range(len(cells) - 1, 0, -1):
        if not left:
            break
        for name in left & set(_bound(cells[number])):
            found[name] = label(number, cells[number])
        left -= found.keys()
    return found


def label(number: int, source: str) -> str:
    """A cell's number and its first line that says something."""
    lines = [line.strip() for line in source.splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), lines[0] if lines else "")
    return f"In [{number}]: {first if len(first) <= _WIDEST else first[: _WIDEST - 3] + '...'}"


def _bound(source: str) -> Iterator[str]:
    """The names that a cell binds outside of functions and classes."""
    try:
        todo: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):
        return
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        if not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))
