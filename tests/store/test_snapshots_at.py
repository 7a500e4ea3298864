"""Which snapshot tells what was there at a checkpoint, and which cells can be undone."""

from dataclasses import replace

import pytest
from statebook.errors import UsageError
from statebook.protocol.journal.events import SessionOpened, ToolIntended
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import HeadMoved, MoveFinished
from statebook.protocol.messages import ToolCall
from statebook.store.journal import Place
from statebook.store.reading.snapshots import SnapshotsAt


@pytest.fixture
def made(store):
    """Makes a checkpoint, with a snapshot of variables where it is named; its number."""

    def make(reason="step", snapshot="", label="", run=1):
        rows = (SnapshotRow(snapshot, "variables", {}, ""),) if snapshot and not store.snapshots.kept(snapshot) else ()
        event = replace(store.journal.checkpoint(reason, label=label), snapshot=snapshot)
        (entry,) = store.commit([(Place(run), event)], snapshots=rows)
        return entry.event.checkpoint

    return make


@pytest.fixture
def did(store):
    return lambda *events: store.commit([(Place(1, 1), event) for event in events])


def step(effect):
    return ToolIntended(ToolCall("c", "t", "{}"), effect, "k")


def cells(at):
    return [event.label for event in at.back() if event.reason == "cell" and event.label]


def test_the_newest_one_before_counts_if_nothing_that_changes_lies_between(store, made, did):
    at = SnapshotsAt(store)
    before, first = made(), made(snapshot="v1")
    did(step("read"))
    reading = made("step")
    did(step("idempotent"))
    changed = made("step")
    assert [at.checkpoint(number) for number in (before, first, reading, changed)] == ["", "v1", "v1", ""]
    assert at.checkpoint(made(snapshot="v2")) == "v2" == at.head()
    with pytest.raises(UsageError, match="There is no checkpoint #99"):
        at.checkpoint(99)


def test_before_its_run_ordinary_cells_may_have_changed_anything(store, made):
    at = SnapshotsAt(store)
    first = made("run_end", snapshot="v1", run=1)
    assert at.checkpoint(made("step", run=2)) == ""
    assert at.checkpoint(made("left", run=0)) == ""
    assert at.checkpoint(made("person", run=0)) == ""
    assert at.head() == ""
    assert at.newest() == ("v1", first)


def test_another_kernel_has_variables_of_its_own(store, made, did):
    at = SnapshotsAt(store)
    made(snapshot="v1")
    did(SessionOpened("book.ipynb", "the test", 1, "0"))
    assert at.head() == "v1"  # what the kernel before left
    assert at.checkpoint(made("run_end")) == ""


@pytest.mark.parametrize(("parts", "found"), [(("variables",), "v1"), (("conversation", "memory"), "v2")])
def test_after_a_move_they_are_those_of_where_it_led_if_they_were_moved(store, made, did, parts, found):
    at = SnapshotsAt(store)
    there, left = made(snapshot="v1"), made("left", snapshot="v2")
    did(HeadMoved("rewind", there, left, parts), MoveFinished())
    assert at.head() == found


def test_cells_are_undone_one_by_one_and_an_undo_goes_on_from_where_it_led(store, made, did):
    at = SnapshotsAt(store)
    made("run_end", snapshot="v1")
    made("cell", "v2", "In [1]: a")
    second = made("cell", "v3", "In [2]: b")
    made("cell", "v4")  # what was there before a cell: none that can be undone
    third = made("cell", "v5", "In [3]: c")
    assert cells(at) == ["In [3]: c", "In [2]: b", "In [1]: a"]
    assert [event.checkpoint for event in at.back()][:2] == [third, third - 1]
    left = made("left", "v5")
    did(HeadMoved("undo", second, left, ("variables",)), MoveFinished())
    assert cells(at) == ["In [2]: b", "In [1]: a"]
    made("cell", "v6", "In [4]: d")
    assert cells(at) == ["In [4]: d", "In [2]: b", "In [1]: a"]
    assert at.back()[1].checkpoint == second


@pytest.mark.parametrize("between", [step("write"), SessionOpened("book.ipynb", "the test", 1, "0")])
def test_an_undo_goes_not_past_a_write_or_a_kernel(store, made, did, between):
    at = SnapshotsAt(store)
    made("cell", "v1", "In [1]: a")
    did(step("read"), step("idempotent"))
    assert cells(at) == ["In [1]: a"]
    did(between)
    assert cells(at) == []


def test_a_long_way_back_is_read_in_pieces(store, made, did):
    at = SnapshotsAt(store)
    made("run_end", snapshot="v1")
    did(*[step("read") for _ in range(200)])
    assert at.checkpoint(made("step")) == "v1"
