"""The seam to whoever answers: a Model streams one completion for one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from statebook.protocol.models import ModelEvent, ModelRequest, Usage

StatePlace = Literal["client", "server"]
"""Who keeps the conversation between calls: we (the journal is the truth), or the provider too (an opt-in)."""


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """What a provider is given to make its models with.

    ``env`` stands for the environment; ``base_url`` is "" for the provider's own. ``marks`` is what earlier calls have
    found out about endpoints, as text by the endpoint's shown name; what a model writes into it outlives the kernel.
    ``quiet`` models are only named and replayed: nothing may be asked of their servers, not even what they can do.
    """

    env: Mapping[str, str] = field(repr=False)  # holds keys
    base_url: str = field(default="", repr=False)  # may hold a password
    state: StatePlace = "client"
    marks: MutableMapping[str, str] = field(default_factory=dict)
    quiet: bool = False


class Model(Protocol):
    """Answers requests. Holds no conversation: everything it may know is in the request."""

    @property
    def name(self) -> str:
        """``provider:model``, as a person would type it."""
        ...

    @property
    def context_tokens(self) -> int:
        """How many input tokens may be sent; the context is cut to it."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield deltas as they arrive and end with exactly one `Completion`.

        Cancelling the task closes the connection. Raises ModelError when there is no answer.
        """
        ...

    def price(self, usage: Usage) -> float | None:
        """US dollars for these tokens by the provider's public prices; None where they are not known to be right."""
        ...


class Provider(Protocol):
    """An entry point of the group ``statebook.models``: makes the model of a name. Nothing is connected yet."""

    def __call__(self, model: str, setup: ModelSetup) -> Model:
        """The model; ``model`` is what stands after the colon, perhaps "". Raises UsageError for no such name."""
        ...
