"""Leaves the current line as a cell asks for another: what is left can be returned to; variables and files stay."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from statebook.errors import StatebookError, StoreError, UsageError
from statebook.ids import checkpoint_name, run_name
from statebook.protocol.journal.lines import Part
from statebook.protocol.journal.runs import Run
from statebook.run.seams import Kept
from statebook.session.keeping.files import Files
from statebook.session.keeping.keeper import SessionKeeper
from statebook.session.keeping.variables import differ
from statebook.session.waiting import elsewhere
from statebook.store.journal import Branch, Place
from statebook.store.reading.files import FilesAt
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store


def start_here(store: Store, keeper: SessionKeeper, name: str) -> str:
    """Start a branch at the head and go there; what to tell. UsageError for a name that is taken."""
    store.journal.check_name(name)
    kept, journal = _keep_left(store, keeper), store.journal
    journal.start_branch(name, journal.last_seq, checkpoint=journal.head_checkpoint(), why="asked for with --branch")
    return kept.note


def start_before(store: Store, keeper: SessionKeeper, run: int, name: str) -> str:
    """Leave the line just before a run began, so that what is asked anew sees what it saw; what to tell."""
    journal = store.journal
    if name:
        journal.check_name(name)
    kept = _keep_left(store, keeper)
    first = journal.entries_of_run(run)[0].seq
    journal.start_branch(
        name or journal.free_name(journal.branch.name),
        first - 1,
        checkpoint=journal.checkpoint_at(first - 1),
        why=f"--fresh: asks again what {run_name(run)} answered",
    )
    return kept.note


def go_to(store: Store, keeper: SessionKeeper, branch: Branch) -> str:
    """Make a branch the current one; what to tell where its head has other variables or files."""
    if branch.number == store.journal.current:
        return ""
    kept = _keep_left(store, keeper)
    parts, number = _other_parts(store, keeper, branch, kept), store.journal.head_checkpoint(branch.number)
    store.journal.switch(branch)
    if not parts:
        return kept.note
    back = f"`%agent rewind {checkpoint_name(number)} --scope {'+'.join(parts)}` brings those of {branch.name}"
    return f"{kept.note} {' and '.join(parts).capitalize()} stay as they are; {back}.".strip()


def must_be_here(store: Store, run: Run, then: str) -> None:
    """UsageError for a run on another branch: the variables and files of now are not those that it was left with."""
    name = elsewhere(store, run)
    if name:
        raise UsageError(f"{run_name(run.number)} stands on {name}: `%agent switch {name}` first, then {then}.")


def _keep_left(store: Store, keeper: SessionKeeper) -> Kept:
    """A checkpoint of the variables and files of now, where the head of the line does not tell them already."""
    kept = keeper.keep_left()
    if not (kept.variables or kept.files):
        return kept
    told = kept.variables == SnapshotsAt(store).head() and kept.files in ("", FilesAt(store).head())
    if told and not kept.rows:
        return kept
    made = replace(store.journal.checkpoint("left"), snapshot=kept.variables, files=kept.files)
    try:
        store.commit([*((Place(), event) for event in kept.events), (Place(), made)], snapshots=kept.rows)
    except StoreError as error:  # a full disk, say: what was asked for goes on without it
        return Kept(note=keeper.failed(error))
    return kept


def _other_parts(store: Store, keeper: SessionKeeper, branch: Branch, kept: Kept) -> list[Part]:
    """What the head of a branch has otherwise than it is now: variables, files, both or neither."""
    parts: list[Part] = []
    variables, files = SnapshotsAt(store).head(branch.number), FilesAt(store).head(branch.number)
    with suppress(StatebookError):  # one that was let go of brings nothing
        if kept.variables and variables and keeper.variables is not None:
            now, then = keeper.variables.manifest(kept.variables), keeper.variables.manifest(variables)
            if differ(now, then):
                parts.append("variables")
    with suppress(StatebookError):
        if kept.files and files and _would_move(FilesAt(store), keeper.files, kept.files, files):
            parts.append("files")
    return parts


def _would_move(at: FilesAt, files: Files, now: str, then: str) -> bool:
    """Whether a switch would put back files: of those that the agent or a move touched since, or may have."""
    if now == then:
        return False
    since, present, past = at.taken(then), files.manifest(now).files, files.manifest(then).files
    paths = {change.path for change, _ in at.touches(since)}
    if at.unwatched(since):
        paths = {*present, *past}
    return any(present.get(path) != past.get(path) for path in paths)
