"""What earlier answers have taught about a server: the first attempt of a request, and what a whole trial proves."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace

from statebook.model.base import StatePlace
from statebook.model.openai.marks import Keeps, Mark, Speaks, read_mark, write_mark
from statebook.model.openai.service import DialectChoice
from statebook.protocol.models import ModelRequest

from .attempt import Attempt
from .kept import may_stand


class Learned:
    """What one model knows of its server. What outlives the kernel goes into ``marks``, by the ``endpoint``'s name."""

    def __init__(
        self, choice: DialectChoice, state: StatePlace, marks: MutableMapping[str, str], endpoint: str
    ) -> None:
        self._choice = choice
        self._state = state
        self._marks = marks
        self._endpoint = endpoint
        self._settled: Attempt | None = None

    @property
    def mark(self) -> Mark:
        """What is remembered about the endpoint."""
        return read_mark(self._marks, self._endpoint)

    @property
    def proved(self) -> bool:
        """Whether the server was seen to go on from an id, so that what it says may be shown as it comes."""
        return self.mark.state == "yes"

    def first(self, request: ModelRequest) -> Attempt:
        """How to put this request first."""
        mark = self.mark
        base = self._settled
        if base is None and self._choice == "auto":
            base = Attempt(mark.speaks or "responses")
        elif base is None:
            base = Attempt("chat" if self._choice == "chat" else "responses", pinned=True)
        keep = self._state == "server" and base.api == "responses" and mark.state != "no"
        return replace(base, keep=keep, anchored=keep and may_stand(request))

    def settle(self, first: Attempt, last: Attempt, *, id_unknown: bool) -> None:
        """An answer has come: keep what the way from the ``first`` attempt to the ``last`` has shown.

        ``id_unknown`` says that the server only did not know this one id (any more).
        """
        returned = last.reasoning
        if returned == "none" and last.api == "responses":  # newer items may well be taken
            returned = "bare"
        self._settled = replace(last, reasoning=returned, off_route=False)
        mark = self.mark
        speaks: Speaks = mark.speaks
        if self._choice == "auto" and (last.off_route or not last.pinned):
            speaks = last.api
        state: Keeps = mark.state
        if last.anchored:
            state = "yes"
        elif (first.anchored or (first.keep and not last.keep)) and not (id_unknown and state == "yes"):
            state = "no"
        write_mark(self._marks, self._endpoint, Mark(speaks, state))

    def forgets(self) -> None:
        """The server ignored an id: it is not relied on again."""
        write_mark(self._marks, self._endpoint, replace(self.mark, state="no"))
