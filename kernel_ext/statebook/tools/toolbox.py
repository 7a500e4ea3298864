"""The tools a run may use, by name and in one stable order, and the reading of a model's arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from statebook.errors import ToolError, UnknownName, UsageError
from statebook.protocol.messages import ToolCall
from statebook.protocol.tools import ToolSpec

from .base import Tool
from .builtin import check_arguments

_SHOWN = 5
_LONGEST = 200
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_name(name: str) -> str:
    """``name``, if every provider accepts it as a tool's name; else UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be a tool's name.", "Use 1 to 64 of the characters a-z A-Z 0-9 _ -.")
    return name


class Toolbox:
    """Tools by name. Order is built-in tools first, then by name: the same tools always read the same."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool) -> None:
        """Add ``tool``. A user's tool replaces one of theirs with the same name (they ran the cell again)."""
        spec = tool.spec
        check_name(spec.name)
        there = self._tools.get(spec.name)
        if there is not None and not (there.spec.origin == spec.origin == "user"):
            raise UsageError(
                f"There is already a tool {spec.name!r} (from {there.spec.origin}).", "Give the new one another name."
            )
        self._tools[spec.name] = tool

    def select(self, names: Iterable[str]) -> Toolbox:
        """Only the tools of these names; UnknownName for one that is not here."""
        return Toolbox(self.get(name) for name in dict.fromkeys(names))

    def get(self, name: str) -> Tool:
        """The tool of this name; UnknownName where there is none."""
        try:
            return self._tools[name]
        except KeyError:
            raise UnknownName("tool", name, self._tools) from None

    def specs(self) -> tuple[ToolSpec, ...]:
        """The descriptions, in the stable order."""
        return tuple(tool.spec for tool in self)

    def __iter__(self) -> Iterator[Tool]:
        return iter(sorted(self._tools.values(), key=_order))

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)


def _order(tool: Tool) -> tuple[bool, str]:
    return tool.spec.origin != "builtin", tool.spec.name


def check_fit(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments to call ``tool`` with. Raises ToolError, with one line per fault, for those it does not take.

    A tool with a ``check`` of its own (typed functions) knows better than its schema what it can convert; any other
    tool is given only what its schema allows, and null for what may be left out is left out.
    """
    own = getattr(tool, "check", None)
    if own is not None:
        own(arguments)
        return arguments
    spec = tool.spec
    if spec.origin == "builtin":
        check_arguments(spec, arguments)
        return arguments
    schema = spec.parameters
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    given = {
        key: value
        for key, value in arguments.items()
        if value is not None or key in required or key not in properties or not _faults(properties[key], value, schema)
    }
    open_ended = not properties or {"additionalProperties", "patternProperties"} & schema.keys()
    faults = [f"there is no parameter {key!r}" for key in given if not open_ended and key not in properties]
    faults += _faults(schema, given, schema)
    if faults:
        raise ToolError(
            f"The arguments of {spec.name} don't fit: {'; '.join(faults[:_SHOWN])}.", "Send them as it describes them."
        )
    return given


def _faults(schema: Any, value: Any, root: dict[str, Any]) -> list[str]:
    """What a JSON schema (a part of ``root``) says against a value; nothing where the schema itself can't be used."""
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if not isinstance(schema, dict):  # true: anything goes
        return []
    whole = {**schema, **{key: root[key] for key in ("$defs", "definitions") if key in root}}
    offline: Registry[Any] = Registry()  # an address in a schema is never fetched
    kind = validator_for(whole)
    try:
        kind.check_schema(whole)
        found = sorted(kind(whole, registry=offline).iter_errors(value), key=lambda error: error.json_path)
    except (SchemaError, Unresolvable, RecursionError):
        return []
    return [f"{error.json_path.removeprefix('$').lstrip('.')}: {error.message[:_LONGEST]}" for error in found]


def parse_arguments(call: ToolCall) -> dict[str, Any]:
    """The arguments as a dict; no text at all means none. Raises ToolError for anything but one JSON object."""
    if not call.arguments.strip():
        return {}
    try:
        value = json.loads(call.arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ToolError(
            f"The arguments of {call.name} are not JSON: {error}.", "Send one JSON object, such as {}."
        ) from None
    if isinstance(value, str):
        raise ToolError(
            f"The arguments of {call.name} are a JSON string.", "Send the object itself, not an object inside a string."
        )
    if not isinstance(value, dict):
        raise ToolError(
            f"The arguments of {call.name} are {_kind(value)}.", "Send one JSON object with the parameters by name."
        )
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a JSON list" if isinstance(value, list) else f"the JSON value {json.dumps(value)}"
