"""What goes to a model and what comes back: the request, the stream and its terminal event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .messages import Message
from .tools import ToolSpec

StopReason = Literal["end", "tool_calls", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls. ``input`` includes ``cached``; ``output`` includes ``reasoning``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    @property
    def total(self) -> int:
        """Input plus output tokens."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Everything a model is given for one call. ``cache_key`` and ``idempotency_key`` are hints a provider may use."""

    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_output_tokens: int | None = None
    temperature: float | None = None
    cache_key: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the readable reasoning summary."""

    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """The terminal event of a stream: the whole assistant message. A stream without one has failed."""

    message: Message
    usage: Usage
    stop: StopReason = "end"
    response_id: str = ""


ModelEvent = TextDelta | ReasoningDelta | Completion
