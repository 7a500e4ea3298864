"""The seam to whoever answers: a Model streams one completion for one request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from statebook.protocol.models import ModelEvent, ModelRequest


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
