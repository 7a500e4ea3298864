"""Moves a session to another point: one transaction decides, files follow it, variables are swapped last.

The order is that of `statebook.protocol.journal.lines`. Cut off before the transaction, nothing has moved; after it,
the next opening puts the files in place, and the next kernel gets the variables of the point. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from statebook.errors import StatebookError, StoreError, UsageError
from statebook.protocol.journal.events import Event
from statebook.protocol.journal.lines import CheckpointMade, HeadMoved, Lost, MoveFinished, Reason
from statebook.run.seams import Kept
from statebook.session.session import Session
from statebook.state.files.moving import FilesMoved
from statebook.state.interrupt import undisturbed
from statebook.state.snapshots.fates import Outcome
from statebook.state.snapshots.restoring import Prepared
from statebook.store.journal import Branch, Place
from statebook.store.reading.between import Between
from statebook.store.reading.checkpoints import Checkpoints, Mark
from statebook.store.reading.files import FilesAt

from .carry import carried
from .parts import Parts
from .plan import Preview, foresee
from .points import Point, of_mark


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did. ``left`` is the checkpoint to return to, ``head`` the newest one now, ``branch`` the line.

    ``variables`` tell the fate of each; ``kept`` are (path, why) of files that were left as they are; ``failed`` says
    in words what else is not as it was.
    """

    preview: Preview
    left: int
    head: int
    branch: str
    variables: tuple[Outcome, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[Outcome, ...]:
        """Variables that could not be brought back."""
        return tuple(each for each in self.variables if each.fate == "lost")


def checkpoint(session: Session, label: str = "") -> tuple[int, str]:
    """Make a checkpoint of all there is now; its number, and what it does not keep, in words ("" where it keeps all).

    UsageError while a run is active.
    """
    session.check_free()
    made, kept = keep_now(session, "person", label)
    refused = session.keeper.refused
    return made.checkpoint, kept.note or (f"Variables and files are not kept with it: {refused}." if refused else "")


def keep_now(session: Session, reason: Reason, label: str = "") -> tuple[CheckpointMade, Kept]:
    """A checkpoint of all there is now, and what was kept with it; without that where the keeper's ``refused`` says so.

    Raises StoreError subclasses.
    """
    kept = session.keeper.keep(reason)
    made = session.store.journal.checkpoint(reason, label=label)
    made = replace(made, snapshot=kept.variables, files=kept.files)
    events = [(Place(), event) for event in (*kept.events, made)]
    found = session.store.commit(events, snapshots=kept.rows)[-1].event
    assert isinstance(found, CheckpointMade)
    return found, kept


def move(session: Session, parts: Parts, preview: Preview) -> Moved:
    """Do what a preview says. Raises UsageError while a run is active, StatebookError where a part can't be had.

    When it raises before the transaction, all is as it was, but for one more checkpoint.
    """
    with session.keeper.lock:  # a run that a second press left may still be at a capture of what is swapped here
        session.check_free()
        left, _ = keep_now(session, "left")
        _must_be_kept(session, preview, left)
        prepared = _prepared(parts, preview)
        try:
            if parts.files is not None and preview.files.doing():
                parts.files.mover.stage(preview.files)
            with undisturbed():
                return _moved(session, parts, preview, left, prepared)
        except BaseException:
            if parts.files is not None:
                parts.files.mover.unstage()  # what is in place already is not staged any more
            raise


def redo(session: Session, parts: Parts, *, overwrite: Collection[str] = ()) -> Preview:
    """What returning from the newest move of this line would do; again after that: from the one before it.

    UsageError where there is none.
    """
    journal = session.store.journal
    moves = [entry.event for entry in journal.entries(kinds=(HeadMoved.kind,)) if isinstance(entry.event, HeadMoved)]
    undone = {event.to for event in moves if event.how == "redo"}
    found = next((event for event in reversed(moves) if event.how != "redo" and event.left not in undone), None)
    mark = Checkpoints(session.store).find(found.left) if found else None
    if found is None or mark is None:
        raise UsageError("There is no move to return from on this line.", "`%agent checkpoints` lists the points.")
    return foresee(session, parts, _as_left(session, mark), found.parts, how="redo", overwrite=overwrite)


def _as_left(session: Session, mark: Mark) -> Point:
    """The point at which a line was left; its head, where nothing has been added to it since."""
    found = of_mark(session.store, mark)
    whole = (mark.branch, session.store.journal.last_seq)
    if mark.branch == session.store.journal.current or Between(session.store, whole, found.line).matters():
        return found  # on the current line, what moved since (files, say) lies between the point and the head
    return replace(found, at=whole[1], tip=True)


def fork(session: Session, target: Point, name: str = "") -> Branch:
    """Start a branch at a point without moving to it. UsageError for a name that is taken."""
    journal = session.store.journal
    return journal.start_branch(
        name or journal.free_name(journal.branches[target.branch].name),
        target.at,
        checkpoint=target.checkpoint,
        why=f"forked at {target.name}",
        line=target.branch,
        then=[(Place(), made) for made in _made(session, "forked", target.checkpoint, target.variables, target.files)],
        aside=True,
    )


# -- the steps of a move -------------------------------------------------------------------------------------------


def _moved(session: Session, parts: Parts, preview: Preview, left: CheckpointMade, prepared: Prepared | None) -> Moved:
    """The transaction, and what follows it: to the end, once it is decided."""
    finished = prepared is None and not preview.files.doing()
    _decide(session, preview, left, finished=finished)
    files, failed = _put(parts, preview)
    if not finished and not failed:
        lost = prepared.outcomes if prepared is not None else ()
        failed += _recorded(session, finished_with(lost, files.kept))
    outcomes, unlike = _swap(session, parts, prepared)
    session.store.fold()
    journal = session.store.journal
    told = (*failed, *unlike)
    return Moved(preview, left.checkpoint, journal.head_checkpoint(), journal.branch.name, outcomes, files.kept, told)


def _put(parts: Parts, preview: Preview) -> tuple[FilesMoved, tuple[str, ...]]:
    """The files in place: it is decided, so that what fails is gone on with at once, and the other parts follow."""
    if parts.files is None:
        return FilesMoved(), ()
    try:
        return parts.files.mover.apply(preview.files), ()
    except Exception:  # noqa: BLE001 - whatever it was: half of a move would be neither state
        try:
            then = parts.files.manifest(preview.target.files)
            return parts.files.mover.roll_forward(preview.files.changes(), then), ()
        except Exception as error:  # noqa: BLE001 - the same; the next kernel goes on with it
            return FilesMoved(), (f"Not all files are in place: {error}. The next kernel puts them there.",)


def _recorded(session: Session, finished: MoveFinished) -> tuple[str, ...]:
    """The end of a move on disk. Where that fails, the next kernel finds all of it done, and says so."""
    try:
        session.store.commit([(Place(), finished)])
    except StoreError as error:
        return (f"That the move is finished could not be recorded: {error}",)
    return ()


def _must_be_kept(session: Session, preview: Preview, left: CheckpointMade) -> None:
    """UsageError where what is there now could not be returned to: then nothing moves."""
    lost = "variables" in preview.parts and preview.variables and not left.snapshot
    if lost or (preview.files.doing() and not left.files):
        raise UsageError(
            f"What there is now could not be kept, so nothing was moved: {session.keeper.refused}.",
            "`--scope conversation+memory` moves without variables and files.",
        )


def _prepared(parts: Parts, preview: Preview) -> Prepared | None:
    if parts.variables is None or "variables" not in preview.parts:
        return None
    return parts.variables.prepare(preview.target.variables)


def _decide(session: Session, preview: Preview, left: CheckpointMade, *, finished: bool) -> None:
    """The one transaction."""
    journal, target = session.store.journal, preview.target
    events: list[Event] = [*_carried(session, preview)]
    events.append(HeadMoved(preview.how, target.checkpoint, left.checkpoint, preview.parts, preview.files.changes()))
    events += _mixed(session, preview, left)
    if finished:
        events.append(MoveFinished())
    then = [(Place(), event) for event in events]
    if not preview.moves_conversation:
        session.store.commit(then)
    elif preview.onto is not None:
        journal.switch(preview.onto, then)
    else:
        why = f"{preview.how} to {target.name}"
        journal.start_branch(
            preview.branch, target.at, checkpoint=target.checkpoint, why=why, line=target.branch, then=then
        )


def _carried(session: Session, preview: Preview) -> list[Event]:
    """What makes the memory of the line that becomes current the one that is wanted there."""
    memory = "memory" in preview.parts
    if memory is preview.moves_conversation:
        return []
    now = session.store.as_of_head.held()
    then = session.store.as_of_head.at(*preview.target.line)
    return carried(now, then) if memory else carried(then, now)


def _mixed(session: Session, preview: Preview, left: CheckpointMade) -> list[Event]:
    """The checkpoint of the new state, where it is not that of the point: see `_made`."""
    target = preview.target
    newest = target.checkpoint if preview.moves_conversation else left.checkpoint
    variables = target.variables if "variables" in preview.parts else left.snapshot
    files = target.files if "files" in preview.parts else left.files
    return _made(session, "moved", newest, variables, files)


def _made(session: Session, reason: Reason, newest: int, variables: str, files: str) -> list[Event]:
    """A checkpoint that keeps these, where the ``newest`` one of its line (0: none) keeps others."""
    mark = Checkpoints(session.store).find(newest) if newest else None
    if (variables, files) == ((mark.variables, FilesAt(session.store).checkpoint(newest)) if mark else ("", "")):
        return []
    made = session.store.journal.checkpoint(reason)
    return [replace(made, parent=newest, snapshot=variables, files=files)]


def finished_with(outcomes: Sequence[Outcome], kept: Sequence[tuple[str, str]]) -> MoveFinished:
    """The event that ends a move: what is lost, and which files were left."""
    lost = tuple(Lost(each.name, each.why, each.cell) for each in outcomes if each.fate == "lost")
    return MoveFinished(lost, tuple(path for path, _ in kept))


def _swap(session: Session, parts: Parts, prepared: Prepared | None) -> tuple[tuple[Outcome, ...], tuple[str, ...]]:
    if parts.variables is None or prepared is None:
        return (), ()
    try:
        restored = parts.variables.apply(prepared)
    except Exception as error:  # noqa: BLE001 - objects of the user's own may raise anything, and the rest has moved
        session.keeper.forget()  # what is there now is looked at anew
        why = f"{error}" if isinstance(error, StatebookError) else f"{type(error).__name__}: {error}"
        return (), (f"The variables are not in place: {why} `%agent rewind head --scope variables` brings them.",)
    return restored.outcomes, tuple(f"Not as it was then: {each}." for each in restored.failed)
