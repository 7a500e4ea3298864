"""A chat model's reasoning while it streams in, from whichever of its three places, and as it goes back.

No standard names it. Servers use ``reasoning_content`` (DeepSeek, llama-server, LM Studio), ``reasoning`` (vLLM,
Ollama, OpenRouter) and ``reasoning_details`` (OpenRouter; signed or encrypted:
https://openrouter.ai/docs/use-cases/reasoning-tokens).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebook.model.openai.content.shapes import entries
from statebook.protocol.messages import Reasoning

KIND = "chat.reasoning"
"""``type`` of the items kept here, which tells them from those of the Responses API."""

_FIELDS = ("reasoning_content", "reasoning")
_WORDS = {"reasoning.text": "text", "reasoning.summary": "summary"}


class Thought:
    """Takes deltas; gives what is new to read, and at the end the part to keep."""

    def __init__(self) -> None:
        self._read: list[str] = []
        self._field = ""
        self._details: list[tuple[dict[str, Any], list[str]]] = []

    def take(self, delta: Mapping[str, Any]) -> str:
        """The readable text that a delta adds."""
        told = [self._detail(each) for each in entries(delta.get("reasoning_details"))]
        for name in _FIELDS:
            if isinstance(delta.get(name), str) and delta[name]:
                self._field = self._field or name
                return self.read(delta[name])
        return self.read("".join(told)) if told else ""

    def read(self, text: str) -> str:
        """Take readable text that came some other way."""
        if text:
            self._read.append(text)
        return text

    def part(self, source: str) -> Reasoning | None:
        """The whole of it, marked with where it came from; None where there was none."""
        text = "".join(self._read)
        if not text and not self._details:
            return None
        item: dict[str, Any] = {"type": KIND, "source": source}
        if self._details:
            item["reasoning_details"] = [_whole(*each) for each in self._details]
        elif self._field:
            item["field"] = self._field
        return Reasoning(text, item)

    def _detail(self, entry: dict[str, Any]) -> str:
        """Put a detail in its place: pieces of one text are joined, all others stand for themselves."""
        word = _WORDS.get(str(entry.get("type")))
        if word is None:
            self._details.append((entry, []))
            return ""
        piece = str(entry.get(word) or "")
        if self._details and _goes_on(self._details[-1][0], entry):
            raw, pieces = self._details[-1]
            raw.update({key: value for key, value in entry.items() if value is not None})  # a signature comes last
            pieces.append(piece)
        else:
            self._details.append((dict(entry), [piece]))
        return piece


def echo(part: Reasoning, source: str, *, recent: bool) -> dict[str, Any]:
    """The fields of an assistant message that give reasoning back to the server it came from, else none.

    Signed details go back always. Plain text goes back only while the question it was thought for is worked on
    (``recent``): servers drop it from earlier turns, and some refuse it there.
    """
    item = part.item or {}
    if item.get("type") != KIND or item.get("source") != source:
        return {}
    if item.get("reasoning_details"):
        return {"reasoning_details": item["reasoning_details"]}
    return {item["field"]: part.text} if recent and item.get("field") and part.text else {}


def _goes_on(before: dict[str, Any], entry: dict[str, Any]) -> bool:
    return before.get("type") == entry.get("type") and not any(
        before.get(key) is not None and entry.get(key) is not None and before[key] != entry[key]
        for key in ("index", "id")
    )


def _whole(raw: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
    word = _WORDS.get(str(raw.get("type")))
    return {**raw, word: "".join(pieces)} if word else raw
