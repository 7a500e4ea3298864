"""Takes one snapshot: pickles what may have changed, finds what shares objects, and stores what is new."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .contents.cutting import memory_cuts, stream_cuts, without_frames
from .contents.groups import ATOMS, Sets, readable, type_name, unite_by_marks, unite_by_objects
from .contents.pins import Pin, Pins, Place
from .manifest import Group, Manifest, Missing
from .pickling.pickler import Dump, Found, SnapshotPickler
from .pickling.trial import comes_back
from .pickling.words.loading import Loading
from .seams import Chunks, Pieces, digest_of

_TRIES = 3
"""How often a variable that changes while it is captured is captured anew."""
_WAITING = 64
"""Chunks, of a megabyte at most, that are copied before they are handed over."""
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class SnapshotBudget:
    """What one snapshot may cost. None: no limit."""

    seconds: float | None = None
    """Above it, the variables that are left are deferred to the next snapshot."""
    size: int | None = None
    """New bytes. A variable that would go above it is not captured."""
    of: str = "for one snapshot"
    """What sets the size, in words."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One snapshot, and what taking it took."""

    manifest: Manifest
    changed: tuple[str, ...]
    """Variables that are new or not as in the snapshot before."""
    deferred: tuple[str, ...]
    """Variables left out for lack of time; the next snapshot begins with them."""
    new_bytes: int
    seconds: float


@dataclass(slots=True)
class Known:
    """What is remembered of a group since it was captured or restored."""

    group: Group
    identities: dict[str, int]
    atom: Any = None
    """The value itself, where it is one that can't change."""
    uses: frozenset[str] = frozenset()
    array_roots: frozenset[int] = frozenset()
    frame_roots: frozenset[int] = frozenset()
    outside: bool = False
    """Whether others write to its memory unseen, so that it is looked at each time."""
    seconds: float = 0.0
    restored: str = ""
    """Fingerprint of what came back from the group's snapshot. Equal values may be pickled otherwise than they were
    before: what was two equal texts may be one text now."""


class Torn(Exception):
    """A variable changed while it was captured."""


@dataclass(slots=True)
class Unit:
    """Variables that are pickled in one go."""

    names: tuple[str, ...]
    dump: Dump
    seconds: float
    shared: frozenset[int] = frozenset()


@dataclass(slots=True)
class Taking:
    """One snapshot in the making."""

    values: Mapping[str, Any]
    chunks: Chunks
    pickler: SnapshotPickler
    pins: Pins
    budget: SnapshotBudget
    namespace: dict[str, Any]
    unsettled: bool
    """Whether other code of the user's runs at the same time."""
    roots: frozenset[int] = frozenset()
    """Arrays of variables that are not looked at now."""
    trusting: bool = True
    """Whether what held copies prove unchanged need not be hashed."""
    started: float = field(default_factory=time.perf_counter)
    new_bytes: int = 0
    missing: dict[str, Missing] = field(default_factory=dict)
    deferred: list[str] = field(default_factory=list)
    found: list[Known] = field(default_factory=list)
    waiting: dict[str, bytes] = field(default_factory=dict)
    """Chunks that are copied and not yet handed over: who writes them would take time from the copying."""
    looked: set[str] = field(default_factory=set)
    """Variables that were looked at."""

    def take(self, units: Sequence[tuple[str, ...]], known: Mapping[str, Known], rooted: Mapping[str, Known]) -> None:
        """Capture the units, the quickest first as far as that is known; ``rooted`` are the groups with arrays."""
        order = sorted(units, key=lambda names: known[names[0]].seconds if names[0] in known else 0.0)
        memos = sum(not self._is_atom(names) for names in order) > 1
        dumped: dict[str, Unit] = {}
        for names in order:
            expected = known[names[0]].seconds if names[0] in known else 0.0
            unit = None if self._defer(names, expected) else self._pickle(names, frozenset(), memos)
            if unit is not None:
                dumped[names[0]] = unit
        self._reach(dumped, rooted)
        for unit in self._together(dumped):
            key = unit.names[0]
            try:
                self._keep(unit, known.get(key))
            except Torn:
                self._miss(unit.names, "it changes while it is captured, by a thread or by its own pickling")
        self._hand_over()

    def _reach(self, dumped: dict[str, Unit], known: Mapping[str, Known]) -> None:
        """Pickle what is not touched and sees the same memory, too: a frame tells of it by no object they share."""
        new = [unit.dump.found for unit in dumped.values()]
        while new:
            arrays = {root for found in new for root in found.array_roots | found.handed_out}
            frames = {root for found in new for root in found.frame_roots}
            new = []
            if not (arrays or frames):
                return
            for key, each in known.items():
                sees = not each.array_roots.isdisjoint(arrays | frames) or not each.frame_roots.isdisjoint(arrays)
                if sees and self.looked.isdisjoint(each.group.names):
                    unit = self._pickle(each.group.names, frozenset(), memo=False)
                    if unit is not None:
                        dumped[key] = unit
                        new.append(unit.dump.found)

    def _is_atom(self, names: tuple[str, ...]) -> bool:
        return len(names) == 1 and type(self.values[names[0]]) in ATOMS

    def _defer(self, names: tuple[str, ...], expected: float) -> bool:
        """Whether there is no time left for these; then they are named as deferred."""
        limit = self.budget.seconds
        spent = time.perf_counter() - self.started
        if limit is None or spent + expected < limit:
            return False
        self.deferred += names
        self.looked.update(names)
        self._miss(names, f"deferred: the snapshot took its {limit:g} s")
        return True

    def _miss(self, names: Sequence[str], why: str) -> None:
        for name in names:
            value = self.values[name]
            self.missing[name] = Missing(type_name(type(value)), readable(why), live=self.pickler.live.token(value))

    def _pickle(self, names: tuple[str, ...], shared: frozenset[int], memo: bool) -> Unit | None:
        """Pickle variables together; None, and they are named as missing, when that can't be done."""
        begin = time.perf_counter()
        self.looked.update(names)
        try:
            dump = self.pickler.take({name: self.values[name] for name in names}, shared=shared, memo=memo)
        except RecursionError:
            self._miss(names, "it is nested too deeply")
        except MemoryError:
            self._miss(names, "there is not enough memory to capture it")
        except Exception as error:  # noqa: BLE001 - an object's own code may raise anything
            self._miss(names, " ".join(f"{type(error).__name__}: {error}".split())[:200])
        else:
            if len(names) == 1 and self._is_lost(names[0], dump):
                return None
            return Unit(names, dump, time.perf_counter() - begin, shared)
        return None

    def _is_lost(self, name: str, dump: Dump) -> bool:
        """Whether all that is left of a variable is a placeholder."""
        found = dump.found
        if id(self.values[name]) not in found.placeholders:
            return False
        self._miss([name], found.lost[0][1])
        return True

    def _together(self, dumped: dict[str, Unit]) -> list[Unit]:
        """The units, those that share objects or memory pickled again as one."""
        sets = Sets(dumped)
        memos = {key: unit.dump.memo for key, unit in dumped.items() if unit.dump.memo}
        unite_by_objects(sets, memos)
        for memo in memos.values():
            memo.clear()  # what it holds would count as held by somebody
        arrays = {root for unit in dumped.values() for root in unit.dump.found.array_roots}
        marks = {}
        for key, each in dumped.items():
            found = each.dump.found
            marks[key] = found.array_roots | found.handed_out | (found.frame_roots & arrays)
        unite_by_marks(sets, marks)
        units = []
        for keys in sets.all():
            alone = dumped[keys[0]]
            shared = frozenset().union(*(dumped[key].dump.found.array_roots for key in keys)) & frozenset().union(
                *(dumped[key].dump.found.frame_roots for key in keys)
            )
            if len(keys) == 1 and not shared:
                units.append(alone)
                continue
            names = tuple(sorted(name for key in keys for name in dumped[key].names))
            unit = self._pickle(names, shared, memo=False)
            if unit is not None:
                units.append(unit)
        self.roots |= arrays
        return units

    def _keep(self, unit: Unit, known: Known | None) -> None:
        """Store a unit if it is new or changed, and remember it."""
        pieces, fingerprint = self._pieces(unit.dump), digest_of(unit.dump.stream)
        group = self._unchanged(unit, known, fingerprint, pieces)
        restored = known.restored if known and group else ""
        if group is None:
            unit, pieces, fingerprint = self._settled(unit, pieces, fingerprint)
            group = self._store(unit, pieces, fingerprint)
        if group is None:
            return
        found = unit.dump.found
        self._hold(unit, pieces)
        atom = self.values[unit.names[0]] if self._is_atom(unit.names) else None
        identities = {name: id(self.values[name]) for name in unit.names}
        self.found.append(
            Known(
                group,
                identities,
                atom,
                frozenset(found.uses),
                frozenset(found.array_roots | found.handed_out),
                frozenset(found.frame_roots),
                found.outside,
                unit.seconds,
                restored,
            )
        )

    @staticmethod
    def _unchanged(unit: Unit, known: Known | None, fingerprint: str, pieces: tuple[Pieces, ...]) -> Group | None:
        if known is None or fingerprint not in (known.group.fingerprint, known.restored):
            return None
        before = known.group
        if before.names != unit.names:
            return None
        return before if before.buffers == pieces and before.lost == tuple(unit.dump.found.lost) else None

    def _pieces(self, dump: Dump, *, trust_pins: bool = True) -> tuple[Pieces, ...]:
        """The chunks of each buffer; what a held copy proves unchanged is not hashed again."""
        pieces = []
        for memory in dump.found.buffers.all:
            pinned = memory.root and memory.root not in self.roots and trust_pins and self.trusting
            known = self.pins.find(memory.place) if pinned else None
            pieces.append(known or memory.pieces())
        return tuple(pieces)

    def _settled(
        self, unit: Unit, pieces: tuple[Pieces, ...], fingerprint: str
    ) -> tuple[Unit, tuple[Pieces, ...], str]:
        """A pickling that comes out the same twice in a row, where something could interfere. Raises Torn."""
        if not self.unsettled and not unit.dump.found.hooked:
            return unit, pieces, fingerprint
        for _ in range(_TRIES):
            again = self._pickle(unit.names, unit.shared, memo=False)
            if again is None:
                break
            now, digest = self._pieces(again.dump, trust_pins=False), digest_of(again.dump.stream)
            if (now, digest) == (pieces, fingerprint):
                return again, pieces, fingerprint
            unit, pieces, fingerprint = again, now, digest
        raise Torn

    def _store(self, unit: Unit, pieces: tuple[Pieces, ...], fingerprint: str) -> Group | None:
        """Put what is new; None, and the variables are named as missing, when it is too much. Raises Torn."""
        found = unit.dump.found
        stream = unit.dump.stream
        cuts = stream_cuts(stream)
        if len(cuts) > 1:
            stream = without_frames(stream)
            cuts = stream_cuts(stream)
        parts = [stream[start:end] if len(cuts) > 1 else stream for start, end in cuts]
        stored = tuple((digest_of(part), len(part)) for part in parts)
        wanted = {digest: size for each in (stored, *pieces) for digest, size in each}
        new = {
            digest: size
            for digest, size in wanted.items()
            if digest not in self.waiting and not self.chunks.has(digest)
        }
        size = sum(new.values())
        limit = self.budget.size
        if limit is not None and self.new_bytes + size > limit:
            why = f"{size / _MEGABYTE:,.1f} MB new, of {(limit - self.new_bytes) / _MEGABYTE:,.1f} MB {self.budget.of}"
            self._miss(unit.names, why)
            return None
        for (digest, _), part in zip(stored, parts, strict=True):
            if new.pop(digest, None) is not None:
                self._put(digest, part)
        for memory, each in zip(found.buffers.all, pieces, strict=True):
            for (digest, _), (start, end) in zip(each, memory_cuts(memory.view.nbytes, memory.row), strict=True):
                if new.pop(digest, None) is not None:
                    self._put(digest, bytes(memory.view[start:end]))
        self.new_bytes += size
        notes = found.notes
        if not found.handed_out.isdisjoint(found.array_roots):
            notes = [*notes, "memory that Arrow shares with an array comes back as two copies"]
        group = Group(
            unit.names,
            stored,
            hashlib.sha256(stream).hexdigest(),
            fingerprint,
            pieces,
            tuple(found.out_of_band),
            tuple(found.lost),
            tuple(notes),
        )
        return self._tried(group, stream, found) if found.hooked or found.hashed or found.sharing else group

    def _put(self, digest: str, data: bytes) -> None:
        """Take a copy of memory, unless the memory changed since it was hashed. Raises Torn."""
        if self.unsettled and digest_of(data) != digest:
            raise Torn
        self.waiting[digest] = data
        if len(self.waiting) >= _WAITING:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the chunks that wait to whoever keeps them."""
        while self.waiting:
            digest = next(iter(self.waiting))
            self.chunks.put(digest, self.waiting[digest])
            del self.waiting[digest]

    def _tried(self, group: Group, stream: bytes, found: Found) -> Group | None:
        """The group with what its objects' own hooks leave out; None when it does not come back at all."""
        if found.finalized:  # the copy's end would do to the world what the object's does: remove its file
            untried = "it was not tried whether it comes back, as a __del__ would run"
            return replace(group, notes=(*group.notes, untried))
        self._hand_over()
        try:
            loading = Loading(self.namespace, self.chunks, self.pickler.live, {})
            notes = comes_back(group, stream, found, self.pickler, loading)
        except Exception as error:  # noqa: BLE001 - an object's own code may raise anything
            self._miss(
                group.names, " ".join(f"it can't be loaded again: {type(error).__name__}: {error}".split())[:200]
            )
            return None
        return replace(group, notes=(*group.notes, *map(readable, notes)))

    def _hold(self, unit: Unit, pieces: tuple[Pieces, ...]) -> None:
        """Hold shallow copies of the unit's pandas objects until it is captured again."""
        pins: dict[Place, Pin] = {}
        memory = unit.dump.found.buffers.all
        for holder, places in unit.dump.found.held:
            for number, column in places:
                pins[memory[number].place] = Pin(pieces[number], holder, column)
        self.pins.hold(unit.names[0], pins)


def python_version() -> str:
    """Of the language, whose bytecode functions are kept as: "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
