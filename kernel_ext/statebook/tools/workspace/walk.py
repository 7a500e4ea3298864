"""Listing a folder: bounded, without following links, without hidden and generated folders."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from statebook.protected import why_protected

_SKIPPED = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Listing:
    """What a walk found: ``files`` nearest to the top first, ``links`` it did not follow, folders it could not read.

    ``cut`` says in one line what was left out, or is empty.
    """

    files: tuple[Path, ...]
    links: tuple[Path, ...] = ()
    unreadable: tuple[Path, ...] = ()
    cut: str = ""


def walk(root: Path, wanted: Callable[[str], bool], *, max_files: int = 5_000, max_entries: int = 200_000) -> Listing:
    """The regular files under ``root`` whose name is ``wanted``, level by level, each level sorted by name.

    ``max_entries`` bounds the directory entries looked at, so that a home folder or a disk's root ends soon.
    """
    files: list[Path] = []
    links: list[Path] = []
    unreadable: list[Path] = []
    folders = deque([root])
    seen = 0
    while folders:
        folder = folders.popleft()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            unreadable.append(folder)
            continue
        if folder != root and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue  # a virtual environment: thousands of files that nobody means
        for entry in entries:
            if _hidden(entry.name):
                continue
            _sort_in(entry, wanted, folders, files, links)
        seen += len(entries)
        if len(files) > max_files:
            cut = f"only the first {max_files:,} files of {root} were looked at"
            return Listing(tuple(files[:max_files]), tuple(links), tuple(unreadable), cut)
        if seen > max_entries:
            cut = f"{root} is too big: only its first {max_entries:,} entries were looked at"
            return Listing(tuple(files), tuple(links), tuple(unreadable), cut)
    return Listing(tuple(files), tuple(links), tuple(unreadable))


def _sort_in(
    entry: os.DirEntry[str],
    wanted: Callable[[str], bool],
    folders: deque[Path],
    files: list[Path],
    links: list[Path],
) -> None:
    path = Path(entry.path)
    if entry.is_symlink():
        links.append(path)
    elif entry.is_dir(follow_symlinks=False):
        folders.append(path)
    elif entry.is_file(follow_symlinks=False) and wanted(entry.name):
        files.append(path)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or bool(why_protected(PurePath(name)))
