"""Finds what does the work of a subcommand, and tells a person who stops it what was kept."""

from __future__ import annotations

import asyncio
from argparse import Namespace as Flags
from collections.abc import Awaitable, Callable

from statebook.magic.host import Host

from .compacting import compact
from .deciding import approve, reject, settle
from .drilling import drill
from .resuming import resume
from .rewinding import redo, rewind, switch, take, undo
from .stopping import stopped
from .tidying import vacuum

WORK: dict[str, Callable[[Host, Flags], Awaitable[None]]] = {
    "resume": resume,
    "approve": approve,
    "reject": reject,
    "settle": settle,
    "compact": compact,
    "drill": drill,
    "rewind": rewind,
    "redo": redo,
    "undo": undo,
    "switch": switch,
    "take": take,
    "vacuum": vacuum,
}


async def work(host: Host, flags: Flags) -> None:
    """Do the work of one subcommand. Raises StatebookError subclasses; RunInterrupted when it was stopped."""
    host.resolved().check()
    try:
        await WORK[flags.command](host, flags)
    except asyncio.CancelledError:
        raise stopped(host.session(), line=True) from None
