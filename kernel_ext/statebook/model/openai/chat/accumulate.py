"""Grows a Completion out of the chunks of a Chat Completions stream, however a server cuts them.

Chunks are plain dicts; what is not known in them is passed over. Pieces are kept in lists and joined once, so that the
work grows with the length of the answer and not with its square.
Shapes: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from statebook.errors import ModelError
from statebook.model.openai.content.counts import chat_usage, dollars
from statebook.model.openai.content.shapes import entries, inner
from statebook.model.openai.errors import broke_off, filtered, from_event, read
from statebook.protocol.messages import Message, Part, Text, ToolCall
from statebook.protocol.models import Completion, Metered, ModelEvent, ReasoningDelta, StopReason, TextDelta, Usage

from .calls import Calls
from .reasoning import Thought

Chunk = dict[str, Any]

_CUT = frozenset({"length", "max_tokens", "model_length"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"})
_FAILED = {
    "error": ("The model failed before its answer was complete.", "server_fault"),
    "abort": ("The server stopped the answer before its end.", "broken_off"),
    "insufficient_system_resource": ("The server had no room to finish the answer.", "overloaded"),
    "malformed_function_call": ("The model wrote a tool call that can't be read.", "malformed"),
}


class Accumulator:
    """Feed it chunks; it yields deltas, and once the answer has its ``finish_reason`` it holds the completion.

    A whole ``chat.completion`` object counts as a stream of one chunk. ``source`` names the server and model, and
    marks what may go back only there.
    """

    def __init__(self, source: str = "") -> None:
        self._source = source
        self._text: list[str] = []
        self._thought = Thought()
        self._calls = Calls()
        self._id = ""
        self._finish = ""
        self._refused = False
        self._counted = Metered(Usage())
        self._over = False

    @property
    def ended(self) -> bool:
        """Whether the answer is whole: its ``finish_reason`` has come. Token counts may still follow."""
        return bool(self._finish)

    @property
    def finished(self) -> bool:
        """Whether nothing may follow: after the end, the chunk of token counts that has no choices has come.

        A ``finish_reason`` alone is no such sign, even with counts beside it: servers send one with each of several
        tool calls. Without that last chunk a stream is read to its own end (``[DONE]``).
        """
        return self._over

    def feed(self, event: object) -> Iterator[ModelEvent]:
        """The deltas that one chunk brings. Raises ModelError for an error inside the stream."""
        if not isinstance(event, dict):
            return
        if event.get("error"):
            raise from_event(event)
        self._id = self._id or str(event.get("id") or "")
        choices = entries(event.get("choices"))
        for choice in choices:
            if not choice.get("index"):  # only one answer is asked for
                yield from self._choice(choice)
        counted = event.get("usage")
        if isinstance(counted, dict) and counted:
            yield from self._count(counted)
            self._over = self.ended and not any(_says(choice) for choice in choices)
        if any(isinstance(choice.get("message"), dict) for choice in choices):
            self._over = self.ended

    def completion(self) -> Completion:
        """The whole answer. Raises ModelError where the stream ended without saying so, or failed."""
        if not self._finish:
            raise broke_off()
        if self._finish in _FAILED:
            message, fault = _FAILED[self._finish]
            raise ModelError(message, "Ask again.", retryable=True, fault=fault)
        text, calls = "".join(self._text), self._calls.parts(self._source)
        stop = self._stop(text, calls)
        if stop == "length":
            calls = [call for call in calls if _readable(call.arguments)]
        elif stop == "refusal":  # calls that a filter may have cut are not made
            calls = []
        thought = self._thought.part(self._source)
        parts: list[Part] = [*([thought] if thought else ()), *([Text(text)] if text else ()), *calls]
        return Completion(
            Message("assistant", tuple(parts)), self._counted.usage, stop, self._id, self._counted.dollars
        )

    def _stop(self, text: str, calls: list[ToolCall]) -> StopReason:
        """Why the answer ended; some servers say ``stop`` where they called a tool, or the other way round.

        Raises ModelError where a content filter left not a word of it.
        """
        if self._finish in _FILTERED and not text:
            raise filtered(read(0, {"code": self._finish}, ""))
        if self._refused or self._finish in _FILTERED:
            return "refusal"
        if self._finish in _CUT:
            return "length"
        return "tool_calls" if calls else "end"

    def _choice(self, choice: Chunk) -> Iterator[ModelEvent]:
        if choice.get("error"):
            raise from_event(choice)
        delta, whole = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            yield from self._delta(delta)
        if isinstance(whole, dict) and not (self._text or self._calls.all):  # else it repeats what was streamed
            yield from self._delta(whole)
        self._finish = str(choice.get("finish_reason") or "").lower() or self._finish

    def _delta(self, delta: Chunk) -> Iterator[ModelEvent]:
        yield from _thinking(self._thought.take(delta))
        content = delta.get("content")
        if isinstance(content, list):
            for block in entries(content):
                yield from self._block(block)
        elif isinstance(content, str):
            yield from self._say(content)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            yield from self._say(refusal)
        self._calls.take(delta.get("tool_calls"))

    def _block(self, block: Chunk) -> Iterator[ModelEvent]:
        """Content as typed blocks, as Mistral's reasoning models send it."""
        thinking = block.get("thinking")
        if isinstance(thinking, list):
            words = "".join(str(each.get("text") or "") for each in entries(thinking))
            yield from _thinking(self._thought.read(words))
        elif isinstance(block.get("text"), str):
            yield from self._say(block["text"])

    def _say(self, text: str) -> Iterator[ModelEvent]:
        if text:
            self._text.append(text)
            yield TextDelta(text)

    def _count(self, raw: Chunk) -> Iterator[ModelEvent]:
        """Take token counts; where a server sends them again and again, the last ones hold."""
        counted = Metered(chat_usage(raw), dollars(raw))
        if counted != self._counted:
            self._counted = counted
            yield counted


def _thinking(text: str) -> Iterator[ModelEvent]:
    if text:
        yield ReasoningDelta(text)


def _says(choice: Chunk) -> bool:
    """Whether a choice carries anything; the chunk of token counts may have an empty one."""
    said = any(value for key, value in inner(choice, "delta").items() if key != "role")
    return bool(choice.get("finish_reason") or said)


def _readable(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True
