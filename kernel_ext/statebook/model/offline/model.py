"""Answers a request: replays the plan for its prompt against what was done already, and goes one batch further.

The plan is a generator that yields batches of tool calls and is sent their results. Nothing is kept between requests:
each time the plan runs from its start, and calls that the messages show as done are answered from there. So a run goes
on in another kernel exactly where it stopped, as with any other model.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator

from statebook.errors import UnknownName
from statebook.model.base import ModelSetup
from statebook.protocol.messages import Message, Part, Reasoning, Text, ToolCall, ToolResult
from statebook.protocol.models import Completion, ModelEvent, ModelRequest, ReasoningDelta, StopReason, TextDelta, Usage

from .forms.statements import in_form, refuse
from .plan import plan
from .turn import Batch, Plan, Turn, read_turn

_WORDS_A_PIECE = re.compile(r"(?:\S+\s*){1,4}|\s+")


class OfflineModel:
    """``offline:research``: plans by rules, calls the tools it is offered, quotes what it read. Costs no tokens."""

    name = "offline:research"
    context_tokens = 1_000_000

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `Model.stream`; the text comes in pieces of a few words."""
        refuse(request.answer)
        step = next_step(read_turn(request))
        parts: list[Part] = []
        if isinstance(step, str):
            step = in_form(step, request.answer, request.messages)
            for piece in _WORDS_A_PIECE.findall(step):
                yield TextDelta(piece)
                await asyncio.sleep(0)
            parts.append(Text(step))
        else:
            if step.thought:
                yield ReasoningDelta(step.thought)
                parts.append(Reasoning(step.thought))
            stem = _digest(request)
            parts += [
                ToolCall(f"call_{stem}_{place}", wish.name, json.dumps(dict(wish.arguments), ensure_ascii=False))
                for place, wish in enumerate(step.wishes, start=1)
            ]
        stop: StopReason = "end" if isinstance(step, str) else "tool_calls"
        yield Completion(Message("assistant", tuple(parts)), Usage(), stop)

    def price(self, usage: Usage) -> float:
        """Nothing, ever."""
        return 0.0


def create(model: str, setup: ModelSetup) -> OfflineModel:  # noqa: ARG001 (the seam's form)
    """The entry point of ``offline:``. Raises UnknownName for any model but ``research``."""
    if model not in {"", "research"}:
        raise UnknownName("model", f"offline:{model}", ("offline:", "offline:research"), "It has no other models.")
    return OfflineModel()


def next_step(turn: Turn) -> Batch | str:
    """The next batch of calls that were not made yet, or the answer."""
    left: defaultdict[str, list[ToolResult]] = defaultdict(list)
    for wish, result in turn.done:
        left[wish.key].append(result)
    running: Plan = plan(turn)
    try:
        batch = next(running)
        while True:
            open_wishes, results = [], []
            for wish in batch.wishes:
                if left[wish.key]:
                    results.append(left[wish.key].pop(0))
                else:
                    open_wishes.append(wish)
            if open_wishes:
                return Batch(tuple(open_wishes), batch.thought if len(open_wishes) == len(batch.wishes) else "")
            batch = running.send(results)
    except StopIteration as end:
        return f"{end.value}{_unseen(turn)}"


def _unseen(turn: Turn) -> str:
    """A line for what came with the prompt and only a model with eyes can use."""
    if not turn.unseen:
        return ""
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(turn.unseen))
    return f"\n\nI can't look at pictures and scanned pages, so I left {names} aside."


def _digest(request: ModelRequest) -> str:
    """Different for each place in a conversation, so that no two calls share an id."""
    seen = hashlib.sha256()
    for message in request.messages:
        seen.update(f"{message.role} {message.parts!r}".encode())
    return seen.hexdigest()[:10]
