"""The two APIs a server may speak, each as a route, a body and an accumulator of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from statebook.protocol.models import Completion, ModelEvent, ModelRequest

from .responses import wire as responses_wire
from .responses.accumulate import Accumulator as ResponsesAccumulator


class Growing(Protocol):
    """An answer while it streams in."""

    @property
    def finished(self) -> bool:
        """Whether the terminal event has come; nothing is read after it."""
        ...

    def feed(self, event: object) -> Iterator[ModelEvent]:
        """The deltas (and `Metered`, where the server counts) of one event. Raises ModelError for an error event."""
        ...

    def completion(self) -> Completion:
        """The whole answer. Raises ModelError where it failed or ended without its terminal event."""
        ...


class MakeBody(Protocol):
    """Builds a request's JSON. ``without`` are options (of the dialect's ``optional``) the server has refused."""

    def __call__(self, model: str, request: ModelRequest, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The JSON body, with the same bytes for the same arguments."""
        ...


class MakeAccumulator(Protocol):
    """Makes an empty accumulator."""

    def __call__(self) -> Growing:
        """A new one for a new answer."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. ``optional`` are body options that may be left out where a server refuses them by name."""

    name: str
    route: str
    body: MakeBody
    accumulator: MakeAccumulator
    optional: tuple[str, ...]


RESPONSES = Dialect("responses", "/responses", responses_wire.body, ResponsesAccumulator, responses_wire.OPTIONAL)
