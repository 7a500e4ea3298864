"""How two points differ: runs, memories, variables, files and spend, each told without moving anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from statebook.errors import StatebookError
from statebook.protocol.memories import Memory
from statebook.session.rewinding.parts import Parts, Variables
from statebook.session.rewinding.plan import RunLine, runs_between
from statebook.session.rewinding.points import Point
from statebook.session.session import Session
from statebook.state.files.preview import FileDiff
from statebook.state.files.preview import compare as compare_files
from statebook.state.snapshots.manifest import Manifest
from statebook.store.reading.between import Between

Side = Literal["one", "other"]

_LARGEST = 64_000_000
"""Bytes of changed variables that are loaded to be described."""
_NAMED = 6
_SHORT = 60


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable that differs: what it is at each point, "" where it is not there; ``note`` says more."""

    name: str
    one: str
    other: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What only one of two points has. ``dollars`` were spent on the way to each since they parted."""

    one: Point
    other: Point
    runs: tuple[tuple[RunLine, ...], tuple[RunLine, ...]] = ((), ())
    memories: tuple[tuple[Memory, ...], tuple[Memory, ...]] = ((), ())
    variables: tuple[VariableChange, ...] | None = ()
    """None where that is not known; so with ``files``."""
    files: tuple[FileDiff, ...] | None = ()
    dollars: tuple[float, float] = (0.0, 0.0)
    notes: tuple[str, ...] = ()


def compare(session: Session, parts: Parts, one: Point, other: Point) -> Comparison:
    """How the first point differs from the second."""
    store = session.store
    ours, theirs = Between(store, one.line, other.line), Between(store, other.line, one.line)
    held = store.as_of_head.at(*one.line).memories, store.as_of_head.at(*other.line).memories
    notes: list[str] = []
    return Comparison(
        one,
        other,
        (runs_between(session, ours), runs_between(session, theirs)),
        (_only(held[0], held[1]), _only(held[1], held[0])),
        _variables(parts, one, other, notes),
        _files(parts, one, other, notes),
        (ours.dollars(), theirs.dollars()),
        tuple(notes),
    )


def _only(here: Mapping[int, Memory], there: Mapping[int, Memory]) -> tuple[Memory, ...]:
    return tuple(memory for number, memory in here.items() if number not in there)


def _files(parts: Parts, one: Point, other: Point, notes: list[str]) -> tuple[FileDiff, ...] | None:
    if parts.files is None or not (one.files and other.files):
        notes.append(_unkept("files", one.files, one, other))
        return None
    try:
        return compare_files(parts.files.manifest(one.files), parts.files.manifest(other.files), parts.files.chunks)
    except StatebookError as error:
        notes.append(str(error))
        return None


def _variables(parts: Parts, one: Point, other: Point, notes: list[str]) -> tuple[VariableChange, ...] | None:
    if parts.variables is None or not (one.variables and other.variables):
        notes.append(_unkept("variables", one.variables, one, other))
        return None
    try:
        before, after = parts.variables.manifest(one.variables), parts.variables.manifest(other.variables)
    except StatebookError as error:
        notes.append(str(error))
        return None
    differing = sorted(changed_names(before, after))
    told = [
        _Described(parts.variables, point.variables, of, differing) for point, of in ((one, before), (other, after))
    ]
    return tuple(
        VariableChange(name, told[0].kind(name), told[1].kind(name), _note(told[0].value(name), told[1].value(name)))
        for name in differing
    )


def _unkept(what: str, first: str, one: Point, other: Point) -> str:
    return f"No {what} were kept at {(other if first else one).name}."


def changed_names(one: Manifest, other: Manifest) -> set[str]:
    """The variables that are not the same at both points."""
    return _beyond(one, other) | _beyond(other, one)


def _beyond(one: Manifest, other: Manifest) -> set[str]:
    found = {name for key, group in one.groups.items() if not group.same(other.groups.get(key)) for name in group.names}
    found |= {name for name, missing in one.missing.items() if other.missing.get(name) != missing}
    return found | {name for name, module in one.modules.items() if other.modules.get(name) != module}


class _Described:
    """Variables of one point in a few words, loaded where they are not too big."""

    def __init__(self, variables: Variables, snapshot: str, manifest: Manifest, names: Sequence[str]) -> None:
        self._manifest = manifest
        groups = [group for group in manifest.groups.values() if set(group.names) & set(names)]
        small, size = [], 0
        for group in sorted(groups, key=lambda each: each.size()):
            size += group.size()
            if size <= _LARGEST:
                small += [name for name in group.names if name in names]
        self._sizes = {name: group.size() for group in groups for name in group.names}
        self._values: Mapping[str, object] = {}
        with suppress(StatebookError):
            self._values, _ = variables.load(snapshot, tuple(small))

    def value(self, name: str) -> object:
        """The value, where it was loaded; None else."""
        return self._values.get(name)

    def kind(self, name: str) -> str:
        """``DataFrame 3 × 2``, ``list of 3: [1, 2, 3]``; "" where it is not there."""
        if name in self._values:
            return described(self._values[name])
        if name in self._manifest.missing:
            missing = self._manifest.missing[name]
            return f"{missing.type}, not kept: {missing.why}"
        if name in self._manifest.modules:
            return f"module {self._manifest.modules[name]}"
        return f"{self._sizes[name]:,} bytes" if name in self._sizes else ""


def described(value: object) -> str:
    """A value in a few words: its type, its shape, and what it is where that is short."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(each, int) for each in shape):
        return f"{kind} {' × '.join(f'{each:,}' for each in shape)}".rstrip()
    if isinstance(value, str | bytes | int | float | bool | complex | None):
        text = repr(value)
        return text if len(text) <= _SHORT else f"{kind} of {len(value):,}" if isinstance(value, str | bytes) else kind
    if isinstance(value, list | tuple | dict | set | frozenset):
        return f"{kind} of {len(value):,}{_inside(value)}"
    return kind


def _inside(value: Collection[object]) -> str:
    """``: [1, 2, 3]`` where it is short, and nothing in it has a say in how it is written."""
    items = [*value, *(value.values() if isinstance(value, dict) else ())] if len(value) <= _SHORT else []
    plain = items and all(type(item) in (str, bytes, int, float, bool, complex, type(None)) for item in items)
    text = repr(value) if plain else ""
    return f": {text}" if 0 < len(text) <= _SHORT else ""


def _note(one: object, other: object) -> str:
    """What of two tables differs, by columns; equal ones share objects with others than before."""
    if not (_is_frame(one) and _is_frame(other)):
        return ""
    before: Any = one
    after: Any = other
    mine, theirs = list(map(str, before.columns)), list(map(str, after.columns))
    parts = [_columns("without", [name for name in mine if name not in theirs])]
    parts.append(_columns("new", [name for name in theirs if name not in mine]))
    if before.columns.is_unique and after.columns.is_unique:
        both = [name for name in before.columns if name in after.columns]
        parts.append(_columns("changed", [str(name) for name in both if not before[name].equals(after[name])]))
    return "; ".join(filter(None, parts)) or ("with equal values" if before.equals(after) else "")


def _is_frame(value: object) -> bool:
    return type(value).__name__ == "DataFrame" and type(value).__module__.partition(".")[0] == "pandas"


def _columns(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{what} column{'s' * (len(names) > 1)} {', '.join(names[:_NAMED])}{more}"
