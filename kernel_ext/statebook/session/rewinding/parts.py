"""What a move needs of those who keep variables and files: the seams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from statebook.session.session import Session
from statebook.state.files.manifest import FilesManifest
from statebook.state.files.moving import Mover
from statebook.state.snapshots.fates import Outcome
from statebook.state.snapshots.manifest import Manifest
from statebook.state.snapshots.restoring import Prepared, Restored
from statebook.state.snapshots.seams import Chunks


class Variables(Protocol):
    """The kernel's variables and their snapshots, by the names that checkpoints give them."""

    def manifest(self, name: str) -> Manifest:
        """What a snapshot holds. StoreError for one that is not there."""
        ...

    def now(self) -> Manifest:
        """What there is now."""
        ...

    def foresee(self, name: str) -> tuple[Outcome, ...]:
        """What restoring a snapshot would do to each variable. StoreError for one that is not there."""
        ...

    def around(self, name: str) -> tuple[str, ...]:
        """What restoring a snapshot would change of the working directory and the environment, in words."""
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

    def now(self, also: Iterable[str] = ()) -> FilesManifest:
        """What there is now, ``also`` at paths that are ignored; all that can be kept is in `chunks`."""
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
