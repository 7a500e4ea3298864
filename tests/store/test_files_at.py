"""Which snapshot tells what the files were at a checkpoint, and which calls nobody watched."""

from dataclasses import replace

import pytest
from statebook.errors import UsageError
from statebook.protocol.journal.events import ToolIntended
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import FileChange, FilesTouched, HeadMoved, MoveFinished
from statebook.protocol.messages import ToolCall
from statebook.store.journal import Place
from statebook.store.reading.files import FilesAt


@pytest.fixture
def made(store):
    """Makes a checkpoint, with a snapshot of files where it is named; its number."""

    def make(reason="step", files="", run=1):
        rows = (SnapshotRow(files, "files", {}, ""),) if files and not store.snapshots.kept(files) else ()
        event = replace(store.journal.checkpoint(reason), files=files)
        return store.commit([(Place(run), event)], snapshots=rows)[0].event.checkpoint

    return make


@pytest.fixture
def did(store):
    return lambda *events, run=1: store.commit([(Place(run, 1), event) for event in events])


def call(effect="write"):
    return ToolIntended(ToolCall("c", "t", "{}"), effect, "k")


def test_a_point_without_a_look_goes_by_the_next_one_before_anything_changed(store, made, did):
    at = FilesAt(store)
    talked = made("run_end")
    assert (at.checkpoint(talked), at.head(), at.newest()) == ("", "", "")
    did(call("read"), call("idempotent"))
    made("before_step", "f1", run=2)
    did(call(), run=2)
    after = made("step", "f2", run=2)
    talked_again = made("run_end", run=3)
    assert [at.checkpoint(number) for number in (talked, after, talked_again)] == ["f1", "f2", "f2"]
    assert [at.checkpoint(number, past=True) for number in (talked, after, talked_again)] == ["", "f2", "f2"]
    assert at.head() == "f2"
    made("before_step", "f3", run=4)
    assert at.checkpoint(talked_again) == "f3", "what other people changed until then is in it"
    with pytest.raises(UsageError, match="There is no checkpoint #99"):
        at.checkpoint(99)


@pytest.mark.parametrize("blind", [(), ("before_step",)])
def test_beyond_a_call_that_nobody_watched_nothing_is_known(store, made, did, blind):
    at = FilesAt(store)
    first = made("run_end", "f1")
    talked = made("run_end", run=2)
    for reason in blind:
        made(reason, run=3)
    did(call(), run=3)
    last = made("run_end", run=3)
    assert [at.checkpoint(number) for number in (first, talked, last)] == ["f1", "f1", ""]


def test_a_move_of_files_leads_to_where_they_were(store, made, did):
    at = FilesAt(store)
    there = made("run_end", "f1")
    did(call(), run=2)
    made("run_end", "f2", run=2)
    left = made("left", "f3", run=0)
    did(HeadMoved("rewind", there, left, ("conversation",)), MoveFinished())
    assert at.head() == "f3", "they stayed"
    did(HeadMoved("rewind", there, left, ("conversation", "files")), MoveFinished())
    assert at.head() == "f1"
    talked = made("run_end", run=3)
    assert at.checkpoint(talked) == "f1"


def test_what_was_touched_counts_on_whichever_branch_it_was(store, made, did):
    at = FilesAt(store)
    first = made("run_end", "f1")
    since = at.taken("f1")
    did(FilesTouched((FileChange("a", "", "1"),)), run=2)
    store.journal.start_branch("other", store.journal.last_seq, checkpoint=first, why="a test")
    did(HeadMoved("rewind", 1, 1, ("files",), (FileChange("a", "1", ""),)))
    assert at.touches(since) == [(FileChange("a", "", "1"), 2), (FileChange("a", "1", ""), 0)]
    assert at.touches(store.journal.last_seq) == []
    assert at.taken("f9") == 0
    made("moved", "f1", run=0)
    assert at.taken("f1") == since, "some of them may have been left as they were"
    made("left", "f1", run=0)
    assert at.taken("f1") == store.journal.last_seq


@pytest.mark.parametrize(
    ("looks", "watched"),
    [(("f1", "f2", 1), True), (("", "f2", 1), False), (("f1", "", 1), False), (("f1", "f2", 2), False)],
)
def test_a_call_is_watched_when_its_run_looked_before_and_after_it(store, made, did, looks, watched):
    before, after, run = looks
    at = FilesAt(store)
    start = store.journal.last_seq
    made("before_step", before)
    did(call())
    open_look = at.before_doubt(1, store.journal.current)
    made("step", after, run=run)
    assert at.unwatched(start) is not watched
    assert open_look == before
    assert at.before_doubt(1, store.journal.current) == ("" if after and run == 1 else before)
    assert not at.unwatched(store.journal.last_seq)
