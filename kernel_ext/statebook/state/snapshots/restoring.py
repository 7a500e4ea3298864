"""Restores a snapshot: everything is loaded beside the live variables first, and then swapped in, all or none."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebook.errors import StatebookError, UsageError
from statebook.state.interrupt import undisturbed

from .contents.pins import Pin, Place
from .fates import Outcome, of_missing, with_ends
from .manifest import Group, Manifest
from .pickling.trial import load_group
from .pickling.unpickler import NotPlain
from .pickling.words.code import CODE, of_other_python
from .pickling.words.loading import Loading
from .scope.names import split
from .seams import check_room
from .surroundings import Surroundings
from .taking import Capture

_CODE = b"\x8c" + bytes([len(CODE)]) + CODE.encode("ascii") + b"\x94"
"""How a stream spells the word for code where it uses it first: SHORT_BINUNICODE and MEMOIZE of PEP 3154."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot that is loaded, and not yet live."""

    manifest: Manifest
    present: Capture
    """The variables as they are now, to return to."""
    outcomes: tuple[Outcome, ...]
    values: Mapping[str, Any]
    """New values by name."""
    kept: frozenset[str]
    """Keys of groups whose live objects stay."""
    identities: Mapping[str, int]
    """Of the live objects that stay, to see that they are still the ones that were compared."""
    loaded: Mapping[str, Group]
    plain: bool
    """Whether it is a snapshot from elsewhere."""
    pins: Mapping[str, Mapping[Place, Pin]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    outcomes: tuple[Outcome, ...]
    failed: tuple[str, ...]
    """Surroundings that are not as they were, in words."""


def prepare(
    manifest: Manifest,
    present: Capture,
    loading: Loading,
    *,
    plain: bool,
) -> Prepared:
    """Load what differs from the present. A variable that can't be rebuilt is lost, and named; nothing else is."""
    outcomes: list[Outcome] = []
    values: dict[str, Any] = {}
    loaded: dict[str, Group] = {}
    pins: dict[str, Mapping[Place, Pin]] = {}
    kept = set()
    for key, group in manifest.groups.items():
        if group.same(present.manifest.groups.get(key)):
            kept.add(key)
            why = "; ".join(f"with the live {kind}, which is as it is now" for kind, _ in dict.fromkeys(group.lost))
            outcomes += [Outcome(name, "kept", why) for name in group.names]
            continue
        try:
            found = load_group(group, _stream(group, loading), loading, plain=plain)
        except Exception as error:  # noqa: BLE001 - the objects' own code may raise anything
            outcomes += [Outcome(name, "lost", _reason(error)) for name in group.names]
            continue
        why = _remarks(group, loading)
        outcomes += [Outcome(name, "restored", why) for name in group.names]
        values |= found
        loaded[key], pins[key] = group, loading.pins
    for name, missing in manifest.missing.items():
        outcome, found = of_missing(name, missing, loading.live, loading.namespace)
        outcomes.append(outcome)
        values |= found
    for name, module in manifest.modules.items():
        outcome, found = _of_module(name, module, loading.namespace, plain=plain)
        outcomes.append(outcome)
        values |= found
    there = present.manifest.names()
    outcomes += [Outcome(name, "removed") for name in sorted(there - manifest.names())]
    identities = {name: id(loading.namespace[name]) for key in kept for name in manifest.groups[key].names}
    told = tuple(with_ends(outcomes, present.manifest))
    return Prepared(manifest, present, told, values, frozenset(kept), identities, loaded, plain, pins)


def swap(prepared: Prepared, namespace: dict[str, Any], hidden: Container[str], surroundings: Surroundings) -> Restored:
    """Put the new values in and take the others out. UsageError when they changed since."""
    if any(name not in namespace or id(namespace[name]) != known for name, known in prepared.identities.items()):
        raise UsageError("Variables have changed since this was prepared.", "Prepare it again.")
    stay = prepared.values.keys() | prepared.identities.keys()
    variables, modules = split(namespace, hidden)
    replaced = variables | {name: namespace[name] for name in modules}
    gone = replaced.keys() - stay
    with undisturbed():
        namespace.update(prepared.values)
        for name in gone:
            namespace.pop(name, None)
    del replaced, variables  # finalizers of old values run only now
    return Restored(prepared.outcomes, tuple(surroundings.restore(prepared.manifest.surroundings)))


def why_not_here(python: str, loading: Loading, group: Group) -> str:
    """Why a group that another version of Python wrote will be lost, told without loading it; "" where it will not."""
    try:
        stream = _stream(group, loading)
    except Exception as error:  # noqa: BLE001 - as `prepare` will find it
        return _reason(error)
    return of_other_python(python) if _CODE in stream else ""


def part_of(manifest: Manifest, names: Container[str]) -> Manifest:
    """The part of a snapshot with these variables, and with what shares objects with them."""
    return Manifest(
        {key: group for key, group in manifest.groups.items() if any(name in names for name in group.names)},
        {name: missing for name, missing in manifest.missing.items() if name in names},
        {name: module for name, module in manifest.modules.items() if name in names},
        python=manifest.python,
    )


def set_all(values: Mapping[str, Any], namespace: dict[str, Any]) -> None:
    """Set variables, all or none."""
    with undisturbed():
        namespace.update(values)


def _stream(group: Group, loading: Loading) -> bytes:
    """The stream of a group. Raises UsageError when it is not the one that the manifest signs."""
    size = sum(size for _, size in group.stream)
    check_room(size)
    data = bytearray(size)
    loading.fill(memoryview(data), group.stream)
    stream = bytes(data)
    if hashlib.sha256(stream).hexdigest() != group.proof:
        raise UsageError("its bytes are not those that were signed.")
    return stream


def _reason(error: Exception) -> str:
    if isinstance(error, NotPlain):
        return f"a snapshot from elsewhere may bring plain data only, not {error}"
    text = " ".join(f"{error}".split())[:200]
    return text if isinstance(error, StatebookError | ValueError) else f"{type(error).__name__}: {text}"


def _remarks(group: Group, loading: Loading) -> str:
    """What is not exactly as it was, in words."""
    parts = [f"without a part of type {kind}: {why}" for kind, why in dict.fromkeys(loading.gone)]
    parts += [f"with the live {kind}, which is as it is now" for kind in dict.fromkeys(loading.revived)]
    return "; ".join([*parts, *group.notes])


def _of_module(name: str, module: str, namespace: Mapping[str, Any], *, plain: bool) -> tuple[Outcome, dict[str, Any]]:
    import importlib
    import sys

    known = sys.modules.get(module)
    if known is None and getattr(namespace.get(name), "__name__", None) == module:
        known = namespace[name]  # made in the notebook
    if known is None and plain:
        return Outcome(name, "lost", f"a snapshot from elsewhere may not import {module}"), {}
    try:
        found = known if known is not None else importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a module's own code may raise anything
        return Outcome(name, "lost", f"{module} can't be imported: {error}"), {}
    why = "" if sys.modules.get(module) is found else "a module made in the notebook, which is as it is now"
    return Outcome(name, "kept" if namespace.get(name) is found else "restored", why), {name: found}
