"""Which files the sources hold at this moment, by the path people see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from statebook.protected import why_protected
from statebook.tools.workspace.text import shown
from statebook.tools.workspace.walk import walk

from .extract import is_document

MAX_FILES = 5_000


@dataclass(slots=True)
class Scan:
    """``files`` by shown path; ``refused`` by shown path, with the reason; ``notes`` on whole folders."""

    files: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def scan(roots: Sequence[Path], workspace: Path, exclude: Sequence[Path] = (), max_files: int = MAX_FILES) -> Scan:
    """Look through the roots (folders, or files of any name); links are not followed.

    A link whose target lies under a root is found there; one that leads elsewhere is refused, since what a person
    named as a source is the folder, not what somebody linked into it.
    """
    base = workspace.resolve()
    tops = [root.resolve() for root in roots]
    barred = [path.resolve() for path in exclude]
    found = Scan()
    for root, top in zip(roots, tops, strict=True):
        if top.is_dir():
            room = max(max_files - len(found.files), 0)
            _add_folder(found, top, tops, base, room)
        elif not top.exists():
            found.notes.append(f"{shown(str(root))} does not exist")
        elif why := why_protected(PurePath(top.name)):
            found.notes.append(f"{shown(str(root))} {why}")
        else:
            found.files.setdefault(shown_path(top, base), top)
    for path, file in list(found.files.items()):
        if any(file.is_relative_to(bar) for bar in barred):
            del found.files[path]
    return found


def shown_path(path: Path, workspace: Path) -> str:
    """Relative to the workspace where it lies inside, else absolute; with ``/``, on one line."""
    return shown((path.relative_to(workspace) if path.is_relative_to(workspace) else path).as_posix())


def _add_folder(found: Scan, top: Path, tops: Sequence[Path], base: Path, room: int) -> None:
    listing = walk(top, is_document, max_files=room)
    for file in listing.files:
        found.files.setdefault(shown_path(file, base), file)
    for link in listing.links:
        if reason := _why_not(link, tops):
            found.refused.setdefault(shown_path(link, base), reason)
    found.notes += [f"{shown_path(folder, base)} can't be read" for folder in listing.unreadable]
    if listing.cut:
        found.notes.append(shown(listing.cut))


def _why_not(link: Path, tops: Sequence[Path]) -> str:
    """Why a link is not a source; "" where nobody would expect it to be one."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere" if is_document(link.name) else ""
    if any(target.is_relative_to(top) for top in tops):
        return ""
    if is_document(link.name) or target.is_dir():
        return "a link that leads outside the sources; add its target as a source"
    return ""
