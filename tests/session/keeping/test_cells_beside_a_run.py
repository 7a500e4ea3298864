"""Cells while a thread of a run that was left, by a second press of the stop button, still takes a snapshot."""

import threading

import pytest
from statebook.state.snapshots import Snapshots
from statebook.store.reading.snapshots import SnapshotsAt


@pytest.fixture
def left(kept_in, monkeypatch):
    """A session, its variables, a thread in the middle of a capture, what lets it go on, and who took turns with it."""
    session, names = kept_in(snapshots="cells")
    entered, released, at_it, together = threading.Event(), threading.Event(), [], []
    real, main = Snapshots.capture, threading.current_thread()

    def capture(self, *args, **options):
        at_it.append(threading.current_thread().name)
        together.extend(at_it[:-1])
        try:
            if threading.current_thread() is not main and not entered.is_set():
                entered.set()
                released.wait(30)
            return real(self, *args, **options)
        finally:
            at_it.remove(threading.current_thread().name)

    monkeypatch.setattr(Snapshots, "capture", capture)
    thread = threading.Thread(target=session.session.keeper.keep, args=("before_step",), name="left run")
    thread.start()
    assert entered.wait(30)
    yield session.session, names, thread, released, together
    released.set()
    thread.join(30)


def ran(session, names, source):
    session.keeper.cells.begin()
    exec(source, names)
    session.keeper.cells.end(source, source)


def test_a_cell_neither_waits_for_it_nor_takes_one_beside_it(left):
    session, names, thread, released, together = left
    ran(session, names, "x = [1]")
    ran(session, names, "x.append(2)")
    assert thread.is_alive()
    assert together == []
    released.set()
    thread.join(30)
    ran(session, names, "y = 3")
    session.keeper.drain()
    kept, unseen = SnapshotsAt(session.store).back()
    assert (kept.label, unseen.label) == ("y = 3", "")
    before = unseen.snapshot
    assert {"x"} == session.keeper.variables.manifest(before).names(), "what ran unseen is in the one before"
    names["x"] = None
    session.keeper.variables.apply(session.keeper.variables.prepare(before))
    assert names["x"] == [1, 2]


def test_who_wants_a_session_at_rest_waits_for_it(left):
    session, _, thread, released, _ = left
    done = []
    waits = threading.Thread(target=lambda: (session.check_free(), done.append(thread.is_alive())))
    waits.start()
    done.append("not yet")
    released.set()
    thread.join(30)
    waits.join(30)
    assert done[0] == "not yet"
    assert len(done) == 2
