"""Grows a Completion out of the events of a Responses stream, whatever half of them a server sends.

Events are plain dicts, told apart by their ``type`` alone; unknown ones are passed over.
Shapes: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from statebook.model.openai.content.counts import dollars, responses_usage
from statebook.model.openai.content.shapes import entries, inner
from statebook.model.openai.errors import broke_off, filtered, from_event, read
from statebook.protocol.messages import Message, Part, Text, ToolCall
from statebook.protocol.models import Completion, Metered, ModelEvent, ReasoningDelta, StopReason, TextDelta

from .items import KINDS, Item, Items, arguments_text

Event = dict[str, Any]
TERMINAL = ("response.completed", "response.incomplete", "response.failed")


class Accumulator:
    """Feed it events; it yields deltas, and once ``finished`` it holds the completion.

    ``source`` names the server and model, and marks the reasoning that may go back only there.
    """

    def __init__(self, source: str = "") -> None:
        self._source = source
        self._items = Items()
        self._terminal: Event | None = None
        self._refused = False
        self._said = False
        self._handlers: dict[str, Callable[[Event], Iterator[ModelEvent]]] = {
            "response.output_item.added": self._item_added,
            "response.output_item.done": self._item_done,
            "response.output_text.delta": self._text_delta,
            "response.output_text.done": self._text_done,
            "response.refusal.delta": self._refusal,
            "response.refusal.done": self._refusal,
            "response.content_part.done": self._part_done,
            "response.function_call_arguments.delta": self._arguments,
            "response.function_call_arguments.done": self._arguments,
            "response.reasoning_summary_text.delta": self._thought,
            "response.reasoning_summary_text.done": self._thought,
            "response.reasoning_text.delta": self._thought,
            "response.reasoning_text.done": self._thought,
            **dict.fromkeys(TERMINAL, self._end),
        }

    @property
    def ended(self) -> bool:
        """Whether the answer is whole."""
        return self._terminal is not None

    @property
    def finished(self) -> bool:
        """Whether the terminal event has come: nothing follows it."""
        return self.ended

    def feed(self, event: object) -> Iterator[ModelEvent]:
        """The deltas that one event brings. Raises ModelError for an error event."""
        if not isinstance(event, dict):
            return
        kind = str(event.get("type", ""))
        if kind in {"error", "response.error"} or (not kind and event.get("error")):
            raise from_event(event)
        handler = self._handlers.get(kind)
        if handler is not None:
            yield from handler(event)

    def completion(self) -> Completion:
        """The whole answer. Raises ModelError where the response failed, or ended without its terminal event."""
        if self._terminal is None:
            raise broke_off()
        response = inner(self._terminal, "response")
        if self._terminal["type"] == "response.failed":
            raise from_event(response)
        parts = self._parts()
        stop = self._stop(response, parts)
        if stop == "length":
            parts = [part for part in parts if not _cut_short(part)]
        elif stop == "refusal":  # calls that a filter may have cut are not made
            parts = [part for part in parts if not isinstance(part, ToolCall)]
        message, counted = Message("assistant", tuple(parts)), response.get("usage")
        return Completion(message, responses_usage(counted), stop, str(response.get("id") or ""), dollars(counted))

    def _parts(self) -> list[Part]:
        made = [item.part(f"call_{number}", self._source) for number, item in enumerate(self._items.all)]
        return [part for part in made if part is not None]

    def _stop(self, response: Event, parts: list[Part]) -> StopReason:
        """Why the answer ended. Raises ModelError where a content filter left not a word of it."""
        reason = str(inner(response, "incomplete_details").get("reason") or "")
        if reason == "content_filter" and not any(isinstance(part, Text) for part in parts):
            raise filtered(read(0, {"code": reason}, ""))
        if self._refused or reason == "content_filter":
            return "refusal"
        if response.get("status") == "incomplete" or (self._terminal or {}).get("type") == "response.incomplete":
            return "length"
        return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "end"

    def _item_added(self, event: Event) -> Iterator[ModelEvent]:
        told = inner(event, "item")
        if told.get("type") in KINDS:
            item = self._items.find(told["type"], event, new=True)
            _name(item, told)
            _write(item, told)
        return iter(())

    def _item_done(self, event: Event) -> Iterator[ModelEvent]:
        told = inner(event, "item")
        if told.get("type") in KINDS:
            item = self._items.find(told["type"], event)
            yield from self._finish(item, told)

    def _finish(self, item: Item, told: Event) -> Iterator[ModelEvent]:
        """Take over what a finished item says beyond what was streamed."""
        item.closed = True
        _name(item, told)
        if item.kind == "function_call":
            _write(item, told)
        elif item.kind == "reasoning":
            item.raw = told
            for index, thought in enumerate(entries(told.get("summary")) or entries(told.get("content"))):
                yield from self._rest_of_thought(item, index, str(thought.get("text") or ""))
        else:
            for index, content in enumerate(entries(told.get("content"))):
                self._refused |= content.get("type") == "refusal"
                yield from self._rest(item, index, str(content.get("text") or content.get("refusal") or ""))

    def _text_delta(self, event: Event) -> Iterator[ModelEvent]:
        item = self._items.find("message", event)
        yield from self._say(item, _index(event, "content_index"), str(event.get("delta") or ""))

    def _text_done(self, event: Event) -> Iterator[ModelEvent]:
        item = self._items.find("message", event)
        yield from self._rest(item, _index(event, "content_index"), str(event.get("text") or ""))

    def _part_done(self, event: Event) -> Iterator[ModelEvent]:
        part = inner(event, "part")
        if part.get("type") in ("output_text", "refusal"):
            item = self._items.find("message", event)
            whole = str(part.get("text") or part.get("refusal") or "")
            yield from self._rest(item, _index(event, "content_index"), whole)

    def _refusal(self, event: Event) -> Iterator[ModelEvent]:
        self._refused = True
        item, index = self._items.find("message", event), _index(event, "content_index")
        if "delta" in event:
            yield from self._say(item, index, str(event["delta"] or ""))
        else:
            yield from self._rest(item, index, str(event.get("refusal") or ""))

    def _arguments(self, event: Event) -> Iterator[ModelEvent]:
        item = self._items.find("function_call", event)
        if "delta" in event:
            item.arguments.append(arguments_text(event["delta"]))
        else:
            _write(item, event)
            item.name = item.name or str(event.get("name") or "")
        return iter(())

    def _thought(self, event: Event) -> Iterator[ModelEvent]:
        item = self._items.find("reasoning", event)
        index = _index(event, "summary_index") or _index(event, "content_index")
        if "delta" in event:
            yield from self._think(item, index, str(event["delta"] or ""))
        else:
            yield from self._rest_of_thought(item, index, str(event.get("text") or ""))

    def _end(self, event: Event) -> Iterator[ModelEvent]:
        """Take the terminal event, and from its ``output`` whatever the stream left out.

        Items are matched by their place among their kind: some servers give them other ids here than before.
        """
        self._terminal = event
        response = inner(event, "response")
        counted = response.get("usage")
        if isinstance(counted, dict):
            yield Metered(responses_usage(counted), dollars(counted))
        seen = dict.fromkeys(KINDS, 0)
        for told in entries(response.get("output")):
            kind = str(told.get("type"))
            if kind not in seen or _empty(told):
                continue
            known = [item for item in self._items.of(kind) if kind != "message" or item.texts]
            place, seen[kind] = seen[kind], seen[kind] + 1
            item = known[place] if place < len(known) else self._items.find(kind, {"item": told}, new=True)
            if not item.closed:
                yield from self._finish(item, told)

    def _say(self, item: Item, index: int, text: str) -> Iterator[ModelEvent]:
        if not text:
            return
        if not item.texts and self._said:
            text = f"\n\n{text}"  # two messages are two paragraphs
        self._said = True
        item.texts.setdefault(index, []).append(text)
        yield TextDelta(text)

    def _rest(self, item: Item, index: int, whole: str) -> Iterator[ModelEvent]:
        """Say what a finished text has beyond its deltas; a text that differs stays as it was shown."""
        had = "".join(item.texts.get(index, ()))
        if not had.strip():
            yield from self._say(item, index, whole)
        elif whole.startswith(had):
            yield from self._say(item, index, whole[len(had) :])

    def _think(self, item: Item, index: int, text: str) -> Iterator[ModelEvent]:
        if not text:
            return
        opens = bool(item.summaries) and index not in item.summaries
        item.summaries.setdefault(index, []).append(text)
        yield ReasoningDelta(f"\n\n{text}" if opens else text)

    def _rest_of_thought(self, item: Item, index: int, whole: str) -> Iterator[ModelEvent]:
        had = "".join(item.summaries.get(index, ()))
        if whole.startswith(had):
            yield from self._think(item, index, whole[len(had) :])


def _name(item: Item, told: Event) -> None:
    item.name = str(told.get("name") or "") or item.name
    item.phase = str(told.get("phase") or "") or item.phase
    item.call_id = str(told.get("call_id") or "") or item.call_id or str(told.get("id") or "")


def _write(item: Item, said: Event) -> None:
    """Take whole arguments, where they are said, for what had come of them in pieces."""
    written = arguments_text(said.get("arguments"))
    if written:
        item.arguments = [written]


def _index(event: Event, key: str) -> int:
    value = event.get(key)
    return value if isinstance(value, int) else 0


def _empty(told: Event) -> bool:
    """An extra message without a word, as some servers add beside tool calls."""
    return told.get("type") == "message" and not any(
        content.get("text") or content.get("refusal") for content in entries(told.get("content"))
    )


def _cut_short(part: Part) -> bool:
    """A tool call whose arguments the token limit cut in the middle."""
    if not isinstance(part, ToolCall):
        return isinstance(part, Text) and not part.text
    try:
        json.loads(part.arguments)
    except (ValueError, RecursionError):
        return True
    return False
