"""The kernel's variables as one session keeps them: taken, kept as rows, looked ahead at, brought back."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace

from statebook.protocol.journal.kept import SnapshotRow
from statebook.state.snapshots import Capture, Manifest, Prepared, Restored, SnapshotBudget, Snapshots
from statebook.state.snapshots.fates import Outcome
from statebook.state.snapshots.scope.making import labels_of
from statebook.state.snapshots.scope.touched import EVERYTHING
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store

from .rows import Base, Rows
from .seal import Seal


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a session keeps of the kernel it lives in.

    ``namespace`` is the shell's own dict, ``hidden`` the names in it that are not the user's. ``ran`` gives the cells
    that ran, by number, and ``plain`` makes plain Python of a cell's source; ``environment`` is that of the process as
    it was when statebook was loaded.
    """

    namespace: dict[str, object]
    hidden: Container[str] = ()
    ran: Callable[[], Sequence[str]] = tuple
    plain: Callable[[str], str] = str
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot that was read from the store; ``trusted`` says whether code in it may run."""

    base: Base[Manifest]
    chain: Sequence[SnapshotRow]
    trusted: bool

    @property
    def manifest(self) -> Manifest:
        """What it holds."""
        return self.base.manifest


class Variables:
    """The variables of one kernel and the snapshots of them in one store. For the main thread, but for `row`.

    What a capture does not look at is taken to be as it was, so this has to know of all code that runs: what it was
    told with `ran` is looked at, and everything when it was told that something `unseen` may have run.
    """

    def __init__(self, store: Store, seal: Seal, kernel: Kernel, room: Callable[[], SnapshotBudget]) -> None:
        """``room`` is what a capture may cost that a person waits for."""
        self._room = room
        self._store = store
        self._seal = seal
        self._kernel = kernel
        self._at = SnapshotsAt(store)
        self._rows: Rows[Manifest] = Rows(store, "variables", seal, _same)
        self._snapshots: Snapshots | None = None
        self._made: dict[tuple[str, str], str] = {}
        """(name, live token) of what could not be captured -> the cell that made it."""
        self._touched: frozenset[str] | None = EVERYTHING
        self._unseen = 0
        """How often something unseen may have run: also while a thread of a run that was left takes a snapshot."""
        self._prepared: tuple[Manifest, Found] | None = None
        """What was prepared last; not its values, which may be large and belong to whoever asked for them."""
        self.newest_capture: Capture | None = None
        """The last one, or what was restored since; None before the first."""

    # -- taking --------------------------------------------------------------------------------------------------

    @property
    def followed(self) -> bool:
        """Whether all code is known that ran since the last capture."""
        return self._touched is not EVERYTHING

    @property
    def touched(self) -> bool:
        """Whether any of it may have changed variables."""
        return self._touched != frozenset()

    def sweep(self, seconds: float | None) -> None:
        """Let the next capture look at everything, if that takes no more than so long.

        Else what known code has not touched is kept as it was: by all that is known, nothing has changed it.
        """
        if seconds is None or self._live().cost <= seconds:
            self.unseen()

    def unseen(self) -> None:
        """Something may have run that nobody told of: the next capture looks at everything. For any thread."""
        self._unseen += 1
        self._touched = EVERYTHING

    def ran(self, source: str) -> None:
        """A cell ran, or the agent's code; ``source`` is as it was written."""
        if self._touched is EVERYTHING:
            return
        try:
            names = self._live().touched(self._kernel.plain(source))
        except Exception:  # noqa: BLE001 - a transformer of somebody else's may raise anything
            names = EVERYTHING
        self._touched = EVERYTHING if names is EVERYTHING else self._touched | names

    def capture(self, budget: SnapshotBudget, *, cell: str = "") -> Capture:
        """Take a snapshot of what may have changed. Raises StoreError; then the next one looks at everything."""
        unseen, touched = self._unseen, self._touched
        self._touched = EVERYTHING
        taken = self._live().capture(touched, budget=budget, cell=cell)
        if self._unseen == unseen:
            self._touched = frozenset()
        self.newest_capture = replace(taken, manifest=self._with_cells(taken.manifest))
        return self.newest_capture

    def row(self, capture: Capture) -> tuple[str, SnapshotRow | None]:
        """The name of a capture's row, and the row itself where it is not on disk yet. For one thread at a time."""
        return self._rows.row(capture.manifest, capture.new_bytes)

    def has(self, capture: Capture) -> bool:
        """Whether the row that was kept last by this kernel is of the same variables. As `row`, for one thread."""
        base = self._rows.base()
        return base is not None and not differ(base.manifest, capture.manifest)

    def newest(self) -> str:
        """The name of the row that was kept last by this kernel; "" for none."""
        base = self._rows.base()
        return base.name if base else ""

    def forget(self) -> None:
        """Let go of all that is known of the variables, and of the memory that holds; the next capture is in full."""
        self._snapshots = self.newest_capture = self._prepared = None
        self._rows.go_on_from(None)
        self.unseen()

    # -- bringing back -------------------------------------------------------------------------------------------

    def name_at_head(self, branch: int | None = None) -> str:
        """The snapshot of the variables at the end of a branch; "" where they were not kept."""
        return self._at.head(branch)

    def newest_at(self, branch: int) -> tuple[str, int]:
        """The last snapshot before the end of a branch, and its checkpoint, whatever was done since; ("", 0)."""
        return self._at.newest(branch)

    def find(self, name: str) -> Found:
        """A snapshot by its row's name. Raises StoreDamaged, and StoreError when a vacuum let go of it."""
        chain = self._store.snapshots.chain(name)
        manifest = Manifest.of(row.document for row in chain)
        base = Base(name, manifest, chain[-1].signature, len(chain))
        return Found(base, chain, self._seal.trusts(chain))

    def manifest(self, name: str) -> Manifest:
        """What a snapshot holds. Raises as `find` does."""
        return self.find(name).manifest

    def now(self) -> Manifest:
        """The variables as they are now, all of them that there is room for."""
        self.unseen()
        return self.capture(self._room()).manifest

    def foresee(self, name: str) -> tuple[Outcome, ...]:
        """What restoring a snapshot would do to each variable. Raises as `find` does."""
        found, seen = self.find(name), self._touched
        self._touched = EVERYTHING  # where it fails
        outcomes = self._live().foresee(found.manifest, plain=not found.trusted, budget=self._room(), seen=seen)
        self._all_seen()
        return outcomes

    def differs(self, name: str) -> bool:
        """Whether restoring a snapshot would change any variable. Raises as `find` does."""
        here = self._kernel.namespace
        return any(each.fate != "kept" and (each.fate != "lost" or each.name in here) for each in self.foresee(name))

    def around(self, name: str) -> tuple[str, ...]:
        """What restoring it would change of the working directory and the environment; of one not trusted, nothing.

        Raises as `find` does.
        """
        found = self.find(name)
        return tuple(self._live().around(found.manifest)) if found.trusted else ()

    def prepare(self, name: str) -> Prepared:
        """Load a snapshot beside the live variables, which stay; of one that is not trusted, plain data only.

        Raises as `find` does.
        """
        found = self.find(name)
        prepared = self._live().prepare(
            found.manifest, plain=not found.trusted, budget=self._room(), seen=self._touched
        )
        self._prepared = prepared.manifest, found
        return prepared

    def apply(self, prepared: Prepared) -> Restored:
        """Swap in what was prepared last, all or none. UsageError where variables changed since."""
        restored = self._live().apply(prepared)
        (latest, found), self._prepared = self._prepared or (None, None), None
        own = latest is prepared.manifest and found is not None and self._seal.owns(found.chain)
        self._rows.go_on_from(found.base if own and found is not None else None)
        if own:
            self._all_seen()
        else:
            self._live().start_over()
            self.newest_capture = None
            self.unseen()
        return restored

    def load(self, name: str, wanted: tuple[str, ...]) -> tuple[Mapping[str, object], tuple[Outcome, ...]]:
        """Some variables of a snapshot, loaded beside the live ones, and the fate of each. Raises as `find` does."""
        found = self.find(name)
        return self._live().load(found.manifest, wanted, plain=not found.trusted)

    def put(self, values: Mapping[str, object]) -> None:
        """Set variables."""
        self._live().put(values)
        self.unseen()

    def bring_back(self, name: str) -> tuple[Outcome, ...]:
        """Set the variables of a snapshot that this kernel lacks; what is there stays as it is."""
        found = self.find(name)
        self.unseen()
        return self._live().bring_back(found.manifest, plain=not found.trusted)

    def lacking(self, snapshot: str) -> set[str]:
        """The variables of a snapshot that this kernel lacks, modules left out."""
        manifest = self.find(snapshot).manifest
        return manifest.names() - manifest.modules.keys() - self._kernel.namespace.keys()

    # -- inside --------------------------------------------------------------------------------------------------

    def _live(self) -> Snapshots:
        if self._snapshots is None:
            kernel = self._kernel
            self._snapshots = Snapshots(
                kernel.namespace, self._store.chunks, hidden=kernel.hidden, environment=kernel.environment
            )
        return self._snapshots

    def _all_seen(self) -> None:
        """The variables are now what was looked at or swapped in last."""
        self._touched = frozenset()
        self.newest_capture = Capture(self._live().last, (), (), 0, 0.0)

    def _with_cells(self, manifest: Manifest) -> Manifest:
        """With the cell that made each variable that could not be captured, where it is among those that ran."""
        unknown = {name: each.live for name, each in manifest.missing.items() if not each.cell}
        new = [name for name, live in unknown.items() if (name, live) not in self._made]
        if new:
            found = labels_of(new, self._kernel.ran())
            self._made |= {(name, unknown[name]): found.get(name, "") for name in new}
        made = {name: self._made[name, live] for name, live in unknown.items()}
        if not any(made.values()):
            return manifest
        missing = {
            name: replace(each, cell=made[name]) if name in made else each for name, each in manifest.missing.items()
        }
        return replace(manifest, missing=missing)


def differ(one: Manifest, other: Manifest) -> bool:
    """Whether two snapshots differ in their variables; random states and such may move by themselves."""
    return (
        one.groups.keys() != other.groups.keys()
        or one.missing != other.missing
        or one.modules != other.modules
        or not all(group is other.groups[key] or group.same(other.groups[key]) for key, group in one.groups.items())
    )


def _same(one: Manifest, other: Manifest) -> bool:
    return not differ(one, other) and (one.surroundings, one.python) == (other.surroundings, other.python)
