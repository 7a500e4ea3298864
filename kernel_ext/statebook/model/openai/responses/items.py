"""Output items of a response while they grow, found by whatever identity a server gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from statebook.errors import ModelError
from statebook.model.openai.content.shapes import inner
from statebook.protocol.messages import Part, Reasoning, Text, ToolCall

KINDS = ("message", "function_call", "reasoning")

REASONING = "responses.reasoning"
"""``type`` of the reasoning kept here, which tells it from that of Chat Completions."""


@dataclass(slots=True)
class Item:
    """One output item. ``texts`` and ``summaries`` are by index; ``raw`` is the provider's finished item.

    What grows is kept in pieces and joined at the end: joining at every delta costs the square of the length.
    ``phase`` says what a message is to the model: ``commentary`` on its way, or the ``final_answer``.
    """

    kind: str
    ids: set[str] = field(default_factory=set)
    texts: dict[int, list[str]] = field(default_factory=dict)
    summaries: dict[int, list[str]] = field(default_factory=dict)
    name: str = ""
    phase: str = ""
    call_id: str = ""
    arguments: list[str] = field(default_factory=list)
    raw: dict[str, Any] | None = None
    closed: bool = False

    @property
    def text(self) -> str:
        """The message's text so far."""
        return "".join(piece for index in sorted(self.texts) for piece in self.texts[index])

    def part(self, fallback_id: str, source: str) -> Part | None:
        """The finished part, or None for an empty item and for kinds that are not ours to keep.

        ``source`` names the server and model, to which alone its reasoning may go back.
        """
        if self.kind == "message":
            return Text(self.text, self.phase) if self.text else None
        if self.kind == "reasoning":
            summary = "\n\n".join("".join(self.summaries[index]) for index in sorted(self.summaries))
            kept = {"type": REASONING, "source": source, "item": self.raw} if self.raw else None
            return Reasoning(summary, kept) if summary or kept else None
        if not self.name:
            raise ModelError(
                "The server sent a tool call without a name.", "Ask again.", retryable=True, fault="malformed"
            )
        return ToolCall(self.call_id or fallback_id, self.name, "".join(self.arguments).strip() or "{}")


class Items:
    """The items of one response, in the order in which they were announced."""

    def __init__(self) -> None:
        self.all: list[Item] = []

    def of(self, kind: str) -> list[Item]:
        """The items of one kind."""
        return [item for item in self.all if item.kind == kind]

    def find(self, kind: str, event: dict[str, Any], *, new: bool = False) -> Item:
        """The item an event speaks of, by id, then by output index, then the last open one; else a new one.

        Servers leave ids out, send them on some events only, or give every item the index 0, so that an index
        counts only among open items of the kind, and an announcement (``new``) with an id of its own opens an item.
        """
        keys = identity(event)
        pool = self.of(kind)
        by_id = [item for item in pool if item.ids & {key for key in keys if not key.startswith("#")}]
        if by_id:
            return self._known(by_id[-1], keys)
        unclaimed = [item for item in pool if not item.closed and not new]
        by_index = [item for item in unclaimed if item.ids & keys]
        candidates = by_index or [item for item in unclaimed if not _conflict(item.ids, keys)]
        if candidates:
            return self._known(candidates[-1], keys)
        item = Item(kind, keys)
        self.all.append(item)
        return item

    @staticmethod
    def _known(item: Item, keys: set[str]) -> Item:
        item.ids |= keys
        return item


def identity(event: dict[str, Any]) -> set[str]:
    """Everything that may name an item in an event: ids as they are, the output index as ``#n``."""
    told = inner(event, "item")
    found = (event.get("item_id"), told.get("id"), told.get("call_id"), event.get("call_id"))
    keys = {key for key in found if isinstance(key, str) and key}
    if isinstance(event.get("output_index"), int):
        keys.add(f"#{event['output_index']}")
    return keys


def arguments_text(value: object) -> str:
    """Tool arguments as JSON text; some servers send the object itself."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _conflict(left: set[str], right: set[str]) -> bool:
    """True where both have an index and the indexes differ."""
    first = {key for key in left if key.startswith("#")}
    second = {key for key in right if key.startswith("#")}
    return bool(first and second and not first & second)
