"""Words for functions, classes and exceptions: none of them is open to a store from elsewhere."""

from __future__ import annotations

import types
from typing import Any

from statebook.state.snapshots.contents.groups import by_value


class CodeWords:
    """What code is rebuilt with, over the live namespace."""

    namespace: dict[str, Any]

    def function(self, code: Any, module: str | None, name: str, cells: tuple[Any, ...]) -> Any:
        """A function over the live namespace, or over a module's."""
        import importlib

        names = self.namespace if module is None else vars(importlib.import_module(module))
        return types.FunctionType(code, names, name, None, cells or None)

    def code(self, data: bytes, version: int) -> Any:
        """A code object. Raises ValueError for another Python's."""
        import marshal
        import sys

        if version != sys.hexversion >> 16:
            raise ValueError(of_other_python(f"{version >> 8}.{version & 255}"))
        return marshal.loads(data)  # noqa: S302 - reached only with a stream that is trusted

    def set_function(self, function: Any, state: Any) -> None:
        """Give a function its defaults, attributes and names."""
        defaults, keywords, attributes, names = state
        function.__defaults__ = defaults
        function.__kwdefaults__ = keywords
        function.__dict__.update(attributes)
        for name, value in names.items():
            setattr(function, name, value)

    def cell(self) -> Any:
        """An empty closure cell, shared by the functions that refer to it."""
        return types.CellType()

    def set_cell(self, cell: Any, state: Any) -> None:
        """Fill a cell."""
        (cell.cell_contents,) = state

    def method(self, function: Any, owner: Any) -> Any:
        """A bound method."""
        return types.MethodType(function, owner)

    def new_class(self, meta: type, name: str, bases: tuple[Any, ...], names: dict[str, Any]) -> Any:
        """A class, always a new one: no live class is changed.

        A metaclass of the notebook has done its work when the class was made; only what it builds on runs again.
        """
        resolved = types.resolve_bases(bases)
        if resolved is not bases and "__orig_bases__" not in names:
            names["__orig_bases__"] = bases
        builder = next(base for base in meta.__mro__ if not by_value(base))
        if builder is not meta:
            return builder.__new__(meta, name, resolved, names)
        return types.new_class(name, resolved, {"metaclass": meta}, lambda space: space.update(names))

    def new_enum(self, *arguments: Any) -> Any:
        """An enum with its members, by cloudpickle's builder."""
        from cloudpickle import cloudpickle

        return cloudpickle._make_skeleton_enum(*arguments, None, None)  # noqa: SLF001 - without its list of known classes

    def new_type(self, name: str, kind: Any) -> Any:
        """A ``typing.NewType``."""
        import typing

        return typing.NewType(name, kind)

    def named_tuple(self, name: str, fields: Any, defaults: Any, module: str) -> Any:
        """A class made by ``collections.namedtuple``."""
        from collections import namedtuple

        return namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024 - the fields are data

    def set_class(self, made: Any, state: Any) -> None:
        """Give a class the attributes that its builder did not give it, and an enum's members theirs."""
        from cloudpickle import cloudpickle

        attributes, members = state
        cloudpickle._class_setstate(made, (attributes, {}))  # noqa: SLF001 - knows abstract classes, too
        for name, values in members.items():
            vars(made[name]).update(values)

    def exception(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        """An exception without its ``__init__``, whose parameters need not be ``args``."""
        return kind.__new__(kind, *arguments)

    def set_exception(self, error: Any, state: Any) -> None:
        """Give an exception its attributes, its cause and its context."""
        attributes, cause, context, suppress = state
        if attributes:
            error.__setstate__(attributes)
        error.__cause__, error.__context__, error.__suppress_context__ = cause, context, suppress


CODE = CodeWords.code.__qualname__
"""The name by which a stream calls for a code object."""


def of_other_python(version: str) -> str:
    """Why the code of another Python can't be had."""
    return f"its code is bytecode of Python {version}"
