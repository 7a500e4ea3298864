"""A real disk with no room for a snapshot: the run goes on without it, says so once, and later ones are kept again."""

import os

import pytest
from statebook.testing import call, say


def python(code):
    return call("python", {"code": code})


def marks(session):
    return [bool(entry.event.snapshot) for entry in session.store.journal.entries_anywhere(("checkpoint_made",))]


@pytest.mark.slow
def test_a_run_goes_on_without_snapshots_and_keeps_them_when_there_is_room(disk, kept_in, go):
    session, names = kept_in(
        python("x = [1]"), say("One."), python("y = [2]"), say("Two."), python("z = 3"), say("Three."),
        folder=disk.folder,
    )  # fmt: skip
    go(session.ask("First"))
    assert all(marks(session))
    names["big"] = os.urandom(1_000_000)  # noise: it can't be packed tighter
    disk.fill(but=700_000)
    run = go(session.ask("Second"))
    assert (run.answer, run.status) == ("Two.", "done")
    assert not any(marks(session)[-2:])
    told = [note for note in run.notes if "disk is full" in note]
    assert len(told) == 1
    disk.free()
    run = go(session.ask("Third"))
    assert all(marks(session)[-2:])
    assert session.store.verify().whole
    keeper = session.session.keeper
    name = keeper.variables.name_at_head()
    prepared = keeper.variables.prepare(name)
    assert {each.fate for each in prepared.outcomes} == {"kept"}, prepared.outcomes
    assert names["z"] == 3
