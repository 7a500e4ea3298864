"""Decides, file by file, how to get from the present to a manifest without touching what is the person's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from statebook.ids import run_name
from statebook.protocol.journal.lines import FileChange

from .manifest import FilesManifest, FileState, changes

Fate = Literal["restore", "recreate", "delete", "already", "conflict", "not_kept"]
"""``restore`` writes over a file, ``recreate`` makes one that is gone, ``delete`` removes one that was not there then,
``already`` needs nothing; a ``conflict`` and what is ``not_kept`` are left as they are."""

_DOING = frozenset({"restore", "recreate", "delete"})
_UNSURE = "differs, and nobody can tell who changed it"


@dataclass(frozen=True, slots=True)
class FileStep:
    """What becomes of one file; ``why`` tells of a conflict, or of what is not kept, as the end of a sentence."""

    path: str
    fate: Fate
    present: FileState | None
    target: FileState | None
    why: str = ""

    @property
    def change(self) -> FileChange:
        """The step as the journal has it."""
        before, after = self.present, self.target
        return FileChange(self.path, before.digest if before else "", after.digest if after else "")


@dataclass(frozen=True, slots=True)
class FilesPlan:
    """All steps, sorted by path, and the folders that stay though they become empty."""

    steps: tuple[FileStep, ...] = ()
    folders: frozenset[str] = frozenset()

    def of(self, *fates: Fate) -> tuple[FileStep, ...]:
        """The steps with these fates."""
        return tuple(step for step in self.steps if step.fate in fates)

    def doing(self) -> tuple[FileStep, ...]:
        """The steps that change a file."""
        return tuple(step for step in self.steps if step.fate in _DOING)

    def changes(self) -> tuple[FileChange, ...]:
        """What a `HeadMoved` says is about to be written."""
        return tuple(step.change for step in self.doing())


def expected(touches: Iterable[FileChange]) -> dict[str, str]:
    """The files that a move is about, each with the digest it has if nobody else touched it ("" for none).

    ``touches`` are what the agent and moves changed since the target was there, oldest first: the last change tells.
    """
    return {change.path: change.after for change in touches}


def edited(touches: Iterable[tuple[FileChange, int]], target: FilesManifest) -> dict[str, str]:
    """The files that somebody else changed before the agent wrote over that, each with a conflict's ``why``.

    ``touches`` are as for `expected`, each with its run (0: a move, which a person agreed to). What the agent found
    must be what it left, or what the ``target`` has.
    """
    left: dict[str, str] = {}
    found: dict[str, str] = {}
    for change, run in touches:
        path = change.path
        fits = change.before == left[path] if path in left else _is(path, change.before, target)
        if run and not fits:
            back = f"`%agent rewind {run_name(run)} --scope files`"
            found[path] = f"was changed by someone else before {run_name(run)} changed it ({back} has that)"
        left[path] = change.after
    return found


def _is(path: str, digest: str, target: FilesManifest) -> bool:
    state = target.files.get(path)
    return state.is_like(digest) if state else not digest or bool(target.unknown(path))


def plan(
    present: FilesManifest,
    target: FilesManifest,
    touched: Mapping[str, str],
    overwrite: Collection[str] = (),
    *,
    theirs: Mapping[str, str] = MappingProxyType({}),
    unwatched: bool = False,
) -> FilesPlan:
    """How to bring the ``touched`` files (see `expected`) from ``present`` to ``target``.

    ``overwrite`` names conflicts that are to be settled for the target; ``theirs`` are more of them (see `edited`).
    ``unwatched`` says that the agent did more than ``touched`` tells: then whatever differs is a conflict. ``present``
    must have been captured and kept, since it is all that brings the overwritten contents back.
    """
    steps = [
        _step(path, present, target, "" if path in overwrite else theirs.get(path) or _conflict(path, last, present))
        for path, last in touched.items()
    ]
    unsure = {change.path for change in changes(present, target)} - touched.keys() if unwatched else set()
    steps += [_step(path, present, target, "" if path in overwrite else _UNSURE) for path in unsure]
    steps.sort(key=lambda step: step.path)
    going = {step.path for step in steps if step.fate == "delete"}
    inside = _inside(present)
    return FilesPlan(tuple(_unblocked(step, present, going, inside) for step in steps), target.folders)


def _step(path: str, present: FilesManifest, target: FilesManifest, conflict: str) -> FileStep:
    now, then = present.files.get(path), target.files.get(path)
    if now.same(then) if now else then is None:
        return FileStep(path, "already", now, then)
    if why := _not_kept(path, then, target):
        return FileStep(path, "not_kept", now, then, why)
    if conflict or (now is not None and now.why):
        why = conflict or f"{now.why if now else ''}: it could not be brought back"
        return FileStep(path, "conflict", now, then, why)
    if now is None:
        return FileStep(path, "recreate", None, then)
    return FileStep(path, "restore" if then else "delete", now, then)


def _not_kept(path: str, then: FileState | None, target: FilesManifest) -> str:
    """Why the file can't be made what it was."""
    if then is None:
        return target.unknown(path)
    return then.why


def _conflict(path: str, last: str, present: FilesManifest) -> str:
    """What somebody else than the agent did to the file since the agent's last touch."""
    now = present.files.get(path)
    if now is None:
        if why := present.unknown(path):
            return f"can't be told: {why}"
        return "was deleted since by someone else" if last else ""
    if now.is_like(last):
        return ""
    return "was changed since by someone else" if last else "was made since by someone else"


def _inside(present: FilesManifest) -> dict[str, set[str]]:
    """Folder -> all files below it."""
    found: dict[str, set[str]] = {}
    for path in present.files:
        folder = path.rpartition("/")[0]
        while folder:
            found.setdefault(folder, set()).add(path)
            folder = folder.rpartition("/")[0]
    return found


def _unblocked(step: FileStep, present: FilesManifest, going: set[str], inside: Mapping[str, set[str]]) -> FileStep:
    """The step, or a conflict where a file stands for its folder, or a folder with other files for the file."""
    if step.fate not in {"restore", "recreate"}:
        return step
    folder = step.path.rpartition("/")[0]
    while folder:
        if folder in present.files and folder not in going:
            return replace(step, fate="conflict", why=f"needs a folder where there is a file now: {folder}")
        folder = folder.rpartition("/")[0]
    if others := inside.get(step.path, set()) - going:
        return replace(step, fate="conflict", why=f"is a folder now, with other files such as {min(others)}")
    return step
