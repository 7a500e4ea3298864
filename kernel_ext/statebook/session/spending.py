"""What a session and its notebook may spend in all, and have spent, on every branch: a rewind pays nothing back.

A notebook may have several sessions (`%agent new`): the stores in the folder that name it as theirs and have no
notebook of their own name beside them. A store that another kernel holds can't be read meanwhile; what was last known
of it counts, and where nothing is, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from statebook.errors import StoreError
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import LimitsSet
from statebook.protocol.models import Spent
from statebook.run.limits import Ceiling
from statebook.store.journal import Place
from statebook.store.store import Store

Scope = Literal["session", "notebook"]
_SCOPES: tuple[Scope, ...] = ("session", "notebook")
_KINDS = (LimitsSet.kind,)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one store of the folder told: whose it is, what it has spent, the newest limits of its notebook.

    ``since`` is when these were set, as ISO text that sorts by time ("" for never).
    """

    notebook: str
    spent: Spent = Spent()
    limits: Limits = Limits()
    since: str = ""


class Spending:
    """The ceilings of one open session and of its notebook.

    ``held`` gives the store of a path that this kernel has open itself: the file can't be opened a second time.
    """

    def __init__(self, store: Store, notebook: Path, held: Callable[[Path], Store | None] = lambda _path: None) -> None:
        self._store = store
        self._notebook = str(notebook)
        self.held = held
        self._seq = 0
        self._worked: tuple[int, Spent] = (0, Spent())
        self._set: dict[Scope, tuple[str, Limits]] = {}
        self._known: dict[Path, tuple[tuple[int, ...], Reading]] = {}
        self.unread: tuple[str, ...] = ()
        """Names of stores that can't be read, as another kernel holds them, and of which nothing is known."""

    def set(self, scope: Scope, limits: Limits) -> None:
        """Limit what all runs may spend from now on; `Limits()` takes the limit away."""
        self._store.commit([(Place(), LimitsSet(scope, limits))])

    def limits(self, scope: Scope) -> Limits:
        """What holds in this session; for the notebook, what was set last in any of its sessions."""
        found = [self._own(scope)]
        if scope == "notebook":
            found += [(other.since, other.limits) for other in self._others()]
        return max(found, key=lambda each: each[0])[1]

    def ceilings(self) -> Sequence[Ceiling]:
        """The scopes that have a limit, with what they have spent by now."""
        limits = [(scope, self.limits(scope)) for scope in _SCOPES]
        return [self._ceiling(scope, each) for scope, each in limits if each != Limits()]

    def scopes(self) -> Sequence[Ceiling]:
        """The session and the notebook, each with its limits and what it has spent by now."""
        return [self._ceiling(scope, self.limits(scope)) for scope in _SCOPES]

    def _ceiling(self, scope: Scope, limits: Limits) -> Ceiling:
        spent = self._store.spent() + self._own_work()
        for other in self._others() if scope == "notebook" else ():
            spent = spent + other.spent
        return Ceiling(f"this {scope}", limits, spent, f"%agent limits {scope}")

    def _own_work(self) -> Spent:
        """Steps and seconds of this session so far; only what is new is read."""
        last = self._store.journal.last_seq
        if last > self._worked[0]:
            self._worked = (last, self._worked[1] + self._store.worked(after=self._worked[0]))
        return self._worked[1]

    def _own(self, scope: Scope) -> tuple[str, Limits]:
        if self._store.runs.newest(LimitsSet.kind) > self._seq:
            for entry in self._store.journal.entries_anywhere(_KINDS, after=self._seq):
                event = cast("LimitsSet", entry.event)
                self._set[event.scope] = (entry.time.isoformat(), event.limits)
                self._seq = entry.seq
        return self._set.get(scope, ("", Limits()))

    def _others(self) -> list[Reading]:
        """The notebook's other sessions, as far as they can be read."""
        found, unread = [], []
        for path in sorted(self._store.path.parent.glob("*.statebook.duckdb")):
            if path.name == self._store.path.name or self._is_anothers(path):
                continue
            reading = self._read(path)
            if reading is None:
                unread.append(path.name)
            elif reading.notebook == self._notebook:
                found.append(reading)
        self.unread = tuple(unread)
        return found

    def _is_anothers(self, path: Path) -> bool:
        """Whether a notebook of the store's own name lies beside it. To open each of them would take too long."""
        notebook = path.with_name(path.name.replace(".statebook.duckdb", ".ipynb"))
        return str(notebook) != self._notebook and notebook.exists()

    def _read(self, path: Path) -> Reading | None:
        """A store of the folder; None when it is held elsewhere and was never read, or is none of ours."""
        held = self.held(path)
        if held is not None:
            return _reading(held)
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            store = Store(path, read_only=True, patience=0.0)
        except StoreError:
            return known[1] if known else None
        try:
            reading = _reading(store)
        except StoreError:
            return known[1] if known else None
        finally:
            store.close()
        self._known[path] = (stamp, reading)
        return reading


def _reading(store: Store) -> Reading:
    since, limits = "", Limits()
    for entry in store.journal.entries_anywhere(_KINDS):
        event = cast("LimitsSet", entry.event)
        if event.scope == "notebook":
            since, limits = entry.time.isoformat(), event.limits
    return Reading(store.get_meta("notebook"), store.spent() + store.worked(), limits, since)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes with the file or its log."""
    stats = [each.stat() for each in (path, path.with_name(f"{path.name}.wal")) if each.exists()]
    return tuple(value for stat in stats for value in (stat.st_mtime_ns, stat.st_size))
