"""Sessions and disks that break a promise, one each: the judge must find every one of them."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from unittest.mock import patch

from disk import Disk
from statebook.run import acting, permission
from statebook.session.session import Session
from statebook.store.store import Store

_sync = Disk._sync


def _sync_no_log(disk, name):
    if not name.endswith(".wal"):
        _sync(disk, name)


async def _stay(session, number, *_args, **_options):
    return session.run(number)


@dataclass(frozen=True, slots=True)
class Break:
    """``name`` of ``where`` is ``instead``, and the judge must say ``said`` ("" where nothing is broken)."""

    said: str
    where: object = None
    name: str = ""
    instead: object = None

    def made(self) -> AbstractContextManager:
        """While inside, it is broken."""
        return patch.object(self.where, self.name, self.instead) if self.said else nullcontext()


BREAKS = {
    "nothing": Break(""),
    "a call without an intent before it": Break("done twice: ", acting, "_record_intents", lambda *_: None),
    "a write taken for idempotent": Break("done twice: ", permission, "more_careful", lambda *_: "idempotent"),
    "a question about everything": Break("asked without need", permission, "more_careful", lambda *_: "write"),
    "a sync that does nothing": Break("lost: entry", Disk, "_sync", _sync_no_log),
    "text that is shown and not kept": Break("had shown", Store, "draft", lambda *_: None),
    "a run that does not go on": Break("without an answer", Session, "resume", _stay),
}
