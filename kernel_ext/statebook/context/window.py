"""Cut the conversation to what the model can take, in an order whose bytes stay the same from call to call.

A provider bills an unchanged prefix at a fraction. So the order is fixed (system, tools, runs oldest first), and when
the conversation outgrows the budget, old runs leave in one large cut rather than one at every call; an outline, made by
rules and the same until the next cut, stands in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from statebook.ids import run_name
from statebook.protocol.journal.codec import canonical, digest, to_json
from statebook.protocol.journal.events import ConversationCompacted
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import File, Message, Part, Reasoning, ToolCall, ToolResult
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

from .compaction import leading, outline_room, span
from .files import KEPT, Files, sendable
from .history import messages_of
from .system import SYSTEM
from .tokens import Calibration, estimate, estimate_message

_FILL = 0.8
"""Share of the model's context that input may take; the rest is for the answer."""
_CUT = 0.5
"""Share that is left after a cut, so that the next cut is many calls away."""
_ELIDE = 600
"""Characters above which an old tool result of the running cell may be elided."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is sent: the request with its files' bytes, and how it came about.

    ``first`` is the first run that is shown whole. ``tokens`` is the estimate of what the server will count, and
    ``estimated`` the same without the ``calibration`` on what it has counted so far. ``origins`` tell for each message
    where it comes from (``r3``, ``r1 to r2``, ``this cell``), ``notes`` what is not shown whole, and why.
    """

    request: ModelRequest
    first: int
    tokens: int
    estimated: int = 0
    calibration: Calibration = Calibration()
    origins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Files = field(default_factory=Files, compare=False)

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
def tools_tokens(tools: tuple[ToolSpec, ...]) -> int:
    """About how many tokens the descriptions of tools take."""
    return sum(estimate(f"{tool.name} {tool.description} {tool.parameters}") for tool in tools)


@dataclass(frozen=True, slots=True)
class Past:
    """What a window is made from besides the run itself.

    ``earlier`` are the numbers of the runs before it, oldest first; ``load`` gives one; ``first`` is where the last
    request began, kept as long as it fits. ``compacted`` stands for the runs up to its ``upto``. ``files`` gives bytes;
    ``calibration`` corrects our estimates by what the server has counted.
    """

    earlier: Sequence[int]
    load: Callable[[int], Run]
    first: int = 0
    compacted: ConversationCompacted | None = None
    files: Files = field(default_factory=Files)
    calibration: Calibration = Calibration()


def assemble(current: Run, past: Past, *, tools: tuple[ToolSpec, ...], context_tokens: int) -> Window:
    """The window for the next model call of ``current``; ``context_tokens`` is the model's input limit."""
    compacted = past.compacted
    if compacted is not None and not 0 < compacted.upto < current.number:
        compacted = None  # taken back, or made after this run began
    whole = [number for number in past.earlier if compacted is None or number > compacted.upto]
    room = int(context_tokens * _FILL / past.calibration.factor)
    fixed = estimate(SYSTEM) + tools_tokens(tools)
    head = _cost(leading(compacted, (), past.load, room), past.files)
    told = messages_of(current, current=True)
    now = _fit(told, room - fixed - head - (outline_room(room) if whole else 0), past.files)
    used = fixed + _cost(now, past.files)
    runs, lead, began = _earlier(past, whole, compacted, room, used)
    earlier = [message for number in runs for message in messages_of(past.load(number))]
    messages, files, left_out = sendable([*lead, *earlier, *now], past.files)
    started = current.started
    request = ModelRequest(SYSTEM, messages, tools, temperature=started.temperature, answer=started.answer, files=files)
    outlined = [number for number in whole if number < (began or current.number)]
    shortened = sum(one is not other for one, other in zip(told, now, strict=True))
    estimated = fixed + sum(estimate_message(message, past.files) for message in messages)
    return Window(
        request,
        began or current.number,
        round(estimated * past.calibration.factor),
        estimated,
        past.calibration,
        tuple(_origins(past.load, lead, _leading(compacted, outlined), runs, now)),
        tuple(_notes(compacted, outlined, shortened, left_out)),
        past.files,
    )


def _earlier(
    past: Past, whole: Sequence[int], compacted: ConversationCompacted | None, room: int, used: int
) -> tuple[list[int], list[Message], int]:
    """The earlier runs that are shown whole, the messages in front of them, and the first one's number (0: none)."""
    kept = [number for number in whole if number >= past.first]
    lead = leading(compacted, [number for number in whole if number < past.first], past.load, room)
    runs = _newest(kept, past, room - used - _cost(lead, past.files))
    if len(runs) < len(kept):
        reserved = _cost(leading(compacted, (), past.load, room), past.files) + outline_room(room)
        runs = _newest(whole, past, int(room * _CUT) - used - reserved)
        left = whole[: len(whole) - len(runs)]
        lead = leading(compacted, left, past.load, room)
    return runs, lead, runs[0] if runs else 0


def _newest(numbers: Sequence[int], past: Past, room: int) -> list[int]:
    """The newest runs that fit, oldest first."""
    chosen: list[int] = []
    carried = 0
    for number in reversed(numbers):
        messages = messages_of(past.load(number))
        room -= _cost(messages, past.files if carried < KEPT else Files())  # older files are not sent
        if room < 0:
            break
        carried += sum(isinstance(part, File) for message in messages for part in message.parts)
        chosen.append(number)
    return chosen[::-1]


def _leading(compacted: ConversationCompacted | None, outlined: Sequence[int]) -> str:
    names = [f"up to {run_name(compacted.upto)}"] if compacted else []
    return ", ".join([*names, *([span(outlined)] if outlined else [])])


def _origins(
    load: Callable[[int], Run], lead: Sequence[Message], names: str, runs: Sequence[int], now: Sequence[Message]
) -> Iterator[str]:
    """For each message where it comes from."""
    yield from [names] * len(lead)
    for number in runs:
        yield from [run_name(number)] * len(messages_of(load(number)))
    yield from ["this cell"] * len(now)


def _notes(
    compacted: ConversationCompacted | None, outlined: Sequence[int], shortened: int, left_out: Sequence[str]
) -> Iterator[str]:
    if compacted is not None:
        yield f"The runs up to {run_name(compacted.upto)} are shown as `%agent compact` has summed them up."
    if outlined:
        yield f"{span(outlined)} did not fit any more: an outline stands in their place."
    if shortened:
        yield f"{shortened} of this cell's older tool results are shortened, so that the newer ones fit."
    if left_out:
        yield f"Named but not sent, being older or missing: {', '.join(left_out)}."


def _cost(messages: Sequence[Message], files: Files) -> int:
    return sum(estimate_message(message, files) for message in messages)


def _fit(messages: list[Message], room: int, files: Files) -> list[Message]:
    """The running cell's messages; its oldest long tool results are elided until it fits."""
    excess = _cost(messages, files) - room
    fitted = list(messages)
    for place, message in enumerate(messages[:-1]):
        if excess <= 0:
            break
        parts = tuple(_elide(part) if isinstance(part, ToolResult) else part for part in message.parts)
        if parts == message.parts:
            continue
        fitted[place] = replace(message, parts=parts)
        excess -= estimate_message(message) - estimate_message(fitted[place])
    return fitted


def _elide(result: ToolResult) -> ToolResult:
    if len(result.text) <= _ELIDE:
        return result
    return replace(result, text=f"{result.text[:200]}\n[{len(result.text) - 200} more characters elided; call again]")
