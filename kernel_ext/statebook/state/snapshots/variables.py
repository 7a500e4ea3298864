"""The variables of one namespace over time: takes snapshots of them, and restores them to one."""

from __future__ import annotations

import gc
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .contents.pins import Pins
from .manifest import Group, Manifest
from .pickling.lost import Live
from .pickling.pickler import SnapshotPickler
from .pickling.words.loading import Loading
from .restoring import Prepared, Restored, prepare, swap
from .scope.names import modules, variables
from .scope.threads import others_run
from .scope.touched import EVERYTHING, touched_names
from .seams import Chunks
from .surroundings import Surroundings
from .taking import Capture, Known, SnapshotBudget, Taking, python_version

_NO_LIMIT = SnapshotBudget()


class Snapshots:
    """Captures and restores a namespace, which stays the same dict throughout. Not for use by two threads at once."""

    def __init__(
        self,
        namespace: dict[str, Any],
        chunks: Chunks,
        *,
        hidden: Container[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``hidden`` are names that are not the user's; ``environment`` is the process's as it began."""
        self._namespace = namespace
        self._chunks = chunks
        self._hidden = hidden
        self._live = Live()
        self._pins = Pins()
        self._pickler = SnapshotPickler(namespace, self._live)
        self._surroundings = Surroundings(chunks, environment)
        self._known: dict[str, Known] = {}
        self._keys: dict[str, str] = {}
        """Name -> key of its group."""
        self._missing: dict[str, int] = {}
        """Variables that can't be captured, with their identities."""
        self._due: set[str] = set()
        """Variables that were deferred."""
        self._cells: dict[str, tuple[int, str]] = {}
        """Name -> identity of its value, and the cell that made it."""
        self._last = Manifest()

    @property
    def last(self) -> Manifest:
        """The snapshot taken or restored last."""
        return self._last

    def touched(self, source: str) -> frozenset[str] | None:
        """The variables that a cell may have read or changed; None: all of them.

        ``source`` is plain Python, as IPython's input transformers leave it. Ask before or after running it.
        """
        return touched_names(source, self._namespace, self._uses)

    def capture(
        self, touched: frozenset[str] | None = EVERYTHING, *, budget: SnapshotBudget = _NO_LIMIT, cell: str = ""
    ) -> Capture:
        """Take a snapshot. Only ``touched`` variables are looked at, with new, rebound and deferred ones.

        ``cell`` is what made the variables that are new or rebound since the last snapshot. Raises what
        ``Chunks.put`` raises; the snapshot before it is then still whole, and the next one finds all that is new.
        """
        begin = time.perf_counter()
        with _undisturbed_by_gc():
            values = variables(self._namespace, self._hidden)
            self._note_cells(values, cell)
            others = others_run(self._namespace)
            units = self._units(values, EVERYTHING if others else touched)
            looked = {name for names in units for name in names}
            taking = Taking(
                values, self._chunks, self._pickler, self._pins, budget, self._namespace, others, self._roots(looked)
            )
            taking.take(units, self._known)
        before = self._last
        self._remember(taking, values, looked)
        changed = [
            name
            for key, group in self._last.groups.items()
            if before.groups.get(key) is not group
            for name in group.names
        ]
        seconds = time.perf_counter() - begin
        return Capture(self._last, tuple(changed), tuple(sorted(self._due)), taking.new_bytes, seconds)

    def prepare(self, manifest: Manifest, *, plain: bool = False) -> Prepared:
        """Load a snapshot beside the live variables, which stay as they are; what it gives tells each one's fate.

        The present is captured first, in full, so that it can be returned to: it is in the answer. ``plain`` loads
        nothing but plain data: for snapshots that this user's key did not sign.
        """
        present = self.capture(EVERYTHING)
        with _undisturbed_by_gc():
            loading = Loading(self._namespace, self._chunks, self._live, self._pins.by_content())
            return prepare(manifest, present, loading, plain=plain)

    def apply(self, prepared: Prepared) -> Restored:
        """Make what was prepared the live variables, in one step. Raises UsageError when they changed since."""
        restored = swap(prepared, self._namespace, self._hidden, self._surroundings)
        for key in [key for key in self._known if key not in prepared.kept]:
            del self._known[key]
            self._pins.release(key)
        for key, group in prepared.loaded.items():
            identities = {name: id(self._namespace[name]) for name in group.names}
            self._known[key] = Known(group, identities, uses=prepared.uses.get(key, frozenset()))
            self._pins.hold(key, prepared.pins.get(key, {}))
        self._keys = {name: key for key, known in self._known.items() for name in known.group.names}
        self._missing, self._due = {}, set(prepared.loaded_names)
        self._last = prepared.manifest
        return restored

    def restore(self, manifest: Manifest, *, plain: bool = False) -> Restored:
        """`prepare` and `apply`."""
        return self.apply(self.prepare(manifest, plain=plain))

    def _uses(self, name: str) -> frozenset[str]:
        known = self._known.get(self._keys.get(name, ""))
        return known.uses if known else frozenset()

    def _note_cells(self, values: Mapping[str, Any], cell: str) -> None:
        """Remember which cell made which variable."""
        self._cells = {
            name: known if (known := self._cells.get(name)) and known[0] == id(value) else (id(value), cell)
            for name, value in values.items()
        }

    def _units(self, values: Mapping[str, Any], touched: frozenset[str] | None) -> list[tuple[str, ...]]:
        """What to look at, in pieces that are pickled in one go."""
        gone = {key for name, key in self._keys.items() if name not in values}
        units: list[tuple[str, ...]] = []
        for key, known in self._known.items():
            names = known.group.names
            rebound = key in gone or any(id(values[name]) != known.identities[name] for name in names)
            if rebound:
                units += [(name,) for name in names if name in values]
            elif not self._due.isdisjoint(names) or self._may_differ(known, values, touched):
                units.append(names)
        for name, value in values.items():
            if name in self._keys:
                continue
            stays = self._missing.get(name) == id(value) and name not in self._due
            if not stays or touched is EVERYTHING or name in touched:
                units.append((name,))
        return units

    @staticmethod
    def _may_differ(known: Known, values: Mapping[str, Any], touched: frozenset[str] | None) -> bool:
        names = known.group.names
        if touched is not EVERYTHING and touched.isdisjoint(names):
            return False
        return known.atom is None or known.atom is not values[names[0]]

    def _roots(self, looked: set[str]) -> frozenset[int]:
        rest = (known.array_roots for known in self._known.values() if looked.isdisjoint(known.group.names))
        return frozenset().union(*rest)

    def _remember(self, taking: Taking, values: Mapping[str, Any], looked: set[str]) -> None:
        missing = {name: each for name, each in self._last.missing.items() if name in values and name not in looked}
        for key in [key for key, known in self._known.items() if not looked.isdisjoint(known.group.names)]:
            del self._known[key]
        self._known = {
            key: known for key, known in self._known.items() if all(name in values for name in known.group.names)
        }
        for known in taking.found:
            self._known[known.group.names[0]] = known
        self._pins.retain(self._known)
        self._keys = {name: key for key, known in self._known.items() for name in known.group.names}
        missing |= {
            name: replace(each, cell=self._cells.get(name, (0, ""))[1]) for name, each in taking.missing.items()
        }
        self._missing = {name: id(values[name]) for name in missing}
        self._due = set(taking.deferred)
        self._pickler.forget_types()
        self._live.forget_dead()
        groups: dict[str, Group] = {key: known.group for key, known in self._known.items()}
        self._last = Manifest(
            groups, missing, modules(self._namespace, self._hidden), self._surroundings.read(), python_version()
        )


@contextmanager
def _undisturbed_by_gc() -> Iterator[None]:
    """No collection of cycles meanwhile: it would walk all that is being made, again and again, and find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
