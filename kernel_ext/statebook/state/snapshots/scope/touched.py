"""Finds which variables a cell may have read or changed, from the names that its code and the code it reaches use."""

from __future__ import annotations

import ast
import dis
import functools
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

EVERYTHING = None
"""In place of a set of names: any variable may have changed."""

_REACHES_ALL = frozenset({
    "get_ipython", "globals", "locals", "vars", "exec", "eval", "compile", "__import__", "gc", "inspect", "sys",
    "threading", "concurrent", "multiprocessing", "ThreadPool", "ThreadPoolExecutor", "Thread", "Timer", "builtins",
    "__builtins__", "__main__", "importlib", "ctypes", "__globals__", "f_globals", "f_locals", "user_ns",
    "breakpoint", "set_trace",
})  # fmt: skip
"""Names through which code may change variables that it does not name."""

_OUTPUT = re.compile(r"_{1,3}|_\d+|_oh|Out")
"""What IPython calls the outputs of earlier cells: any of them may be a variable's own object."""

_RUN_CODE = frozenset({
    "cProfile", "profile", "timeit", "pdb", "bdb", "trace", "doctest", "runpy", "code", "unittest",
})  # fmt: skip
"""Modules that run code which is given as text, or that of all of ``__main__``."""

ANY_NAME = frozenset({"globals"})
"""What code uses that can't be read."""

_PAST_PANDAS = frozenset({
    "array", "writeable", "setflags", "ctypes", "torch", "from_numpy", "as_tensor", "from_blob", "_mgr", "blocks",
})  # fmt: skip
"""Names through which code may write to memory of a frame without pandas noticing (`Series.array` is one)."""


def goes_past_pandas(touched: frozenset[str] | None) -> bool:
    """Whether code that uses these names may have changed frames in place, and not through pandas."""
    return touched is None or not touched.isdisjoint(_PAST_PANDAS)


def names_of(code: types.CodeType) -> set[str]:
    """All names that ``code``, and the functions and classes written in it, look up or set."""
    found = {*code.co_names, *code.co_cellvars, *code.co_freevars}
    if any(name.partition(".")[0] in _RUN_CODE for name in found) and _imports_one(code):
        found |= ANY_NAME
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_of(constant)
    return found


def touched_names(
    source: str, namespace: Mapping[str, Any], uses: Callable[[str], Iterable[str]]
) -> frozenset[str] | None:
    """The variables that a cell may have read or changed; `EVERYTHING` when that can't be told.

    ``source`` is plain Python, as IPython's input transformers leave it. ``uses`` gives the names that the code held
    by a variable uses: a function's, a class's methods', a callback's in a list. So it errs by naming too many.
    """
    try:
        code = compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return EVERYTHING
    todo = list(names_of(code) - _only_set(code))
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        if name in _REACHES_ALL or _OUTPUT.fullmatch(name) or _runs_code(namespace.get(name)):
            return EVERYTHING
        if _is_own_module(namespace.get(name, sys.modules.get(name))):
            return EVERYTHING
        todo.extend(uses(name))
    return frozenset(done)


def _imports_one(code: types.CodeType) -> bool:
    """Whether it imports one of the modules that run code; ``x.code`` and a column called so do not."""
    found = (each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME")
    return any(str(name).partition(".")[0] in _RUN_CODE for name in found)


def _only_set(code: types.CodeType) -> set[str]:
    """Names for outputs that a cell sets and does not look up, as in ``for _ in range(3)``."""
    outputs = {name for name in code.co_names if _OUTPUT.fullmatch(name)}
    if not outputs:
        return outputs
    within = [names_of(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    looked = {each.argval for each in dis.get_instructions(code) if each.opname.startswith("LOAD_")}
    return outputs - looked - set().union(*within)


def _runs_code(value: Any) -> bool:
    """Whether it is a module that runs code which is given as text, or comes from one."""
    if isinstance(value, types.ModuleType):
        module = value.__name__
    elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        module = value.__module__
    else:
        module = type(value).__module__
    return isinstance(module, str) and module.partition(".")[0] in _RUN_CODE


def _is_own_module(value: Any) -> bool:
    """Whether ``value`` is a module of the user's: it may hold on to variables and change them on its own."""
    if not isinstance(value, types.ModuleType) or value.__name__.partition(".")[0] == _OURS:
        return False
    place = getattr(value, "__file__", None)
    if place is None:
        return value.__name__ not in sys.builtin_module_names and getattr(value, "__spec__", None) is None
    return not str(place).startswith(_stdlib()) and _INSTALLED.search(str(place)) is None


def is_of_own_module(found: type | types.FunctionType) -> bool:
    """Whether a function or class that is pickled by its name is written in a module of the user's."""
    return _is_own_module(sys.modules.get(found.__module__ or ""))


_OURS = __name__.partition(".")[0]
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")


@functools.cache
def _stdlib() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return paths["stdlib"], paths["platstdlib"]
