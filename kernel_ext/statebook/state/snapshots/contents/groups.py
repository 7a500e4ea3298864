"""Finds which pickled variables share mutable objects or memory, and must be kept together."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import functools
import pathlib
import re
import types
import uuid
from collections.abc import Hashable, Iterable, Mapping
from typing import Any


def qualified(kind: type) -> str:
    """A type's module and name, as "collections.OrderedDict"."""
    module = kind.__module__
    return f"{module if isinstance(module, str) else ''}.{kind.__qualname__}"  # Cython's have a descriptor there


def type_name(kind: type) -> str:
    """The same for people: built-in types go without their module."""
    return readable(qualified(kind).removeprefix("builtins."))


def readable(text: str) -> str:
    """Text as a manifest can hold it: half of a surrogate pair, which no JSON takes, is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented)})
"""Types of values that can't change and refer to nothing."""

_VALUES = ATOMS | {
    tuple, frozenset, range, slice, types.CodeType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
    dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone, decimal.Decimal,
    fractions.Fraction, uuid.UUID, re.Pattern, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath,
    pathlib.PureWindowsPath, functools.partial, types.WrapperDescriptorType, types.MethodWrapperType,
}  # fmt: skip
_CYTHON = "cython_function_or_method"
"""Functions of compiled libraries, each library with a type of its own; Arrow's arrays are pickled with some."""
_LIBRARY_VALUES = frozenset({"zoneinfo.ZoneInfo", "pickle.PickleBuffer", "_pickle.PickleBuffer"})


class Sets:
    """Disjoint sets of names (union-find)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parents = {name: name for name in names}

    def find(self, name: str) -> str:
        """The name that stands for the set that ``name`` is in."""
        parents = self._parents
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    def unite(self, one: str, other: str) -> None:
        """Make the sets of both names one."""
        self._parents[self.find(one)] = self.find(other)

    def all(self) -> list[list[str]]:
        """The sets, each sorted."""
        found: dict[str, list[str]] = {}
        for name in self._parents:
            found.setdefault(self.find(name), []).append(name)
        return [sorted(names) for names in found.values()]


def unite_by_objects(sets: Sets, memos: Mapping[str, Mapping[int, tuple[int, Any]]]) -> None:
    """Unite the names whose picklings met the same mutable object.

    ``memos`` are the picklers' memos (identity -> (number, object)), which keep the objects alive, so that an identity
    means one object. The smallest come first; the intersection of two key views runs in C.
    """
    owners: dict[int, str] = {}
    for name, memo in sorted(memos.items(), key=lambda item: len(item[1])):
        for identity in memo.keys() & owners.keys():
            if sets.find(owners[identity]) != sets.find(name) and links(memo[identity][1]):
                sets.unite(owners[identity], name)
        owners.update(dict.fromkeys(memo, name))


def unite_by_marks(sets: Sets, marks: Mapping[str, Iterable[Hashable]]) -> None:
    """Unite the names that have a mark in common."""
    owners: dict[Hashable, str] = {}
    for name, found in marks.items():
        for mark in found:
            sets.unite(owners.setdefault(mark, name), name)


def links(found: Any) -> bool:
    """Whether two variables that refer to ``found`` would tell that they no longer share it."""
    kind = type(found)
    if kind in _VALUES or qualified(kind) in _LIBRARY_VALUES:
        return False
    if isinstance(found, type | types.FunctionType) or kind.__name__ == _CYTHON:
        return by_value(found)
    if isinstance(found, enum.Enum):
        return by_value(kind)
    return kind.__name__ != "ExtensionDtype" and not _is_dtype(kind)


def by_value(found: Any) -> bool:
    """Whether a class or function was made in the notebook, so that a stream must carry it and not its name."""
    import sys

    module = found.__module__
    if module == "__main__" or "<locals>" in found.__qualname__:
        return True
    place: Any = sys.modules.get(module) if isinstance(module, str) else None
    if place is None and isinstance(module, str):  # not imported under this name: NumPy's rec is another module's alias
        root, *parts = module.split(".")
        place = functools.reduce(lambda found, part: getattr(found, part, None), parts, sys.modules.get(root))
    for part in found.__qualname__.split("."):
        place = getattr(place, part, None)
    return place is not found


def _is_dtype(kind: type) -> bool:
    """Whether instances describe elements of arrays (NumPy, pandas, Arrow, Polars): values, shared by many."""
    root = qualified(kind).partition(".")[0]
    if root not in {"numpy", "pandas", "pyarrow", "polars"}:
        return False
    return any(base.__name__ in {"dtype", "ExtensionDtype", "DataType", "Field", "Schema"} for base in kind.__mro__)
