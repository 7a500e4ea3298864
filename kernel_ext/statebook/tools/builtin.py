"""A built-in tool: a schema written by hand, arguments checked against it, blocking work done off the event loop."""

from __future__ import annotations

import asyncio
import difflib
import reprlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from statebook.errors import ToolError
from statebook.protocol.tools import Effect, ToolOutcome, ToolSpec

from .base import ToolContext

Work = Callable[[dict[str, Any], ToolContext], ToolOutcome]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
}


@dataclass(frozen=True, slots=True)
class BuiltinTool:
    """A `Tool` whose blocking ``work`` runs on a worker thread.

    Cancelling the call stops the work at its next report of progress; what it had finished stays.
    """

    spec: ToolSpec
    work: Work

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> ToolOutcome:
        """Check the arguments, then do the work. Raises ToolError."""
        checked = check_arguments(self.spec, arguments)
        loop = asyncio.get_running_loop()
        stopped = threading.Event()

        def progress(text: str) -> None:
            if stopped.is_set():
                raise ToolError(f"{self.spec.name} was stopped.")
            loop.call_soon_threadsafe(ctx.progress, text)

        try:
            return await asyncio.to_thread(self.work, checked, replace(ctx, progress=progress))
        except asyncio.CancelledError:
            stopped.set()
            raise


def builtin_spec(
    name: str, description: str, properties: dict[str, dict[str, Any]], effect: Effect = "read"
) -> ToolSpec:
    """A spec whose parameters are an object of ``properties``; those without a default are required."""
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [key for key, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }
    return ToolSpec(name, description, parameters, effect, origin="builtin")


def check_arguments(spec: ToolSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with defaults filled in, or a ToolError that says what is expected.

    Null stands for an argument left out (strict modes send every key). A number above its maximum is taken as the
    maximum, since a model that asks for more wants as much as there is.
    """
    properties: dict[str, dict[str, Any]] = spec.parameters["properties"]
    for key in arguments:
        if key not in properties:
            near = difflib.get_close_matches(key, properties, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(properties) or 'nothing'}."
            raise ToolError(f"{spec.name} has no argument {key!r}.", hint)
    checked = {}
    for key, schema in properties.items():
        value = arguments.get(key)
        if value is not None:
            checked[key] = _checked(spec.name, key, value, schema)
        elif "default" in schema:
            checked[key] = schema["default"]
        else:
            raise ToolError(f"{spec.name} needs the argument {key!r}:", schema["description"])
    return checked


def _checked(tool: str, key: str, value: Any, schema: dict[str, Any]) -> Any:
    expected: str = schema["type"]
    if expected == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, _TYPES[expected]) or (isinstance(value, bool) and expected != "boolean"):
        raise _wrong(tool, key, _named(schema), value)
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise _wrong(tool, key, _named(schema), value)
    if "enum" in schema and value not in schema["enum"]:
        raise _wrong(tool, key, "one of " + ", ".join(map(repr, schema["enum"])), value)
    if "minimum" in schema and value < schema["minimum"]:
        raise _wrong(tool, key, f"at least {schema['minimum']}", value)
    return min(value, schema["maximum"]) if "maximum" in schema else value


def _named(schema: dict[str, Any]) -> str:
    kinds = {"string": "a string", "integer": "an integer", "boolean": "true or false", "array": "a list of strings"}
    return kinds[schema["type"]]


def _wrong(tool: str, key: str, expected: str, value: Any) -> ToolError:
    return ToolError(f"{tool}: {key!r} must be {expected}, not {reprlib.repr(value)}.")
