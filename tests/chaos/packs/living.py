"""Random lives of a store that takes snapshots, on a recorded disk; what was promised is noted outside.

Run as a program under the recorder: ``python living.py FOLDER COUNT SEED [BROKEN]``, with
tests/chaos and tests/store on the path.
"""

import random
import sys
from pathlib import Path
from typing import ClassVar

import simulated
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from lives import begin, end
from outside import Outside
from shelf import Rewriter, held, keep, take
from statebook.store.packs.chunks import PackedChunks
from statebook.store.packs.files import Packs
from statebook.store.store import Store
from statebook.store.upkeep.vacuum import perform, plan

PACK = 40_000
"""Bytes after which a pack is full here, so that lives have several."""

SIZES = st.sampled_from([0, 10, 300, 5_000, 5_000, 20_000])
NAMES = st.sampled_from("abcd")


def opened(path):
    """The store of a life, with small packs."""
    store = Store(path)
    store.chunks = store.snapshots._chunks = PackedChunks(store.database, pack=PACK)
    return store


class Keeping(RuleBasedStateMachine):
    """One life without crashes; they come later, from the record."""

    folder = Path()
    lived: ClassVar[list] = [0]

    def __init__(self):
        super().__init__()
        self.lived[0] += 1
        begin(self.folder, f"p{self.lived[0]}", {})
        self.outside = Outside(self.folder)
        self.path = self.folder / "book.statebook.duckdb"
        self.store = opened(self.path)
        self.state, self.row = {"a": b"the beginning"}, None

    def teardown(self):
        self._close()
        end(self.folder)

    def _close(self):
        self.store.chunks._behind.drain()  # else it is chance how much of it is still written
        self.store.close()

    @rule(name=NAMES, size=SIZES, number=st.integers(0, 5), text=st.booleans())
    def change(self, *, name, size, number, text):
        data = random.Random(f"{size}/{number}").randbytes(size)
        self.state = {**self.state, name: data.hex().encode() if text else data}

    @precondition(lambda self: len(self.state) > 1)
    @rule(name=NAMES)
    def drop(self, name):
        self.state = {other: data for other, data in self.state.items() if other != name} or self.state

    @rule(whole=st.booleans(), kind=st.sampled_from(["variables", "variables", "files"]))
    def keep(self, *, whole, kind):
        parent = None if whole or kind == "files" else self.row
        row, checkpoint = keep(self.store, self.state, parent, kind=kind)
        self.outside.note("acknowledged", checkpoint=checkpoint, row=row.name, state=held(self.store, row.name))
        self.row = row if kind == "variables" else self.row

    @rule(sync=st.booleans())
    def forget(self, *, sync):
        """A snapshot that is taken and never committed."""
        take(self.store, {**self.state, "lost": self.state.get("a", b"") + b"lost"})
        if sync:
            self.store.chunks.sync()
        self.store.chunks._behind.drain()

    @rule()
    def reopen(self):
        self._close()
        self.store = opened(self.path)

    @precondition(lambda self: self.row is not None)
    @rule(keep=st.sampled_from([None, 1, 2]))
    def vacuum(self, keep):
        planned = plan(self.store, keep=keep, rewriter=Rewriter())
        self.outside.note("acknowledged", let_go=[each.name for each in planned.let_go])
        perform(self.store, planned, rewriter=Rewriter())
        self.row = self.store.snapshots.row(self.row.name)


def _sync_nothing(packs):
    packs._dirty = packs._unnamed = False


def _sync_no_folders(packs):
    real, packs._unnamed = packs._unnamed, False
    _REAL_SYNC(packs)
    packs._unnamed = packs._unnamed and real


def _remove_first(store, *values):
    """What a vacuum would do that removes the old packs before its transaction."""
    store.chunks.packs.remove(values[4])
    _REAL_COMMIT(store, *values)


_REAL_SYNC = Packs.sync


def break_it(how):
    """Break the store on purpose, for the judge to find it."""
    from statebook.store.upkeep import vacuum

    global _REAL_COMMIT  # noqa: PLW0603 - this process is broken for good
    _REAL_COMMIT = vacuum._commit
    if how == "no-sync":
        Packs.sync = _sync_nothing
    elif how == "no-folders":
        Packs.sync = _sync_no_folders
    elif how == "packs-first":
        vacuum._commit = _remove_first


def main(folder, count, number, how=""):
    simulated.install()
    break_it(how)
    Keeping.folder = folder
    machine = seed(number)(Keeping)
    made = settings(
        max_examples=count,
        stateful_step_count=14,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=made)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
