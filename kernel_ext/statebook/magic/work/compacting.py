"""Summing up the conversation so far, and taking that back."""

from __future__ import annotations

from argparse import Namespace as Flags

from statebook.magic.grammar import limits_of
from statebook.magic.host import Host
from statebook.session.conversation import compact as conversation
from statebook.ui.sheets.sheet import note


async def compact(host: Host, flags: Flags) -> None:
    """``%agent compact``."""
    session = host.session()
    if flags.undo:
        conversation.undo(session)
        note("Models are shown the runs themselves again.")
        return
    sink = host.sink(session, verbose=flags.verbose)
    await conversation.compact(session, sink, host.asker(), model=flags.model, limits=limits_of(flags))
    note("Models see this summary in place of the runs so far; `%agent compact --undo` takes it back.")
