"""What is said between a person, a model and its tools: messages made of typed parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["user", "assistant", "tool"]
ResultStatus = Literal["ok", "error", "denied", "interrupted", "in_doubt"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words, as Markdown. ``phase`` is what they are to the model that said them, "" where it does not tell.

    Models that comment on their way (``commentary``) before their ``final_answer`` want the phase back.
    """

    text: str
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A model's thinking: a readable summary, and the provider's own item (sent back unchanged)."""

    text: str
    item: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool; ``arguments`` is the JSON text exactly as the model wrote it.

    ``extra`` is what the provider wants back with the call, unchanged (a signature of the thought behind it).
    """

    id: str
    name: str
    arguments: str
    extra: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told about one tool call; ``artifacts`` are content digests of rich results."""

    call_id: str
    name: str
    text: str
    status: ResultStatus = "ok"
    artifacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """Bytes kept as an artifact, by digest."""

    digest: str
    media_type: str
    name: str


Part = Text | Reasoning | ToolCall | ToolResult | File


@dataclass(frozen=True, slots=True)
class Message:
    """One role's parts, in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the model's order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def user(text: str) -> Message:
    """A user message of one text part."""
    return Message("user", (Text(text),))


def assistant(text: str) -> Message:
    """An assistant message of one text part."""
    return Message("assistant", (Text(text),))
