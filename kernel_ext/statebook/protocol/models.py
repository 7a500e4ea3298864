"""What goes to a model and what comes back: the request, the stream and its terminal event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .calls import AnswerForm
from .messages import Message
from .tools import ToolSpec

StopReason = Literal["end", "tool_calls", "length", "refusal"]

Fault = Literal[
    "no_key",
    "refused_key",
    "forbidden",
    "unknown_model",
    "rate_limited",
    "no_quota",
    "overloaded",
    "server_fault",
    "timeout",
    "unreachable",
    "broken_off",
    "truncated",
    "not_a_stream",
    "malformed",
    "overflow",
    "filtered",
    "empty",
    "refused_request",
    "unknown",
]
"""Why a model call failed. ``broken_off`` is a connection that was reset, ``truncated`` a stream that ended cleanly
without its terminal event."""

UNSETTLED: frozenset[Fault] = frozenset({"timeout", "broken_off", "truncated", "malformed", "empty"})
"""Faults of calls that a server had taken on: it may have made, and may bill, what did not arrive whole."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls, as the server counted them.

    ``input`` includes ``cached`` (read from the provider's prefix cache) and ``written`` (put into it); ``output``
    includes ``reasoning``.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.written + other.written,
        )

    @property
    def total(self) -> int:
        """Input plus output tokens."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Cost:
    """What model calls cost: the US dollars that are known, and how many calls have no known price."""

    dollars: float = 0.0
    unknown: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.dollars + other.dollars, self.unknown + other.unknown)

    @property
    def known(self) -> bool:
        """Whether the dollars are all of it."""
        return not self.unknown

    def __str__(self) -> str:
        """``$0.0842``; ``$0.0842+`` where some of it is not known; "" where nothing is known or nothing was spent."""
        return money(self.dollars) + "+" * bool(self.dollars and self.unknown)


@dataclass(frozen=True, slots=True)
class Spent:
    """What runs have used up. ``tokens`` are those that count against limits; ``estimated`` of them are our own count.

    ``steps`` are finished ones, ``seconds`` those of work: of models and tools, not of waiting for a person.
    """

    tokens: int = 0
    estimated: int = 0
    steps: int = 0
    seconds: float = 0.0
    cost: Cost = Cost()

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.tokens + other.tokens,
            self.estimated + other.estimated,
            self.steps + other.steps,
            self.seconds + other.seconds,
            self.cost + other.cost,
        )

    @property
    def told(self) -> str:
        """The tokens to people: ``45,000``, ``about 45,000`` where an estimate is inside."""
        return f"{'about ' if self.estimated else ''}{self.tokens:,}"


def money(dollars: float) -> str:
    """``$0.0842``, ``$1.23``, ``<$0.0001``; "" for nothing."""
    if not dollars:
        return ""
    cents = round(dollars, 4)
    if not cents:
        return "<$0.0001"
    return f"${cents:.4f}" if cents < 1 else f"${dollars:,.2f}"


def exact(dollars: float) -> str:
    """An amount as a person set it, not rounded: ``$0.50``, ``$0.0005``, ``$5.00``."""
    written = f"{dollars:.10f}"
    return f"${written[:-8]}{written[-8:].rstrip('0')}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A response that a server may still hold: what it covers need not be sent again.

    ``response_id`` is the provider's id of it, ``covers`` the number of leading messages of the request that the
    server knows by it (its own answer included). A server that really goes on from it counts more than
    ``input_tokens``.
    """

    response_id: str
    covers: int
    input_tokens: int


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Everything a model is given for one call.

    ``files`` holds the bytes of the messages' `File` parts by digest. ``answer`` is the form in which the final answer
    is wanted. ``cache_key``, ``idempotency_key`` and ``anchor`` are hints a provider may use.
    """

    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_output_tokens: int | None = None
    temperature: float | None = None
    answer: AnswerForm = AnswerForm()
    cache_key: str = ""
    idempotency_key: str = ""
    anchor: Anchor | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, hash=False)


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
    """The terminal event of a stream: the whole assistant message. A stream without one has failed.

    ``dollars`` is what the server itself says the call cost in US dollars; None where it does not say.
    ``response_id`` is the provider's id of an answer that its server was asked to keep, else "".
    """

    message: Message
    usage: Usage
    stop: StopReason = "end"
    response_id: str = ""
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """What the server has counted for this call so far; kept also when the call then fails.

    Of one answer the newest count holds, and its `Completion` counts all of it again. A provider that throws an
    answer away and asks once more within the same call yields that answer's whole count as ``discarded``: such counts
    add up, and to the usage and dollars of whatever ends the call.
    """

    usage: Usage
    dollars: float | None = None
    discarded: bool = False


ModelEvent = TextDelta | ReasoningDelta | Metered | Completion
