"""A cell's text compiled as IPython would compile it: magics, top-level await and a last expression."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from dataclasses import dataclass
from types import CodeType
from typing import Any

from .capture import REFUSED_MAGICS, refuse_magic

_NESTED = re.compile(rf"\s*%%({'|'.join(REFUSED_MAGICS)})\b")


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled code: ``body`` is run, ``last`` (the last expression, or None) is evaluated, and shown if ``shown``."""

    body: CodeType
    last: CodeType | None
    shown: bool

    @property
    def waits(self) -> bool:
        """Whether it needs an event loop."""
        return any(is_coroutine(code) for code in (self.body, self.last) if code is not None)


def is_coroutine(code: CodeType) -> bool:
    """Whether evaluating ``code`` gives a coroutine."""
    return bool(code.co_flags & inspect.CO_COROUTINE)


def compile_cell(shell: Any, code: str, filename: str) -> Program:
    """Compile ``code``; tracebacks find its lines by ``filename``. Raises SyntaxError, ValueError, UsageError."""
    if _NESTED.match(code):
        refuse_magic()
    source = shell.transform_cell(code)
    # mtime None: linecache never drops it, so functions defined here keep their source
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    tree = shell.transform_ast(shell.compile.ast_parse(source, filename=filename))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        body = shell.compile(tree, filename, "exec")
        value = None if last is None else shell.compile(ast.Expression(last.value), filename, "eval")
    return Program(body, value, not shell.displayhook.semicolon_at_end_of_expression(source))
