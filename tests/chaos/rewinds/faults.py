"""Moves that break a promise, one each: the judge must find every one of them."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from unittest.mock import patch

from statebook.session import registry
from statebook.session.rewinding import move, unfinished
from statebook.session.rewinding.parts import parts_of
from statebook.state.files.moving import Mover
from statebook.state.files.reading import digest_at
from statebook.store.journal import Journal
from statebook.store.packs.files import Packs

_decide, _put, _start_branch = move._decide, Mover._put, Journal.start_branch


def _files_first(session, preview, left, **options):
    parts_of(session).files.mover.apply(preview.files)
    _decide(session, preview, left, **options)


def _finished_already(session, preview, left, **_options):
    _decide(session, preview, left, finished=True)


def _in_two(journal, name, at, *, then=(), **options):
    made = _start_branch(journal, name, at, **options)
    if then:
        journal.append(then)
    return made


def _whatever_is_there(mover, order, stay):
    here = mover._place.status(order.path)
    before = digest_at(mover._place, order.path) if here else ""
    return _put(mover, replace(order, change=replace(order.change, before=before)), stay)


def _sync_nothing(packs):
    packs._dirty = packs._unnamed = False


@dataclass(frozen=True, slots=True)
class Fault:
    """``name`` of ``where`` is ``instead``; without them nothing is broken."""

    where: object = None
    name: str = ""
    instead: object = None

    def made(self) -> AbstractContextManager:
        """While inside, it is broken."""
        return patch.object(self.where, self.name, self.instead) if self.name else nullcontext()


SOUND = "nothing"
FAULTS = {
    SOUND: Fault(),
    "packs that are not synced before rows name them": Fault(Packs, "sync", _sync_nothing),
    "files that are put back before the transaction": Fault(move, "_decide", _files_first),
    "a move that is called finished before its files are": Fault(move, "_decide", _finished_already),
    "a move that is not rolled forward": Fault(registry, "finish_move", lambda _: ""),
    "a head that moves in two transactions": Fault(Journal, "start_branch", _in_two),
    "a file that is written over whoever changed it": Fault(Mover, "_put", _whatever_is_there),
    "files that are replaced before they are on disk": Fault(Mover, "_settle", lambda *_: None),
    "staged files that nobody removes": Fault(unfinished, "_sweep", lambda *_: None),
}
