"""What a move needs of those who keep variables and files: the seams, and what would become of each variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from statebook.session.session import Session
from statebook.state.files.manifest import FilesManifest
from statebook.state.files.moving import Mover
from statebook.state.snapshots.manifest import Manifest
from statebook.state.snapshots.restoring import Outcome, Prepared, Restored
from statebook.state.snapshots.seams import Chunks


class Variables(Protocol):
    """The kernel's variables and their snapshots, by the names that checkpoints give them."""

    def manifest(self, name: str) -> Manifest:
        """What a snapshot holds. StoreError for one that is not there."""
        ...

    def now(self) -> Manifest:
        """What there is now."""
        ...

    def prepare(self, name: str) -> Prepared:
        """Load a snapshot beside the live variables. StoreError for one that is not there."""
        ...

    def apply(self, prepared: Prepared) -> Restored:
        """Swap it in, all or none. UsageError where variables changed since."""
        ...

    def load(self, name: str, wanted: tuple[str, ...]) -> tuple[Mapping[str, object], tuple[Outcome, ...]]:
        """Some variables of a snapshot, loaded beside the live ones, and the fate of each."""
        ...

    def put(self, values: Mapping[str, object]) -> None:
        """Set variables."""
        ...


class Files(Protocol):
    """The workspace's files and their snapshots, by the names that checkpoints give them."""

    @property
    def chunks(self) -> Chunks:
        """Where their contents are."""
        ...

    @property
    def mover(self) -> Mover:
        """What puts them in place."""
        ...

    def manifest(self, name: str) -> FilesManifest:
        """What a snapshot holds. StoreError for one that is not there."""
        ...

    def now(self) -> FilesManifest:
        """What there is now; all that can be kept is in `chunks`."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Who keeps what there is beside the journal; None where nobody does."""

    variables: Variables | None = None
    files: Files | None = None


def parts_of(session: Session) -> Parts:
    """The parts of a session; none of them where its settings keep nothing."""
    if session.settings.snapshots == "off":
        return Parts()
    return Parts(session.keeper.variables, session.keeper.files)


def foreseen(then: Manifest, now: Manifest) -> tuple[Outcome, ...]:
    """What would become of each variable, as far as can be told without loading anything, sorted by name."""
    found = [*_captured(then, now), *_missing(then, now), *_modules(then, now)]
    found += [Outcome(name, "removed") for name in now.names() - then.names()]
    return tuple(sorted(found, key=lambda each: each.name))


def _captured(then: Manifest, now: Manifest) -> Iterator[Outcome]:
    for key, group in then.groups.items():
        same = group.same(now.groups.get(key))
        parts = [f"without a part of type {kind}: {why}" for kind, why in dict.fromkeys(group.lost)]
        why = "" if same else "; ".join([*parts, *group.notes])
        yield from (Outcome(name, "kept" if same else "restored", why) for name in group.names)


def _missing(then: Manifest, now: Manifest) -> Iterator[Outcome]:
    for name, missing in then.missing.items():
        here = now.missing.get(name)
        if here is not None and missing.live and here.live == missing.live:
            yield Outcome(name, "kept", f"the live {missing.type}, which is as it is now", missing.cell)
        else:
            yield Outcome(name, "lost", f"{missing.type}: {missing.why}", missing.cell)


def _modules(then: Manifest, now: Manifest) -> Iterator[Outcome]:
    for name, module in then.modules.items():
        yield Outcome(name, "kept" if now.modules.get(name) == module else "restored")
