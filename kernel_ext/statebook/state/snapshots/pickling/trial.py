"""Loads a captured group once, to see whether objects with hooks of their own come back as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from statebook.state.snapshots.manifest import Group
from statebook.state.snapshots.seams import digest_of

from .pickler import SnapshotPickler
from .unpickler import SnapshotUnpickler
from .words.loading import Loading


def load_group(group: Group, stream: bytes, loading: Loading, *, plain: bool = False) -> dict[str, Any]:
    """The variables of a group. Raises what their own code raises, and NotPlain."""
    loading.start(group.buffers)
    out_of_band = [loading.memory(number) for number in group.out_of_band]
    found: dict[str, Any] = SnapshotUnpickler(stream, loading, out_of_band, plain=plain).load()
    loading.finish()
    if not isinstance(found, dict) or found.keys() != set(group.names):
        raise ValueError("it holds other variables than it says")
    return found


def comes_back(
    group: Group, stream: bytes, hooked: Sequence[Any], pickler: SnapshotPickler, loading: Loading
) -> list[str]:
    """What is not as it was after loading, in words. Raises what loading raises."""
    found = load_group(group, stream, loading)
    again = pickler.take(found)
    others = again.found.hooked
    notes = []
    if [type(each).__qualname__ for each in hooked] != [type(each).__qualname__ for each in others]:
        kinds = sorted({type(each).__qualname__ for each in hooked})
        notes.append(f"{', '.join(kinds)} comes back as what its own hooks make of it")
    elif digest_of(again.stream) != group.fingerprint:
        notes.append("it does not pickle again as it did before")
    else:
        for one, other in zip(hooked, others, strict=True):
            absent = sorted(getattr(one, "__dict__", {}).keys() - getattr(other, "__dict__", {}).keys())
            if absent:
                notes.append(f"{type(one).__qualname__} comes back without {', '.join(absent)}, as its own hooks say")
    return list(dict.fromkeys(notes))
