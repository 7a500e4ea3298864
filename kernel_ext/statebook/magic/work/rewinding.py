"""Going back, returning and switching: shown first, asked about, done, and told; what others found is taken over."""

from __future__ import annotations

import argparse
import asyncio
from argparse import Namespace as Flags
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from statebook.errors import RunInterrupted, UsageError
from statebook.ids import checkpoint_name
from statebook.magic.grammar.rewinding import memory_numbers
from statebook.magic.host import Host
from statebook.protocol.journal.lines import HeadMoved
from statebook.session.keeping.undoing import undo as undo_of
from statebook.session.rewinding.move import move
from statebook.session.rewinding.move import redo as returned
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.plan import Preview, foresee
from statebook.session.rewinding.points import head, point
from statebook.session.rewinding.scope import parse_scope
from statebook.session.rewinding.take import take_memories, take_variables
from statebook.session.session import Session
from statebook.state.snapshots.fates import Outcome
from statebook.ui.ask.confirm import confirm
from statebook.ui.sheets.lines.preview import PreviewSheet
from statebook.ui.sheets.live import Live
from statebook.ui.sheets.sheet import note

_NOTHING = "Nothing was moved."


async def rewind(host: Host, flags: Flags) -> None:
    """``%agent rewind``."""
    session = _free(host)
    flags.point = " ".join(flags.point)  # a label may have spaces
    target, scope = point(session.store, flags.point), parse_scope(flags.scope)

    def foreseen(overwrite: tuple[str, ...]) -> Preview:
        return foresee(session, parts_of(session), target, scope, overwrite=overwrite)

    if await _go(host, session, flags, foreseen) and target.run:
        _hand_back(host, session, target.run)


async def redo(host: Host, flags: Flags) -> None:
    """``%agent redo``."""
    session = _free(host)
    await _go(host, session, flags, lambda overwrite: returned(session, parts_of(session), overwrite=overwrite))


async def switch(host: Host, flags: Flags) -> None:
    """``%agent switch``."""
    session = _free(host)
    journal = session.store.journal
    branch = journal.find_branch(flags.name)
    if branch is None:
        point(session.store, flags.name)  # says what is near, or names a point that is no branch
        raise UsageError(f"{flags.name} is no branch.", f"`%agent rewind {flags.name}` goes there.")
    if branch.number == journal.current:
        raise UsageError(f"{branch.name} is the current branch.", "`%agent branches` lists them.")
    target, scope = head(session.store, branch), parse_scope(flags.scope)

    def foreseen(overwrite: tuple[str, ...]) -> Preview:
        return foresee(session, parts_of(session), target, scope, how="switch", overwrite=overwrite)

    await _go(host, session, flags, foreseen)


async def undo(host: Host, flags: Flags) -> None:
    """``%agent undo``."""
    session = _free(host)
    parts, variables = parts_of(session), session.keeper.variables
    with _stoppable(session):
        found = await host.bridge.on_main_thread(
            lambda: undo_of(session.store, session.settings, variables, flags.cells)
        )
        target = replace(point(session.store, checkpoint_name(found.to)), variables=found.snapshot)
        told = [*(f"Taken back: {step}." for step in found.told), "Files stay as they are: only variables go back."]
        preview = await host.bridge.on_main_thread(lambda: foresee(session, parts, target, ("variables",), how="undo"))
        preview = replace(preview, notes=(*preview.notes, *told))
        await _carry_out(host, session, flags, preview, asked=False)


async def take(host: Host, flags: Flags) -> None:
    """``%agent take``."""
    session = _free(host)
    source = point(session.store, flags.source)
    if not (flags.memory or flags.variables):
        raise UsageError("Take what?", f"For example: %agent take {flags.source} --memory all --variables df.")
    names = flags.names or flags.variables
    if len(names) != len(flags.variables):
        raise UsageError("--as gives each variable one name.", "Write as many as after --variables.")
    if flags.memory:
        taken = take_memories(session, source, _numbers(flags.memory))
        marks = ", ".join(memory.mark for memory in taken)
        note(
            f"Remembered here too: {marks}."
            if taken
            else f"Everything that {source.name} remembers is kept here already."
        )
    if flags.variables:
        wanted = dict(zip(flags.variables, names, strict=True))
        came = await host.bridge.on_main_thread(
            lambda: take_variables(session, parts_of(session), source, wanted, overwrite=flags.overwrite)
        )
        for each in came.outcomes:
            note(_taken(each, wanted, source.name))
        for each in came.replaced:
            without = f"; {each.ends}" if each.ends else ""
            note(f"{each.name} as it was here is kept at {checkpoint_name(came.kept)}{without}.")


def _taken(each: Outcome, wanted: Mapping[str, str], source: str) -> str:
    """What became of one variable."""
    why = f" ({each.why})" if each.why else ""
    name = f"{each.name} of {source}"
    if each.fate == "lost":
        return f"{name} can't be had{why}."
    return f"{name} is {wanted[each.name]} here{why}." if wanted[each.name] != each.name else f"{name} is here{why}."


def _numbers(text: str) -> tuple[int, ...] | None:
    try:
        return memory_numbers(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{error}.") from None


def _free(host: Host) -> Session:
    """The session, with no run at work. What the agent runs must not move it."""
    session = host.session()
    session.check_free()
    return session


async def _go(host: Host, session: Session, flags: Flags, foreseen: Callable[[tuple[str, ...]], Preview]) -> bool:
    """Show what would be done, ask, and do it; whether the conversation moved.

    ``foreseen`` is given the paths whose conflicts are settled for the point.
    """
    with _stoppable(session):
        preview = await host.bridge.on_main_thread(lambda: foreseen(()))
        conflicts = tuple(step.path for step in preview.files.of("conflict"))
        if flags.overwrite and conflicts:
            preview = await host.bridge.on_main_thread(lambda: foreseen(conflicts))
        return await _carry_out(host, session, flags, preview, asked=not flags.yes)


@contextmanager
def _stoppable(session: Session) -> Iterator[None]:
    """Tells a person who presses the stop button in here whether something was moved."""
    journal = session.store.journal
    before = journal.last_seq
    try:
        yield
    except asyncio.CancelledError:
        moved = journal.entries_anywhere((HeadMoved.kind,), after=before)
        raise RunInterrupted("All was moved already: `%agent redo` returns." if moved else _NOTHING) from None


async def _carry_out(host: Host, session: Session, flags: Flags, preview: Preview, *, asked: bool) -> bool:
    sheet = PreviewSheet(preview)
    if flags.preview or asked:
        Live(host.shell).close(sheet)
    if flags.preview:
        return False
    if asked:
        agreed = await confirm(host.shell, host.bridge.on_main_thread, sheet.headline)
        if agreed is None:
            raise UsageError(
                "Nobody is there to agree, so nothing was moved.", f"`%agent {flags.typed} --yes` does not ask."
            )
        if not agreed:
            note(_NOTHING)
            return False
    moved = await host.bridge.on_main_thread(lambda: move(session, parts_of(session), preview))
    Live(host.shell).close(PreviewSheet(preview, moved, brief=asked))
    return preview.moves_conversation


def _hand_back(host: Host, session: Session, run: int) -> None:
    """The cell that began the run, in a new cell below, to be edited; a terminal has its own history for that."""
    shell = host.shell
    if getattr(shell, "kernel", None) is not None:
        shell.set_next_input(_cell_of(shell, session.run(run).started.source), replace=False)


def _cell_of(shell: Any, source: str) -> str:
    """The whole cell whose text below its first line was ``source``, as it was typed; with a bare line otherwise."""
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [])
    for cell in reversed(history):
        line, _, body = str(cell).partition("\n")
        if line.startswith("%%") and body.strip() == source.strip():
            return str(cell)
    return f"%%agent\n{source}"
