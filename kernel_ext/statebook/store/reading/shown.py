"""Which run each cell shows, also where an older one was drawn again in it, which the journal does not tell."""

from __future__ import annotations

from contextlib import suppress

from statebook.errors import StoreError
from statebook.store.store import Store

_DRAWN = "drawn "


def drawn(store: Store, cell: str, run: int) -> None:
    """A cell shows a run: remember it for later kernels where its newest one is another."""
    newest = store.runs.of_cells().get(cell, run)
    if run != _shown(store, cell, newest):
        with suppress(StoreError):  # it is only what stale outputs are told by
            store.set_meta(**{f"{_DRAWN}{cell}": f"{run} {newest}"})


def shown(store: Store) -> dict[str, int]:
    """The run that each cell with an id showed last, in whatever kernel, by the cell's id."""
    found = store.runs.of_cells()
    drawn = {name.removeprefix(_DRAWN) for name in store.metas(_DRAWN)}
    return found | {cell: _shown(store, cell, found[cell]) for cell in drawn & found.keys()}


def _shown(store: Store, cell: str, newest: int) -> int:
    """What was drawn again, as long as no newer run has answered the cell."""
    run, _, then = store.get_meta(f"{_DRAWN}{cell}").partition(" ")
    return int(run) if then == str(newest) and run.isdecimal() else newest
