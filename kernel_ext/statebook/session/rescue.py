"""Brings a session back whose file was removed or replaced while its kernel had it open."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from statebook.errors import StoreGone, UsageError
from statebook.store.artifacts import Artifacts
from statebook.store.rescue import rescue

from .registry import Registry, named
from .session import Session


@dataclass(frozen=True, slots=True)
class Rescued:
    """The session, open again; where another file that had taken its name is kept; how many objects are lost."""

    session: Session
    aside: Path | None
    lost: int


def bring_back(registry: Registry, target: Path | None = None) -> Rescued:
    """Write the current session, as this kernel holds it, to its own place or to ``target``, and open it there.

    A file that lies there is kept under another name. Raises UsageError where nothing is to be rescued, StoreGone where
    there is no folder, StoreDamaged where not all of it can be read any more.
    """
    session = registry.current
    if session is None:
        raise UsageError("No session is open, so there is nothing to rescue.", "`%agent open PATH` opens one.")
    session.check_free()
    _must_be_gone(session)
    place = target or session.store.path
    if not place.parent.is_dir():
        raise StoreGone(f"There is no folder {place.parent}.", "Name another place: `%agent rescue PATH`.")
    made = place.with_name(f"{place.name}.rescue")
    rescue(session.store, made)
    registry.forget(session)
    session.keeper.close()
    session.store.chunks.close()
    session.store.database.abandon()
    aside = _set_aside(place) if place.exists() else None
    made.rename(place)
    there = session.notebook if session.notebook.path.parent.is_dir() else named(str(place), place.parent)
    found = registry.open(replace(there, store=place), session.settings)
    found.store.artifacts.adopt(session.store.artifacts.folder)
    found.store.chunks.adopt(session.store.chunks.packs.folder)
    return Rescued(found, aside, len(found.store.artifacts.missing()) + len(found.store.chunks.missing()))


def _must_be_gone(session: Session) -> None:
    try:
        session.store.database.check()
    except StoreGone:
        if session.store.database.moved_to() is not None:
            raise  # it says where the file is, and how to go on there
        return
    raise UsageError(f"{session.store.path.name} is in its place, and holds all of the session.", "Nothing to rescue.")


def _set_aside(place: Path) -> Path:
    """Move the file that took the place, with its log and objects, to a name of its own."""
    stem = place.name.removesuffix(".duckdb").removesuffix(".statebook")
    when = time.strftime("%Y%m%d-%H%M%S")
    other = place.with_name(f"{stem}-replaced-{when}.statebook.duckdb")
    objects = Artifacts.folder_of(place)
    if objects.exists():  # of both: what lies there is named by its content
        shutil.copytree(objects, Artifacts.folder_of(other), copy_function=_link)
    for end in ("", ".wal", ".fold"):
        if place.with_name(place.name + end).exists():
            place.with_name(place.name + end).rename(other.with_name(other.name + end))
    return other


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
