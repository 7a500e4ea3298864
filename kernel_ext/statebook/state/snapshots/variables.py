"""The variables of one namespace over time: takes snapshots of them, and restores them to one."""

from __future__ import annotations

import gc
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from .contents.pins import Pins
from .fates import Outcome, foresee
from .manifest import Group, Manifest
from .pickling.lost import Live
from .pickling.pickler import SnapshotPickler
from .pickling.words.loading import Loading
from .restoring import Prepared, Restored, part_of, prepare, set_all, swap, why_not_here
from .scope.names import split
from .scope.threads import others_run
from .scope.touched import ANY_NAME, EVERYTHING, goes_past_pandas, touched_names
from .seams import Chunks, digest_of
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
        self._bound: dict[str, int] = {}
        """Name -> identity of what it was bound to at the last snapshot."""
        self._rooted: set[str] = set()
        """Keys of groups with arrays, whose memory frames may see."""
        self._outside: set[str] = set()
        """Keys of groups that others may change unseen."""
        self._due: set[str] = set()
        """Variables that were deferred."""
        self._cells: dict[str, str] = {}
        """Name -> the cell that made it."""
        self._last = Manifest()
        self._unread = True
        """Whether there are variables whose code was not read yet, so that nobody knows what it may change."""

    @property
    def last(self) -> Manifest:
        """The snapshot taken or restored last."""
        return self._last

    @property
    def cost(self) -> float:
        """Seconds that looking at everything would take, as far as the snapshots so far tell."""
        return sum(known.seconds for known in self._known.values())

    def around(self, manifest: Manifest) -> list[str]:
        """What restoring a snapshot would change of the working directory and the environment, in words."""
        return self._surroundings.differing(manifest.surroundings)

    def touched(self, source: str) -> frozenset[str] | None:
        """The variables that a cell may have read or changed; None: all of them.

        ``source`` is plain Python, as IPython's input transformers leave it. Ask before or after running it.
        """
        return EVERYTHING if self._unread else touched_names(source, self._namespace, self._uses)

    def capture(
        self,
        touched: frozenset[str] | None = EVERYTHING,
        *,
        budget: SnapshotBudget = _NO_LIMIT,
        cell: str = "",
        seen: frozenset[str] | None = None,
    ) -> Capture:
        """Take a snapshot. Only ``touched`` variables are looked at, with new, rebound and deferred ones.

        ``seen`` are the names that the code since the last snapshot uses, where all of it is known though everything
        is looked at: then columns that pandas itself would have replaced are taken for unchanged, and not hashed.
        ``cell`` is what made the variables that are new or rebound since the last snapshot. Raises what
        ``Chunks.put`` raises; the snapshot before it is then still whole, and the next one finds all that is new.
        """
        begin = time.perf_counter()
        before = self._last
        with _undisturbed_by_gc():
            values, modules = split(self._namespace, self._hidden)
            bound = dict(zip(values, map(id, values.values()), strict=True))
            rebound = {name for name, _ in bound.items() - self._bound.items()}
            others = others_run(self._namespace)
            trusting = not (others or self._unread or goes_past_pandas(touched if seen is None else seen))
            units = self._units(values, rebound, EVERYTHING if others or self._unread else touched)
            self._cells |= dict.fromkeys(rebound, cell)
            rooted = {key: self._known[key] for key in self._rooted}
            roots = frozenset().union(*(known.array_roots for known in rooted.values()))
            taking = Taking(
                values, self._chunks, self._pickler, self._pins, budget, self._namespace, others, roots, trusting
            )
            try:
                taking.take(units, self._known, rooted)
            except BaseException:
                self._due |= {name for names in units for name in names}  # what this one did not see, the next one must
                raise
            gone = self._bound.keys() - bound.keys()
            self._bound = bound
            self._remember(taking, modules, taking.looked, gone)
            self._unread = False
        changed = [
            name
            for key, group in self._last.groups.items()
            if before.groups.get(key) is not group
            for name in group.names
        ]
        seconds = time.perf_counter() - begin
        return Capture(self._last, tuple(changed), tuple(sorted(self._due)), taking.new_bytes, seconds)

    def prepare(
        self,
        manifest: Manifest,
        *,
        plain: bool = False,
        budget: SnapshotBudget = _NO_LIMIT,
        seen: frozenset[str] | None = None,
    ) -> Prepared:
        """Load a snapshot beside the live variables, which stay as they are; what it gives tells each one's fate.

        The present is captured first, so that it can be returned to: it is in the answer. ``plain`` loads
        nothing but plain data, and leaves the surroundings: for snapshots that this user's key did not sign. ``seen``
        is as for `capture`.
        """
        present = self.capture(EVERYTHING, budget=budget, seen=seen)
        if plain:  # a path in the environment may name a stranger's program
            manifest = replace(manifest, surroundings=present.manifest.surroundings)
        with _undisturbed_by_gc():
            loading = Loading(self._namespace, self._chunks, self._live, self._pins.by_content())
            return prepare(manifest, present, loading, plain=plain)

    def foresee(
        self,
        manifest: Manifest,
        *,
        plain: bool = False,
        budget: SnapshotBudget = _NO_LIMIT,
        seen: frozenset[str] | None = None,
    ) -> tuple[Outcome, ...]:
        """What `prepare` and `apply` would do, sorted by name. ``plain`` and ``seen`` are as for these.

        Nothing is loaded, but for what is ``plain``: only loading tells what of it is, and that runs no code.
        """
        if plain:
            prepared = self.prepare(manifest, plain=True, budget=budget, seen=seen)
            return tuple(sorted(prepared.outcomes, key=lambda each: each.name))
        present = self.capture(EVERYTHING, budget=budget, seen=seen)
        other = manifest.python not in ("", python_version())
        lost = (
            partial(why_not_here, manifest.python, Loading(self._namespace, self._chunks, self._live, {}))
            if other
            else None
        )
        return foresee(manifest, present.manifest, self._live, self._namespace, lost)

    def apply(self, prepared: Prepared) -> Restored:
        """Make what was prepared the live variables, in one step. Raises UsageError when they changed since."""
        restored = swap(prepared, self._namespace, self._hidden, self._surroundings)
        for key in [key for key in self._known if key not in prepared.kept]:
            del self._known[key]
            self._pins.release(key)
        for key, group in prepared.loaded.items():
            identities = {name: id(self._namespace[name]) for name in group.names}
            self._known[key] = Known(group, identities, restored=self._as_restored(group))
            self._pins.hold(key, prepared.pins.get(key, {}))
        self._keys = {name: key for key, known in self._known.items() for name in known.group.names}
        self._rooted &= self._known.keys()
        self._outside &= self._known.keys()
        self._bound = {name: id(value) for name, value in split(self._namespace, self._hidden)[0].items()}
        self._due, self._unread = set(), True
        self._last = self._present_of(prepared.manifest)
        if prepared.plain:
            self.start_over()
        return restored

    def start_over(self) -> None:
        """Take nothing for captured: what a stranger's store says of a variable must not get into a snapshot of ours.

        A snapshot that is signed here would vouch for streams that were never loaded, as it was equal by their word.
        """
        self._pins.retain(frozenset())
        for kept in (self._known, self._keys, self._rooted, self._outside, self._due):
            kept.clear()
        self._last, self._unread = Manifest(), True

    def _as_restored(self, group: Group) -> str:
        """The fingerprint of what came back of a group; "" where it can't be told, and it is taken for changed."""
        values = {name: self._namespace[name] for name in group.names}
        try:
            dump = self._pickler.take(values)
            shared = frozenset(dump.found.array_roots & dump.found.frame_roots)
            stream = self._pickler.take(values, shared=shared).stream if shared else dump.stream
        except Exception:  # noqa: BLE001 - an object's own code may raise anything
            return ""
        return digest_of(stream)

    def _present_of(self, manifest: Manifest) -> Manifest:
        """What is really there after a restore: what was lost is not, and a later snapshot must not have it either."""
        return replace(
            manifest,
            groups={key: group for key, group in manifest.groups.items() if key in self._known},
            missing={name: each for name, each in manifest.missing.items() if name in self._namespace},
            modules={name: each for name, each in manifest.modules.items() if name in self._namespace},
        )

    def restore(self, manifest: Manifest, *, plain: bool = False) -> Restored:
        """`prepare` and `apply`."""
        return self.apply(self.prepare(manifest, plain=plain))

    def load(
        self, manifest: Manifest, names: Container[str], *, plain: bool = False
    ) -> tuple[dict[str, Any], tuple[Outcome, ...]]:
        """Some variables of a snapshot, loaded beside the live ones, and their outcomes."""
        nothing = Capture(Manifest(), (), (), 0, 0.0)
        with _undisturbed_by_gc():
            loading = Loading(self._namespace, self._chunks, self._live, {})
            prepared = prepare(part_of(manifest, names), nothing, loading, plain=plain)
        outcomes = tuple(outcome for outcome in prepared.outcomes if outcome.name in names)
        return {name: value for name, value in prepared.values.items() if name in names}, outcomes

    def put(self, values: Mapping[str, Any]) -> None:
        """Set variables, all or none."""
        set_all(values, self._namespace)
        self._unread = True

    def bring_back(self, manifest: Manifest, *, plain: bool = False) -> tuple[Outcome, ...]:
        """Set the variables of a snapshot that the namespace lacks; what is there, and the surroundings, stay.

        For a new kernel that goes on where another one died. Gives the outcomes of those variables.
        """
        values, outcomes = self.load(manifest, manifest.names() - self._namespace.keys(), plain=plain)
        self.put(values)
        return outcomes

    def _uses(self, name: str) -> frozenset[str]:
        """The names that the code held by a variable uses; what could not be captured may use any."""
        known = self._known.get(self._keys.get(name, ""))
        if name in self._last.missing or (known is not None and known.group.lost):
            return ANY_NAME
        return known.uses if known else frozenset()

    def _units(
        self, values: Mapping[str, Any], rebound: set[str], touched: frozenset[str] | None
    ) -> list[tuple[str, ...]]:
        """What to look at, in pieces that are pickled in one go."""
        units: list[tuple[str, ...]] = []
        apart = {self._keys[name] for name in (rebound | self._keys.keys() - values.keys()) & self._keys.keys()}
        for key in apart:
            units += [(name,) for name in self._known[key].group.names if name in values]
        looked: set[str] = self._known.keys() - apart
        if touched is not EVERYTHING:
            looked = {self._keys[name] for name in (touched | self._due) & self._keys.keys()} | self._outside
            looked -= apart
        for key in looked:
            known = self._known[key]
            if known.atom is None or known.atom is not values[key] or not self._due.isdisjoint(known.group.names):
                units.append(known.group.names)
        alone: set[str] = values.keys() - self._keys.keys()
        if touched is not EVERYTHING:
            alone &= touched | rebound | self._due
        return units + [(name,) for name in alone]

    def _remember(self, taking: Taking, modules: dict[str, str], looked: set[str], gone: set[str]) -> None:
        groups: dict[str, Group] = dict(self._last.groups)
        missing = dict(self._last.missing)
        for name in looked | gone:
            missing.pop(name, None)
            key = self._keys.get(name, "")
            known = self._known.pop(key, None)
            if known is not None:
                del groups[key]
                self._rooted.discard(key)
                self._outside.discard(key)
                for each in known.group.names:
                    del self._keys[each]
        for known in taking.found:
            key = known.group.names[0]
            self._known[key], groups[key] = known, known.group
            self._keys |= dict.fromkeys(known.group.names, key)
            if known.array_roots or known.frame_roots:
                self._rooted.add(key)
            if known.outside:
                self._outside.add(key)
        self._pins.retain(self._known.keys())
        for name in gone:
            self._cells.pop(name, None)
        missing |= {name: replace(each, cell=self._cells.get(name, "")) for name, each in taking.missing.items()}
        self._due = set(taking.deferred)
        self._pickler.forget_types()
        self._live.forget_dead()
        self._last = Manifest(groups, missing, modules, self._surroundings.read(), python_version())


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
