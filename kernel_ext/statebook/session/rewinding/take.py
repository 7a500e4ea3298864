"""Takes over what another line has found: memories under their own numbers, variables under names that are free."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from statebook.errors import UnknownName, UsageError
from statebook.ids import checkpoint_name
from statebook.protocol.memories import Memory
from statebook.session.session import Session
from statebook.state.snapshots.fates import Outcome
from statebook.store.journal import Place

from .carry import kept_again
from .move import checkpoint
from .parts import Parts
from .points import Point


def take_memories(session: Session, source: Point, numbers: Collection[int] | None) -> list[Memory]:
    """Keep memories of another point here too (None: all that are not kept here); those that were taken.

    UsageError for one that is not remembered there.
    """
    session.check_free()
    there = session.store.as_of_head.at(*source.line).memories
    here = session.store.as_of_head.held().memories
    unknown = sorted(set(numbers or ()) - there.keys())
    if unknown:
        raise UnknownName(f"memory at {source.name}", f"M{unknown[0]}", [f"M{number}" for number in there])
    wanted = [there[number] for number in (there if numbers is None else sorted(numbers)) if number not in here]
    if wanted:
        session.store.commit([(Place(), kept_again(memory)) for memory in wanted])
    return wanted


def take_variables(
    session: Session, parts: Parts, source: Point, names: Mapping[str, str], *, overwrite: bool = False
) -> tuple[Outcome, ...]:
    """Put variables of another point among those of now: ``names`` gives each the name it gets here.

    What is overwritten is kept at a checkpoint first. UsageError where a name is taken here, and nothing is done then.
    """
    session.check_free()
    if parts.variables is None or not source.variables:
        raise UsageError(f"No variables were kept at {source.name}.", "`%agent checkpoints` shows where they were.")
    known = parts.variables.manifest(source.variables).names()
    for name in names:
        if name not in known:
            raise UnknownName(f"variable at {source.name}", name, known)
    taken = sorted(set(names.values()) & parts.variables.now().names())
    if taken and not overwrite:
        first = taken[0]
        raise UsageError(
            f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} here already.",
            f"Take it under another name (`--as {first}_2`), or write over it with `--overwrite`.",
        )
    values, outcomes = parts.variables.load(source.variables, tuple(names))
    if values:
        kept = (
            checkpoint(session, f"before {', '.join(sorted(names))} came from {checkpoint_name(source.checkpoint)}")[0]
            if taken
            else 0
        )
        parts.variables.put({names[name]: value for name, value in values.items()})
        if kept:
            outcomes = (*outcomes, Outcome(", ".join(taken), "kept", f"at {checkpoint_name(kept)}"))
    return outcomes
