"""``@statebook.tool``: a typed Python function becomes a tool, and stays a function."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, overload

from statebook.errors import StatebookError, UsageError
from statebook.protocol.code import describe_error
from statebook.protocol.tools import Effect, ToolOutcome, ToolSpec, effect_of
from statebook.tools.base import ToolContext
from statebook.tools.toolbox import check_name

from .results import outcome_of
from .signature import Signature, in_lines
from .state import changes, working_copy
from .worker import in_thread

Verify = Callable[[dict[str, Any], str], bool | Awaitable[bool | None] | None]
"""Tells whether a call in doubt, by its arguments and idempotency key, happened: True, False, or None for unknown."""

_EFFECTS = ("read", "idempotent", "write")


class FunctionTool:
    """A `Tool` made of a function; calling it calls the function."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str = "",
        description: str = "",
        effect: Effect | None = None,
        verify: Verify | None = None,
        annotations: object = None,
    ) -> None:
        self.function = function
        self.verify = verify
        self._name = check_name(name or getattr(function, "__name__", ""))
        self._description = description
        if effect is not None and annotations is not None:
            raise UsageError(f"Tool {self._name!r} has both an effect and annotations.", "Give one of the two.")
        if effect is not None and effect not in _EFFECTS:
            raise UsageError(f"Tool {self._name!r} has the effect {effect!r}.", "Use read, idempotent or write.")
        self._effect = effect or effect_of(annotations, trusted=True)  # who writes the tool vouches for them
        self._signature = Signature(function, self._name)
        self._spec: ToolSpec | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the plain function, without checks and without a journal."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self._name} ({self._effect})>"

    @property
    def spec(self) -> ToolSpec:
        """What the model sees; made on first use. Raises UsageError where a type has no JSON schema."""
        if self._spec is None:
            text, parameters = _read_docstring(self.function)
            schema = self._signature.schema(parameters)
            said = self._description or text or self._name.replace("_", " ")
            self._spec = ToolSpec(self._name, said, schema, self._effect)
        return self._spec

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises ToolError for arguments that the function's types do not allow."""
        self._signature.parse(arguments)

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> ToolOutcome:
        """Check ``arguments``, call the function (a sync one on a thread of its own) and read what it returns.

        The function works on a copy of ``ctx.state``; what it changed there is in the outcome's ``state``. Raises
        ToolError for wrong arguments, for what the function raises (with a trimmed traceback), and for state that
        is not JSON.
        """
        self.spec  # noqa: B018 - builds the schema with its descriptions
        values = self._signature.parse(arguments)
        state = working_copy(ctx.state)
        if self._signature.context:
            values[self._signature.context] = replace(ctx, state=state, progress=_on_loop(ctx.progress))
        outcome = outcome_of(await self._run(values))
        return replace(outcome, state={**changes(ctx.state, state), **outcome.state})

    async def _run(self, values: dict[str, Any]) -> Any:
        try:
            if inspect.iscoroutinefunction(self.function):
                return await self.function(**values)
            returned = await in_thread(functools.partial(self.function, **values), f"tool {self._name}")
            return await returned if inspect.isawaitable(returned) else returned
        except StatebookError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise in_lines(f"{self._name} failed.", [describe_error(error)]) from error
        except (Exception, SystemExit) as error:
            raise in_lines(f"{self._name} failed.", [describe_error(error)]) from error
        except KeyboardInterrupt as error:
            if inspect.iscoroutinefunction(self.function):
                raise  # the stop button, seen by the loop's own thread
            raise in_lines(f"{self._name} failed.", [describe_error(error)]) from error


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str = "",
    description: str = "",
    effect: Effect | None = None,
    verify: Verify | None = None,
    annotations: object = None,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    description: str = "",
    effect: Effect | None = None,
    verify: Verify | None = None,
    annotations: object = None,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a typed function, sync or async, a tool; usable bare or with arguments.

    ::

        @statebook.tool(effect="read")
        def lookup(word: str, limit: int = 5, *, ctx: statebook.ToolContext) -> list[str]:
            '''Find entries for a word.'''

    ``name`` and ``description`` default to the function's name and docstring; parameters are described by the
    docstring, by ``Annotated[str, "what it is"]`` or by pydantic's ``Field``. ``effect`` says what a call does
    outside: ``read`` nothing, ``idempotent`` something that may be repeated with the same ``ctx.idempotency_key``,
    ``write`` (the default, and the safe one) something that may not; such calls are asked for, and never repeated
    silently. ``annotations`` say it in MCP's words instead (``{"readOnlyHint": True}``, or an object with such
    attributes), as `effect_of` reads them. ``verify(arguments, idempotency_key)``, sync or async, tells whether a call
    in doubt happened: True, False, or None where it can't know. A parameter named ``ctx`` or typed `ToolContext` is
    not the model's: it brings ``ctx.state`` (journaled), ``ctx.idempotency_key`` and ``ctx.progress``.

    Raises UsageError for a parameter without a type, ``*args``, an unknown effect and a name no model accepts.
    """
    if function is not None:
        return FunctionTool(function)
    return functools.partial(
        FunctionTool, name=name, description=description, effect=effect, verify=verify, annotations=annotations
    )


def _on_loop(progress: Callable[[str], None]) -> Callable[[str], None]:
    """``progress``, callable from any thread; it runs on the loop."""
    loop = asyncio.get_running_loop()

    def report(text: str) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody watches any more
            loop.call_soon_threadsafe(progress, text)

    return report


def _read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The docstring's text, and its descriptions of parameters."""
    import docstring_parser

    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    parts = [parsed.short_description, parsed.long_description]
    if parsed.returns is not None and parsed.returns.description:
        parts.append(f"Returns {parsed.returns.description}")
    described = {item.arg_name: " ".join((item.description or "").split()) for item in parsed.params}
    return "\n\n".join(part for part in parts if part), described
