"""Takes over what another line has found: memories under their own numbers, variables under names that are free."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from statebook.errors import UnknownName, UsageError
from statebook.protocol.memories import Memory
from statebook.session.session import Session
from statebook.state.snapshots.fates import Outcome, with_ends
from statebook.store.journal import Place

from .carry import kept_again
from .move import keep_now
from .parts import Parts, Variables
from .points import Point


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking variables over. ``outcomes`` tell the fate of each, under the name it had there.

    ``replaced`` are the variables of here that were written over; checkpoint ``kept`` has them (0: there were none).
    """

    outcomes: tuple[Outcome, ...]
    replaced: tuple[Outcome, ...] = ()
    kept: int = 0


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
) -> Taken:
    """Put variables of another point among those of now: ``names`` gives each the name it gets here.

    What is overwritten is kept at a checkpoint first. UsageError where a name is taken here, or what has it can't be
    kept; nothing is overwritten then.
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
        raise UsageError(
            f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} here already.",
            f"Take it under another name (`--as {taken[0]}_2`), or write over it with `--overwrite`.",
        )
    values, outcomes = parts.variables.load(source.variables, tuple(names))
    found = {names[name]: value for name, value in values.items()}
    gone = [name for name in taken if name in found]
    kept, replaced = _kept_first(session, parts.variables, gone) if gone else (0, ())
    if found:
        parts.variables.put(found)
    return Taken(outcomes, replaced, kept)


def _kept_first(session: Session, variables: Variables, names: Sequence[str]) -> tuple[int, tuple[Outcome, ...]]:
    """A checkpoint that holds these as they are now, and what it has not of each. UsageError where it lacks one."""
    made, _ = keep_now(session, "person")
    way_out = f"Take it under another name (`--as {names[0]}_2`)."
    if not made.snapshot:
        raise UsageError(f"What is here could not be kept, so nothing was taken: {session.keeper.refused}.", way_out)
    now = variables.manifest(made.snapshot)
    for name in names:
        if name in now.missing:
            missing = now.missing[name]
            raise UsageError(
                f"{name} as it is here can't be kept, so nothing was taken: {missing.type}: {missing.why}.",
                f"{way_out} Or `del {name}` first.",
            )
    return made.checkpoint, tuple(with_ends([Outcome(name, "removed") for name in names], now))
