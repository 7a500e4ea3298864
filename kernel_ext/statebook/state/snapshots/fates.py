"""What becomes of each variable in a restore, told beforehand without loading anything, or by the restore itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from .manifest import Group, Manifest, Missing
from .pickling.lost import Live

Fate = Literal["restored", "kept", "lost", "removed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one variable."""

    name: str
    fate: Fate
    """``restored`` from the snapshot; ``kept``, the live object; ``lost``; ``removed``, as it did not exist then."""
    why: str = ""
    """Of what is lost, or comes back in another form; "" when a variable is exactly as it was."""
    cell: str = ""
    """Of what is lost: the cell that makes it again, where that is known."""
    ends: str = ""
    """What of its value until then nothing brings back, and why."""


def foresee(
    then: Manifest,
    now: Manifest,
    live: Live,
    namespace: Mapping[str, Any],
    lost: Callable[[Group], str] | None = None,
) -> tuple[Outcome, ...]:
    """The outcomes of a restore, sorted by name; ``now`` is a snapshot of the present, in full.

    ``lost`` tells why a group can't be loaded here, "" for one that can; None: all can.
    """
    found = [*_captured(then, now, lost), *_modules(then, now)]
    found += [of_missing(name, missing, live, namespace)[0] for name, missing in then.missing.items()]
    found += [Outcome(name, "removed") for name in now.names() - then.names()]
    return tuple(sorted(with_ends(found, now), key=lambda each: each.name))


def of_missing(name: str, missing: Missing, live: Live, namespace: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """The fate of a variable that a snapshot does not have, and the live object where that is there still."""
    found = live.find(missing.live) if missing.live else None
    if found is None and missing.live and name in namespace and live.token(namespace[name]) == missing.live:
        found = namespace[name]
    if found is None:
        return Outcome(name, "lost", f"{missing.type}: {missing.why}", missing.cell), {}
    why = f"the live {missing.type}, which is as it is now: {missing.why}"
    return Outcome(name, "kept", why, missing.cell), {name: found}


def with_ends(outcomes: Iterable[Outcome], now: Manifest) -> Iterator[Outcome]:
    """Variables whose present value goes and could not be captured say so."""
    parts = {name: group.lost for group in now.groups.values() if group.lost for name in group.names}
    for each in outcomes:
        ends = ""
        if each.fate != "kept" and each.name in now.missing:
            missing = now.missing[each.name]
            ends = f"what it is until then can't be brought back: {missing.type}: {missing.why}"
        elif each.fate != "kept" and each.name in parts:
            kinds = ", ".join(dict.fromkeys(kind for kind, _ in parts[each.name]))
            ends = f"what it is until then can be brought back only without its {kinds}"
        yield replace(each, ends=ends) if ends else each


def _captured(then: Manifest, now: Manifest, lost: Callable[[Group], str] | None) -> Iterator[Outcome]:
    for key, group in then.groups.items():
        same = group.same(now.groups.get(key))
        if lost is not None and not same and (reason := lost(group)):
            yield from (Outcome(name, "lost", reason) for name in group.names)
            continue
        parts = [f"without a part of type {kind}: {why}" for kind, why in dict.fromkeys(group.lost)]
        why = "" if same else "; ".join([*parts, *group.notes])
        yield from (Outcome(name, "kept" if same else "restored", why) for name in group.names)


def _modules(then: Manifest, now: Manifest) -> Iterator[Outcome]:
    for name, module in then.modules.items():
        yield Outcome(name, "kept" if now.modules.get(name) == module else "restored")
