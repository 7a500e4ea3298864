"""Tells whether variables and files are whole just now: not while a call that may change them is at work.

Calls of one model answer run beside each other, and each result is recorded as soon as it is there. Such a checkpoint
keeps no snapshot while another call that may change something still works: half of what that one does would be taken
for a state that was. The last of them to end keeps what all of them did.
"""

from __future__ import annotations

from statebook.protocol.messages import ToolCall
from statebook.protocol.tools import ToolSpec


def may_change(spec: ToolSpec) -> bool:
    """Whether a tool may change variables or files: code among the variables, a write, a person's own repeatable act.

    What the built-in tools do that is ``idempotent`` (memory) stands in the journal.
    """
    return spec.main_thread or spec.effect == "write" or (spec.effect == "idempotent" and spec.origin != "builtin")


class AtWork:
    """The calls of one run that may change something: which are at work, and which ended since it was last asked."""

    def __init__(self) -> None:
        self._working: dict[str, ToolCall] = {}
        self._ended: list[ToolCall] = []

    @property
    def busy(self) -> bool:
        """Whether something may be half done."""
        return bool(self._working)

    def begin(self, call: ToolCall, spec: ToolSpec) -> None:
        """A call is about to be made."""
        if may_change(spec):
            self._working[call.id] = call

    def end(self, call: ToolCall) -> None:
        """It has ended, or was left behind."""
        ended = self._working.pop(call.id, None)
        if ended is not None:
            self._ended.append(ended)

    def take(self) -> tuple[ToolCall, ...]:
        """The calls that ended since this was asked last."""
        ended, self._ended = tuple(self._ended), []
        return ended
