"""On opening a session: a move that was cut off after its transaction is finished; one before it leaves nothing."""

from __future__ import annotations

from contextlib import suppress

from statebook.errors import StatebookError
from statebook.ids import checkpoint_name
from statebook.protocol.journal.lines import CheckpointMade, HeadMoved, MoveFinished
from statebook.session.session import Session
from statebook.state.files.moving import FilesMoved
from statebook.store.journal import Place
from statebook.store.reading.between import latest
from statebook.store.reading.checkpoints import Checkpoints
from statebook.store.reading.files import FilesAt

from .move import finished_with

_KINDS = (HeadMoved.kind, MoveFinished.kind, CheckpointMade.kind)


def finish_move(session: Session) -> str:
    """Put the files of a move in place that was cut off; what to tell the person, "" for nothing.

    Variables have died with their kernel: this one brings back those of the head. Raises StoreError subclasses.
    """
    store = session.store
    line = (store.journal.current, store.journal.last_seq)
    newest = latest(store, _KINDS, line)
    move = latest(store, (HeadMoved.kind, MoveFinished.kind), line)
    if newest is not None and isinstance(newest.event, CheckpointMade) and newest.event.reason == "left":
        _sweep(session, newest.event.files)
    if move is None or not isinstance(move.event, HeadMoved):
        return ""
    event = move.event
    moved = _files(session, event) if event.files else FilesMoved()
    store.commit([(Place(), finished_with((), moved.kept))])
    where = f"to {checkpoint_name(event.to)}" if event.to else "to the beginning"
    left = f"; left as they are: {', '.join(path for path, _ in moved.kept)}" if moved.kept else ""
    return f"A move {where} was cut off; it is finished now{left}."


def _files(session: Session, event: HeadMoved) -> FilesMoved:
    """The files of the move, where this user had kept them: a stranger's store writes nothing unasked."""
    name = _leads_to(session, event)
    try:
        files = session.keeper.files
        if name and session.keeper.seal.owns(session.store.snapshots.chain(name)):
            return files.mover.roll_forward(event.files, files.manifest(name))
        why = "was kept by someone else"
    except StatebookError as error:
        why = str(error)
    return FilesMoved(kept=tuple((change.path, why) for change in event.files))


def _leads_to(session: Session, event: HeadMoved) -> str:
    """The snapshot of files that the move leads to."""
    marks, journal = Checkpoints(session.store), session.store.journal
    newest = marks.at(journal.current, journal.last_seq)
    if newest is not None and newest.files:
        return newest.files
    return FilesAt(session.store).checkpoint(event.to) if event.to else ""


def _sweep(session: Session, name: str) -> None:
    """Remove what a move had staged that was never decided on."""
    with suppress(StatebookError):
        if name:
            session.keeper.files.mover.sweep(session.keeper.files.manifest(name))
