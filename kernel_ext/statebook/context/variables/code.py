"""Functions, methods, classes and modules: signature, docstring, source as in the notebook, public names."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import types
from typing import Any

from .summary import attempt, kind_of, short

_DOC = 1_500
_NAMES = 80


def is_code(value: object) -> bool:
    """Whether a value is something that is called or holds such things: a function, class, module, partial."""
    return (
        isinstance(value, type | types.ModuleType | functools.partial)
        or inspect.isroutine(value)
        or isinstance(getattr(type(value), "__wrapped__", None), property | types.MemberDescriptorType)
        or (callable(value) and isinstance(_kept(value, "__wrapped__"), types.FunctionType))
    )


def _kept(value: object, name: str) -> object:
    """An instance's own attribute, without running any code of its class."""
    return inspect.getattr_static(value, name, None)


def code_text(value: Any) -> str:
    """What a caller needs to know of it."""
    if isinstance(value, types.ModuleType):
        return _module(value)
    if isinstance(value, type):
        return _class(value)
    if isinstance(value, functools.partial):
        given = [short(item, 80) for item in value.args] + [f"{k}={short(v, 80)}" for k, v in value.keywords.items()]
        return f"partial({', '.join(given)}) of\n{code_text(value.func)}"
    kept = _kept(value, "__wrapped__")
    wrapped = kept if isinstance(kept, types.FunctionType) else value
    return _function(wrapped, f"{kind_of(value)} around " if wrapped is not value else "")


def _function(value: Any, around: str) -> str:
    kind = "method" if inspect.ismethod(value) else "coroutine" if inspect.iscoroutinefunction(value) else "function"
    of = f" of {kind_of(value.__self__)}" if inspect.ismethod(value) and not inspect.isclass(value.__self__) else ""
    head = f"{around}{kind}{of} {_signed(value)}"
    source = _source(value)
    return f"{head}\n{source}" if source else f"{head}\n{_doc(value)}".rstrip()


def _signed(value: Any) -> str:
    name = getattr(value, "__qualname__", getattr(value, "__name__", "")).rpartition("<locals>.")[2]
    module = getattr(value, "__module__", "") or ""
    signature = attempt(lambda: str(inspect.signature(value)))
    if signature.startswith("[this part failed"):
        signature = "(...)"
    return f"{'' if module in ('__main__', 'builtins') else module + '.'}{name}{signature}"


def _doc(value: Any) -> str:
    doc = inspect.getdoc(value) or ""
    return doc if len(doc) <= _DOC else f"{doc[:_DOC]} ..."


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value).rstrip()
    except (OSError, TypeError, SyntaxError, IndentationError):
        return ""


def _class(value: type) -> str:
    bases = ", ".join(kind_of_class(base) for base in value.__bases__ if base is not object)
    head = f"class {_signed(value)}" + (f", a kind of {bases}" if bases else "")
    source = _source(value) or _source_by_methods(value)
    if source:
        return f"{head}\n{source}"
    names = [name for name in vars(value) if not name.startswith("_")]
    public = f"public names: {', '.join(names[:_NAMES])}" if names else ""
    return "\n".join(part for part in (head, _doc(value), public) if part)


def kind_of_class(of: type) -> str:
    """A class's name with its package, as `kind_of` gives it for a value."""
    package = of.__module__.partition(".")[0]
    return of.__qualname__ if package in ("builtins", "__main__") else f"{package}.{of.__qualname__}"


def _source_by_methods(value: type) -> str:
    """The source of a class typed in a cell, found by the file of one of its methods: Python 3.11 can't tell it."""
    codes = [item.__code__ for item in vars(value).values() if isinstance(item, types.FunctionType)]
    for code in codes:
        lines = linecache.getlines(code.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                if first <= code.co_firstlineno <= (node.end_lineno or first):
                    return "".join(lines[first - 1 : node.end_lineno]).rstrip()
    return ""


def _module(value: types.ModuleType) -> str:
    contents = vars(value)
    version = contents.get("__version__")
    said = f" {version}" if isinstance(version, str) else ""
    names = contents.get("__all__")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        names = sorted(name for name in contents if not name.startswith("_"))
    shown = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    return "\n".join(part for part in (f"module {value.__name__}{said}", _doc(value), f"public names: {shown}") if part)
