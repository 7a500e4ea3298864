"""One attempt while it is made: what was sent, what has been shown, what it has cost, and what to try after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from statebook.errors import ModelError
from statebook.model.openai.errors import Reported
from statebook.protocol.models import Metered, ModelEvent, ModelRequest, ReasoningDelta, TextDelta

from .attempt import Attempt
from .signs import id_unknown


class Forgotten(ModelError):
    """The server answered without the conversation that it was to keep."""

    def __init__(self) -> None:
        super().__init__(
            "The server had forgotten the conversation that it was to keep, so its answer does not count.",
            "Ask again: from now on all of it is sent.",
            retryable=True,
            fault="server_fault",
        )


@dataclass(slots=True)
class Trial:
    """``body`` is what was sent, ``counted`` the server's newest count of the answer."""

    attempt: Attempt
    id_unknown: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    shown: bool = False
    counted: Metered | None = None

    def note(self, event: ModelEvent) -> None:
        """Take notice of an event that leaves the client."""
        if isinstance(event, Metered):
            self.counted = event
        self.shown = self.shown or isinstance(event, TextDelta | ReasoningDelta)

    def thrown_away(self) -> Iterator[Metered]:
        """What the answer cost that nobody gets: it was paid for all the same."""
        if self.counted is not None:
            yield replace(self.counted, discarded=True)

    def next(self, failure: ModelError, request: ModelRequest) -> Trial | None:
        """The trial to make after this failure of ``request``; None where it must be told.

        What was shown is not taken back here.
        """
        if self.shown:
            return None
        if isinstance(failure, Forgotten):
            return Trial(replace(self.attempt, anchored=False))
        if not isinstance(failure, Reported):
            return None
        following = self.attempt.after(failure.told, request, self.body, self.optional)
        if following is None:
            return None
        return Trial(following, self.id_unknown or (self.attempt.anchored and id_unknown(failure.told)))
