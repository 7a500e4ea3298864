"""The two APIs a server may speak, each as a route, a body and an accumulator of the same shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from statebook.protocol.models import Completion, ModelEvent, ModelRequest

from .attempts.attempt import Attempt
from .chat import wire as chat_wire
from .chat.accumulate import Accumulator as ChatAccumulator
from .responses import wire as responses_wire
from .responses.accumulate import Accumulator as ResponsesAccumulator


class Growing(Protocol):
    """An answer while it streams in."""

    @property
    def ended(self) -> bool:
        """Whether the answer is whole, so that an end of the connection does no harm."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing may follow; nothing is read after it."""
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. ``optional`` are body options that may be left out where a server refuses them by name."""

    route: str
    body: MakeBody
    accumulator: Callable[[], Growing]
    optional: tuple[str, ...]


def dialect(attempt: Attempt, source: str, *, official: bool) -> Dialect:
    """The API of an attempt. ``source`` names the server and model: what a provider wants back goes only there.

    ``official`` is OpenAI's own server, which takes every option of its API.
    """
    if attempt.api == "chat":
        body = partial(chat_wire.body, source=source, cache_key=official)
        return Dialect("/chat/completions", body, partial(ChatAccumulator, source), chat_wire.OPTIONAL)
    made = partial(responses_wire.body, source=source, keep=attempt.keep)
    return Dialect("/responses", made, partial(ResponsesAccumulator, source), responses_wire.OPTIONAL)
