"""Runs as a line sees them: one that the line leaves in the middle ends there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from statebook.protocol.journal.runs import Run
from statebook.store.reading.between import cut_runs
from statebook.store.store import Store

LEFT = "the person went back to this point of it"
"""The ``error`` of a run whose rest lies on another branch, as models read it."""


def seen_from(store: Store, branch: int, load: Callable[[int], Run]) -> Callable[[int], Run]:
    """Loads runs as they are part of a branch's conversation; ``load`` gives whole ones."""
    cut = cut_runs(store, (branch, store.journal.last_seq))
    if not cut:
        return load
    known: dict[int, Run] = {}

    def seen(number: int) -> Run:
        if number not in cut:
            return load(number)
        if number not in known:
            known[number] = as_left(Run.fold(store.journal.entries(branch=branch, runs=[number])))
        return known[number]

    return seen


def as_left(run: Run) -> Run:
    """A run of which only the beginning is on a line."""
    if run.status == "done":  # what came after its end does not change what was said
        return run
    return replace(run, status="interrupted", pause=None, error=LEFT)


def is_cut(store: Store, number: int) -> bool:
    """Whether the current line leaves a run in the middle."""
    return number in cut_runs(store, (store.journal.current, store.journal.last_seq))
