"""Walks the workspace and looks at each file's status, within a budget and by the ignore rules."""

from __future__ import annotations

import math
import os
import stat
import time
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from statebook.protected import SECRET_FOLDERS

from .ignoring import NAMES, Levels, ignored, level_of, levels_above, read_rules
from .manifest import FileState, mark_of
from .places import NEVER, SECRET, Place

SECRETS = "may hold secrets, so its content is not kept"
_MARKERS = frozenset({"pyvenv.cfg", "conda-meta"})
"""What a virtual environment is known by."""


@dataclass(frozen=True, slots=True)
class FilesBudget:
    """What one look at the workspace may cost at most, and how much of it is kept."""

    files: int = 20_000
    entries: int = 200_000
    """Names looked at, ignored ones too."""
    file_bytes: int = 100 << 20
    """A bigger file is named, not kept."""
    bytes: int = 512 << 20
    """Of all contents together. Those that are kept already come first, then the smaller ones."""
    new_bytes: int | None = None
    """Of contents that are not kept yet. None: as many as there are."""
    seconds: float | None = 10.0
    """None: as long as it takes."""

    @property
    def deadline(self) -> float:
        """When a look that begins now must end, by the monotonic clock."""
        return math.inf if self.seconds is None else time.monotonic() + self.seconds


OVER = ("has more than", "is not kept: ", "was not looked at", "was not read")
"""How each reason begins for which a budget leaves something out."""

Kind = Literal["ordinary", "never", "secret", "odd"]


@lru_cache(1 << 16)
def kind_of(name: str) -> Kind:
    """What a name tells of an entry; remembered, as a walk asks for each of thousands."""
    if NEVER.fullmatch(name):
        return "never"
    if not name.isascii() and any("\ud800" <= sign <= "\udfff" for sign in name):
        return "odd"
    return "secret" if SECRET.fullmatch(name) else "ordinary"


def unkept(status: os.stat_result, why: str) -> FileState:
    """The state of a file whose content is not kept."""
    size, mtime_ns = status.st_size, status.st_mtime_ns
    return FileState(status.st_mode & 0o777, size, mtime_ns, mark_of(size, mtime_ns), (), why)


@dataclass(slots=True)
class Walked:
    """What a walk found, by relative path."""

    regular: dict[str, os.stat_result] = field(default_factory=dict)
    unkept: dict[str, FileState] = field(default_factory=dict)
    """Links, pipes, devices, files that may hold secrets; what need not be read."""
    folders: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    """Files and folders that an ignore rule leaves out."""
    absent: set[str] = field(default_factory=set)
    """Paths that were looked at by name: there is no file."""


def walk(place: Place, budget: FilesBudget) -> Walked:
    """Look at all files that the ignore rules leave in, those nearest to the root first."""
    walking = _Walking(place, budget)
    walking.run()
    return walking.found


def sort_in(found: Walked, path: str, kind: Kind, status: os.stat_result) -> None:
    """Put what lies at ``path``, which is no folder, where it belongs."""
    if not stat.S_ISREG(status.st_mode):
        what = "a link" if stat.S_ISLNK(status.st_mode) else "no regular file"
        found.unkept[path] = unkept(status, f"is {what}, which is not kept")
    elif kind == "secret":
        found.unkept[path] = unkept(status, SECRETS)
    else:
        found.regular[path] = status


class _Walking:
    def __init__(self, place: Place, budget: FilesBudget) -> None:
        self._place, self._budget = place, budget
        self._deadline = budget.deadline
        self._entries = 0
        self._root = f"{place.root}{os.sep}"
        self.found = Walked()
        levels, self._above = levels_above(place.root, ignore_case=place.ignores_case)
        self._folders: deque[tuple[str, Levels]] = deque([("", levels)])

    def run(self) -> None:
        while self._folders:
            folder, levels = self._folders.popleft()
            spent = self._spent()
            if spent:
                self.found.left_out |= dict.fromkeys([folder, *(each for each, _ in self._folders)], spent)
                return
            self._folder(folder, levels)

    def _spent(self) -> str:
        if len(self.found.regular) >= self._budget.files:
            return f"was not looked at: the workspace has more than {self._budget.files:,} files"
        if self._entries >= self._budget.entries:
            return f"was not looked at: the workspace has more than {self._budget.entries:,} entries"
        if time.monotonic() > self._deadline:
            return f"was not looked at: {self._budget.seconds:g} seconds had passed"
        return ""

    def _folder(self, folder: str, levels: Levels) -> None:
        path = self._root + folder
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=_name)
        except FileNotFoundError:
            if not folder:  # it may come back: a disk that is not there now is not a deletion of all files
                self.found.left_out[""] = "is not there"
            return
        except OSError as error:
            self.found.left_out[folder] = f"can't be read: {(error.strerror or 'unknown').lower()}"
            return
        names = set(map(_name, entries))
        if folder and not _MARKERS.isdisjoint(names):
            self.found.left_out[folder] = "is a virtual environment"
            return
        if folder:
            self.found.folders.add(folder)
        self._entries += len(entries)
        rules = [self._place.root / folder / name for name in NAMES if name in names]
        if rules:
            level = level_of(read_rules(rules), ignore_case=self._place.ignores_case)
            start = len(self._above) + len(os.fsencode(folder)) + (1 if folder else 0)
            levels = (*levels, (start, level)) if level else levels
        self._sort(entries, folder, levels)

    def _sort(self, entries: list[os.DirEntry[str]], folder: str, levels: Levels) -> None:
        prefix = f"{folder}/" if folder else ""
        room = self._budget.files - len(self.found.regular)
        for entry in entries:
            name = entry.name
            kind = kind_of(name)
            if kind == "never":
                continue
            path = prefix + name
            is_folder = entry.is_dir(follow_symlinks=False) and not _is_junction(entry)
            if levels and ignored(levels, self._above + os.fsencode(path), folder=is_folder):
                self.found.ignored.add(_shown(path) if kind == "odd" else path)
                continue
            if kind == "odd":
                self.found.left_out[_shown(path)] = "has a name that is not Unicode"
            elif is_folder:
                if name.casefold() not in SECRET_FOLDERS:
                    self._folders.append((path, levels))
            elif room <= 0:
                more = f"there are more than {self._budget.files:,} files"
                self.found.left_out[folder] = f"was not looked at whole: {more}"
            else:
                room -= 1
                try:
                    sort_in(self.found, path, kind, entry.stat(follow_symlinks=False))
                except OSError:
                    continue  # it is gone again


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether it is a kind of link between folders that Windows has."""
    return os.name == "nt" and hasattr(entry, "is_junction") and bool(entry.is_junction())


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
