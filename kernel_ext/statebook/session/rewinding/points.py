"""Finds the point that a person names: a checkpoint, where a run or a step began, a label, a branch's head."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from statebook.errors import UnknownName, UsageError
from statebook.ids import checkpoint_name, run_name
from statebook.store.journal import Branch
from statebook.store.reading.checkpoints import Checkpoints, Mark
from statebook.store.reading.files import FilesAt
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store

_RUN = re.compile(r"[rR](\d+)(?:\.(\d+))?")
_NUMBER = re.compile(r"#?(\d+)")
HEAD = "head"


@dataclass(frozen=True, slots=True)
class Point:
    """A place that can be gone to: all entries of ``branch``'s lineage up to and including entry ``at``.

    ``checkpoint`` is the newest one there (0: before the first). ``variables`` and ``files`` name the snapshots of it
    ("" for none). ``run`` is the run that begins here (0: none does); ``tip`` says that it is the branch's head.
    """

    branch: int
    at: int
    checkpoint: int
    name: str
    variables: str = ""
    files: str = ""
    run: int = 0
    tip: bool = False

    @property
    def line(self) -> tuple[int, int]:
        """The branch and the last entry."""
        return self.branch, self.at


def point(store: Store, text: str) -> Point:
    """What ``#12``, ``12``, ``r3``, ``r3.2``, a label, a branch's name or ``head`` means; "": where the last run began.

    UsageError, with the nearest names, where there is no such point.
    """
    words = text.strip()
    if not words:
        runs = store.run_numbers()
        if not runs:
            raise UsageError("There is no run to go back before.", "Begin a cell with %%agent.")
        return before_run(store, runs[-1])
    if words == HEAD:
        return head(store, store.journal.branch)
    if match := _NUMBER.fullmatch(words):
        mark = Checkpoints(store).find(int(match[1]))
        if mark is None:
            last = store.journal.head_checkpoint()
            known = f"the newest here is {checkpoint_name(last)}" if last else "there is none yet"
            raise UsageError(f"There is no checkpoint #{match[1]}; {known}.", "`%agent checkpoints` lists them.")
        return of_mark(store, mark)
    if match := _RUN.fullmatch(words):
        return before_run(store, int(match[1]), int(match[2] or 0))
    mark = Checkpoints(store).labelled(words)
    if mark is not None:
        return replace(of_mark(store, mark), name=f"“{words}” ({checkpoint_name(mark.number)})")
    branch = store.journal.find_branch(words)
    if branch is not None:
        return head(store, branch)
    known_names = [*Checkpoints(store).labels(), *(each.name for each in store.journal.branches.values()), HEAD]
    raise UnknownName("checkpoint, label or branch", words, known_names, "`%agent checkpoints` lists them.")


def check_new(store: Store, name: str, *, label: bool) -> None:
    """UsageError for a new label, or else a branch's new name, that would be taken for another point, or hide one."""
    if name == HEAD or _NUMBER.fullmatch(name) or _RUN.fullmatch(name):
        known = "where you are" if name == HEAD else "a run" if _RUN.fullmatch(name) else "a checkpoint's number"
        raise UsageError(f"“{name}” can't be a name: it means {known}.", "Add a word to it.")
    if label and store.journal.find_branch(name) is not None:
        raise UsageError(f"“{name}” can't be a label: a branch has that name.", "Add a word to it.")
    if not label and Checkpoints(store).labelled(name) is not None:
        raise UsageError(f"“{name}” can't be a branch's name: a checkpoint has that label.", "Add a word to it.")


def check_names(store: Store, *, label: str, branch: str) -> None:
    """UsageError for a label, or for a branch that a cell would start, that can't be a name; "" is none."""
    if label:
        check_new(store, label, label=True)
    if branch and store.journal.find_branch(branch) is None:
        check_new(store, branch, label=False)
    if label and label == branch:
        raise UsageError(f"“{label}” can't be both the label and the branch.", "Add a word to one.")


def of_mark(store: Store, mark: Mark) -> Point:
    """The point that a checkpoint is."""
    variables, files = _kept(store, mark.number)
    return Point(mark.branch, mark.seq, mark.number, checkpoint_name(mark.number), variables, files)


def head(store: Store, branch: Branch) -> Point:
    """The newest point of a branch."""
    upto, snapshots = store.journal.last_seq, SnapshotsAt(store)
    number = store.journal.head_checkpoint(branch.number)
    at = f" ({checkpoint_name(number)})" if number else ""
    name = f"{HEAD if branch.number == store.journal.current else branch.name}{at}"
    variables, files = snapshots.head(branch.number), FilesAt(store).head(branch.number)
    return Point(branch.number, upto, number, name, variables, files, tip=True)


def before_run(store: Store, run: int, step: int = 0) -> Point:
    """Where a run began, or one of its steps. UsageError where there is none."""
    entries = store.journal.entries_of_run(run)
    if not entries:
        raise UsageError(f"There is no run {run_name(run)}.", "`%agent list` shows the runs.")
    first = next((entry for entry in entries if entry.step == step or not step), None)
    if first is None:
        raise UsageError(f"{run_name(run)} has no step {step}.", f"`%agent log {run_name(run)}` lists its steps.")
    number = store.journal.checkpoint_at(first.seq - 1, first.branch)
    # what a run found is what it kept before it changed anything: cells may have run since the checkpoint before it
    own = None if step else Checkpoints(store).first_of_run(run)
    kept = own.number if own else number
    variables, files = _kept(store, kept) if kept else ("", "")
    name = f"before step {step} of {run_name(run)}" if step else f"where {run_name(run)} began"
    return Point(first.branch, first.seq - 1, number, name, variables, files, 0 if step else run)


def _kept(store: Store, checkpoint: int) -> tuple[str, str]:
    """The snapshots of variables and of files that tell what was there at a checkpoint."""
    return SnapshotsAt(store).checkpoint(checkpoint), FilesAt(store).checkpoint(checkpoint)
