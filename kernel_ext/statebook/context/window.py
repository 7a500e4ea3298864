"""Cut the conversation to what the model can take, in an order whose bytes stay the same from call to call.

A provider bills an unchanged prefix at a fraction. So the order is fixed (system, tools, runs oldest first), and when
the conversation outgrows the budget, old runs are dropped in one large cut rather than one at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from statebook.protocol.journal.codec import canonical, digest, to_json
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import Message, Part, Reasoning, ToolCall, ToolResult
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

from .history import messages_of
from .system import SYSTEM
from .tokens import estimate, estimate_message

_FILL = 0.8
"""Share of the model's context that input may take; the rest is for the answer."""
_CUT = 0.5
"""Share that is left after a cut, so that the next cut is many calls away."""
_ELIDE = 600
"""Characters above which an old tool result of the running cell may be elided."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is sent: the request, the first run in it (its number), the estimated tokens, a digest that proves it."""

    request: ModelRequest
    first: int
    tokens: int

    @property
    def digest(self) -> str:
        """What proves the request: `request_digest`."""
        return request_digest(self.request)


def request_digest(request: ModelRequest) -> str:
    """SHA-256 over what is sent: system text, tools, messages, temperature, each in its canonical form.

    What a run only hints at (limits, cache and idempotency keys) is left out.
    """
    parts = [digest(request.system), digest(tools_json(request.tools)), to_json(request.messages), request.temperature]
    return digest(canonical(parts))


def request_key(request: ModelRequest) -> str:
    """Equal for requests that ask the same: the digest of a request without what only its provider made up.

    Tool calls are numbered in order in the place of their ids; what a provider wants back of its own (reasoning
    items, signatures) is left out, reasoning that can be read is not. 32 hexadecimal characters.
    """
    numbers: dict[str, str] = {}
    messages = tuple(
        replace(message, parts=tuple(part for part in (_plain(each, numbers) for each in message.parts) if part))
        for message in request.messages
    )
    return digest(canonical([request_digest(replace(request, messages=messages)), to_json(request.answer)]))[:32]


def _plain(part: Part, numbers: dict[str, str]) -> Part | None:
    """A part as `request_key` counts it; ``numbers`` grows by the calls it meets."""
    if isinstance(part, Reasoning):
        return Reasoning(part.text) if part.text else None
    if isinstance(part, ToolCall):
        numbers[part.id] = f"call {len(numbers) + 1}"
        return ToolCall(numbers[part.id], part.name, part.arguments)
    if isinstance(part, ToolResult):
        return replace(part, call_id=numbers.get(part.call_id, part.call_id))
    return part


@lru_cache(maxsize=8)
def tools_json(tools: tuple[ToolSpec, ...]) -> str:
    """The canonical JSON of tool descriptions; the same tools are written out once."""
    return canonical(to_json(tools))


@lru_cache(maxsize=8)
def _fixed_tokens(tools: tuple[ToolSpec, ...]) -> int:
    return estimate(SYSTEM) + sum(estimate(f"{tool.name} {tool.description} {tool.parameters}") for tool in tools)


def assemble(
    current: Run,
    earlier: Sequence[int],
    load: Callable[[int], Run],
    *,
    tools: tuple[ToolSpec, ...],
    context_tokens: int,
    first: int = 0,
) -> Window:
    """The window for the next model call of ``current``.

    ``earlier`` are the numbers of the runs before it, oldest first; ``load`` gives one; ``first`` is where the last
    request began, kept as long as it fits. ``context_tokens`` is the model's input limit.
    """
    room = int(context_tokens * _FILL)
    fixed = _fixed_tokens(tools)
    now = _fit(messages_of(current, current=True), room - fixed)
    used = fixed + _cost(now)
    past, began = _past([number for number in earlier if number >= first], load, room - used)
    if len(past) < len([number for number in earlier if number >= first]):
        past, began = _past(earlier, load, int(room * _CUT) - used)
    messages = tuple(message for run in past for message in run) + tuple(now)
    started = current.started
    request = ModelRequest(SYSTEM, messages, tools, temperature=started.temperature, answer=started.answer)
    return Window(request, began or current.number, used + sum(_cost(run) for run in past))


def _past(numbers: Sequence[int], load: Callable[[int], Run], room: int) -> tuple[list[list[Message]], int]:
    """The newest runs that fit, oldest first, and the number of the first."""
    chosen: list[list[Message]] = []
    began = 0
    for number in reversed(numbers):
        messages = messages_of(load(number))
        room -= _cost(messages)
        if room < 0:
            break
        chosen.append(messages)
        began = number
    return chosen[::-1], began


def _cost(messages: Sequence[Message]) -> int:
    return sum(estimate_message(message) for message in messages)


def _fit(messages: list[Message], room: int) -> list[Message]:
    """The running cell's messages; its oldest long tool results are elided until it fits."""
    excess = _cost(messages) - room
    fitted = list(messages)
    for place, message in enumerate(messages[:-1]):
        if excess <= 0:
            break
        shorter = replace(
            message,
            parts=tuple(_elide(part) if isinstance(part, ToolResult) else part for part in message.parts),
        )
        excess -= estimate_message(message) - estimate_message(shorter)
        fitted[place] = shorter
    return fitted


def _elide(result: ToolResult) -> ToolResult:
    if len(result.text) <= _ELIDE:
        return result
    return replace(result, text=f"{result.text[:200]}\n[{len(result.text) - 200} more characters elided; call again]")
