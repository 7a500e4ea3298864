"""Loads a captured group once, to see whether objects with hooks of their own come back as they were."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from statebook.state.snapshots.manifest import Group
from statebook.state.snapshots.seams import digest_of

from .code import is_plain
from .pickler import Dump, Found, SnapshotPickler
from .unpickler import PlainUnpickler, SnapshotUnpickler
from .words.loading import Loading


def load_group(group: Group, stream: bytes, loading: Loading, *, plain: bool = False) -> dict[str, Any]:
    """The variables of a group. Raises what their own code raises, and NotPlain."""
    loading.start(group.buffers, len(stream))
    out_of_band = [loading.memory(number) for number in group.out_of_band]
    unpickler = PlainUnpickler if plain else SnapshotUnpickler
    found: dict[str, Any] = unpickler(stream, loading, out_of_band).load()
    loading.finish()
    if not isinstance(found, dict) or found.keys() != set(group.names):
        raise ValueError("it holds other variables than it says")
    return found


def comes_back(group: Group, stream: bytes, original: Found, pickler: SnapshotPickler, loading: Loading) -> list[str]:
    """What is not as it was after loading, in words. Raises what loading raises."""
    found = load_group(group, stream, loading)
    again = pickler.take(found, memo=True)
    notes = _of_hooks(group, original.hooked, again) if original.hooked else []
    parts = [each for _, each in (again.memo or {}).values() if type(each) in {dict, set, frozenset}]
    if any(key not in each for each in parts for key in each):
        notes.append("a set or dict no longer finds what is in it: its hash was not what it is when it came back")
    if original.sharing:
        live = pickler.take({name: loading.namespace[name] for name in group.names}, memo=True).memo or {}
        if distinct_dicts(live) < distinct_dicts(again.memo or {}):
            notes.append("an object's attributes are no longer tied to the dict or the object that has the same ones")
    return list(dict.fromkeys(notes))


def distinct_dicts(memo: Mapping[int, tuple[int, Any]]) -> int:
    """How many dicts there are, those of objects' attributes with them: one more means that two were one."""
    objects = [each for _, each in memo.values()]
    plain = (each for each in objects if is_plain(type(each)) or isinstance(each, types.SimpleNamespace))
    # held while they are counted: a class's __dict__ is a view made for the asking, whose identity the next one gets
    dicts = [each for each in (*objects, *(each.__dict__ for each in plain)) if type(each) is dict]
    return len(set(map(id, dicts)))


def _of_hooks(group: Group, hooked: list[Any], again: Dump) -> list[str]:
    """What became of objects whose own hooks decide on what is kept of them."""
    others = again.found.hooked
    if [type(each).__qualname__ for each in hooked] != [type(each).__qualname__ for each in others]:
        kinds = sorted({type(each).__qualname__ for each in hooked})
        return [f"{', '.join(kinds)} comes back as what its own hooks make of it"]
    if digest_of(again.stream) != group.fingerprint:
        return ["it does not pickle again as it did before"]
    notes = []
    for one, other in zip(hooked, others, strict=True):
        absent = sorted(getattr(one, "__dict__", {}).keys() - getattr(other, "__dict__", {}).keys())
        if absent:
            notes.append(f"{type(one).__qualname__} comes back without {', '.join(absent)}, as its own hooks say")
    return notes
