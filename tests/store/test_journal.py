"""The journal: lineages, checkpoints, counters, the digest chain, and projections as of a head."""

import pytest
from statebook.errors import StoreDamaged, StoreError, UsageError
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.events import (
    GrantEnded,
    GrantGiven,
    MemoryForgotten,
    ModelRequested,
    RuleSet,
    ToolFinished,
    ToolStateSet,
)
from statebook.protocol.messages import ToolResult
from statebook.protocol.tools import ArtifactData
from statebook.store.artifacts import INSIDE
from statebook.store.journal import Place

from .conftest import keep, tampered


def memories(store):
    return [memory.text for memory in store.as_of_head.memories()]


def test_entries_come_back_as_they_went_in(store):
    keep(store, "one", "Zwölf 🎈")
    entries = store.journal.entries()
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.event.kind for entry in entries] == ["branch_started", "memory_kept", "memory_kept"]
    assert entries[2].event.text == "Zwölf 🎈"


def test_counters_go_on_after_reopening(store, open_store):
    keep(store, "one")
    store.commit([(Place(3, 1), store.journal.checkpoint("step"))])
    store.close()
    again = open_store().journal
    assert (again.last_seq, again.next_run(), again.next_memory(), again.head_checkpoint()) == (3, 4, 2, 1)
    assert again.checkpoint("person").parent == 1


def test_a_fork_sees_what_was_there_before_it_and_not_what_came_after(store, open_store):
    journal = store.journal
    keep(store, "shared")
    at = journal.last_seq
    keep(store, "on main")
    journal.start_branch("side", at, checkpoint=0, why="test")
    keep(store, "on side")
    assert memories(store) == ["shared", "on side"]
    journal.start_branch("deeper", journal.last_seq - 1, checkpoint=0, why="test")
    assert memories(store) == ["shared"]
    journal.switch(journal.find_branch("main"))
    assert memories(store) == ["shared", "on main"]
    keep(store, "later on main")
    store.close()
    store = open_store()
    assert store.journal.branch.name == "main"
    assert memories(store) == ["shared", "on main", "later on main"]
    store.journal.switch(store.journal.find_branch("side"))
    assert memories(store) == ["shared", "on side"]
    assert store.verify().whole


def test_what_one_line_has_and_another_has_not(store):
    journal = store.journal
    keep(store, "shared")  # entry 2
    keep(store, "on main")  # 3
    side = journal.start_branch("side", 2, checkpoint=0, why="test").number  # 4
    keep(store, "on side")  # 5
    deep = journal.start_branch("deep", 4, checkpoint=0, why="test").number  # 6
    assert journal.beyond((1, 6), (side, 6)) == [(1, 2, 6)]
    assert journal.beyond((deep, 6), (1, 6)) == [(deep, 4, 6), (side, 2, 4)]
    assert journal.beyond((side, 6), (deep, 6)) == [(side, 4, 6)]
    assert journal.beyond((1, 2), (deep, 6)) == []
    for line, texts in (((1, 6), ["shared", "on main"]), ((side, 6), ["shared", "on side"]), ((deep, 6), ["shared"])):
        held = store.as_of_head.at(*line)
        assert [memory.text for memory in held.memories.values()] == texts
    assert store.as_of_head.at(1, 1).memories == {}
    keep(store, "later")
    assert [memory.text for memory in store.as_of_head.at(deep, 7).memories.values()] == ["shared", "later"]


def test_checkpoints_are_found_by_place_and_number_also_after_reopening(store, open_store):
    made = [store.commit([(Place(), store.journal.checkpoint("step"))])[0] for _ in range(2)]
    side = store.journal.start_branch("side", made[0].seq, checkpoint=1, why="test").number
    made += store.commit([(Place(), store.journal.checkpoint("step"))])
    for _ in range(2):
        journal = store.journal
        assert [journal.place_of(number) for number in (1, 2, 3, 4)] == [*((e.branch, e.seq) for e in made), (0, 0)]
        assert [journal.checkpoint_at(seq, side) for seq in (1, made[0].seq, made[1].seq, made[2].seq)] == [0, 1, 1, 3]
        assert (journal.head_checkpoint(1), journal.head_checkpoint(side)) == (2, 3)
        store.close()
        store = open_store()


def test_a_position_that_another_branch_wrote_is_a_place_on_this_one_too(store):
    journal = store.journal
    keep(store, "a")
    journal.start_branch("side", journal.last_seq, checkpoint=0, why="test")
    keep(store, "b")
    seq_of_b = journal.last_seq
    journal.switch(journal.find_branch("main"))
    keep(store, "c")
    journal.start_branch("third", seq_of_b, checkpoint=0, why="test")
    assert memories(store) == ["a"]


def test_branch_names_are_unique_and_free_ones_are_found(store):
    journal = store.journal
    with pytest.raises(UsageError, match="a branch 'main' already"):
        journal.start_branch("main", 0, checkpoint=0, why="test")
    assert journal.free_name("main") == "main-2"
    journal.start_branch("main-2", 0, checkpoint=0, why="test")
    assert journal.free_name("main") == "main-3"
    assert journal.free_name("main-2") == "main-3"


def test_checkpoints_have_parents_along_their_line(store):
    journal = store.journal
    for _ in range(2):
        store.commit([(Place(), journal.checkpoint("person"))])
    fork_at = journal.last_seq
    store.commit([(Place(), journal.checkpoint("person"))])
    journal.start_branch("side", fork_at, checkpoint=2, why="test")
    assert journal.head_checkpoint() == 2
    store.commit([(Place(), journal.checkpoint("person"))])
    rows = store.sql("SELECT checkpoint, parent, branch, on_head FROM checkpoints ORDER BY checkpoint")
    assert rows.fillna(0).astype({"parent": int}).to_numpy().tolist() == [
        [1, 0, "main", True], [2, 1, "main", True], [3, 2, "main", False], [4, 2, "side", True],
    ]  # fmt: skip


def test_projection_of_state_grants_and_rules_follows_the_branch(store):
    journal = store.journal
    store.commit([(Place(), ToolStateSet("t", {"a": 1, "b": 2})), (Place(), GrantGiven(Grant("send")))])
    at = journal.last_seq
    (number,) = keep(store, "gone soon")
    store.commit([
        (Place(), ToolStateSet("t", {"a": None, "c": [1]})), (Place(), GrantEnded(Grant("send"))),
        (Place(), RuleSet(Rule("send", "deny"))), (Place(), MemoryForgotten(number, "person")),
    ])  # fmt: skip
    head = store.as_of_head
    assert (head.tool_state("t"), head.grants(), head.rules(), memories(store)) == (
        {"b": 2, "c": [1]}, [], [Rule("send", "deny")], [],
    )  # fmt: skip
    journal.start_branch("before", at, checkpoint=0, why="test")
    assert (head.tool_state("t"), head.grants(), head.rules()) == ({"a": 1, "b": 2}, [Grant("send")], [])


def test_a_commit_that_fails_in_the_middle_leaves_nothing_and_the_next_one_works(store, open_store, monkeypatch):
    keep(store, "acknowledged")
    journal = store.journal
    data = ArtifactData(b"x" * 10, "text/plain")
    write = store.database.write

    def failing(statement, values=()):
        if statement.startswith("INSERT INTO journal"):
            write(statement, values)
            raise StoreError("the commit failed")
        write(statement, values)

    for _ in range(2):
        monkeypatch.setattr(store.database, "write", failing)
        events = [(Place(5, 1), ToolStateSet("t", {"n": 1})), (Place(5, 1), journal.checkpoint("step"))]
        with pytest.raises(StoreError):
            store.commit(events, artifacts=[data])
        monkeypatch.setattr(store.database, "write", write)
        assert memories(store) == ["acknowledged"]  # a look between the failure and the next commit
        assert (journal.next_run(), journal.head_checkpoint(), journal.last_seq) == (1, 0, 2)
    store.commit([(Place(1), ToolStateSet("t", {"n": 2})), (Place(1), journal.checkpoint("step"))], artifacts=[data])
    keep(store, "and on")
    assert store.as_of_head.tool_state("t") == {"n": 2}
    assert memories(store) == ["acknowledged", "and on"]
    assert [e.event.checkpoint for e in journal.entries(kinds=["checkpoint_made"])] == [1]
    store.close()
    report = open_store().verify()
    assert (report.entries, report.artifacts, report.damage) == (5, 1, ())


def test_drafts_are_put_together_in_order_and_dropped_at_the_end(store):
    for part, text in enumerate(["One ", "two ", "\ud83d three\0"]):
        store.draft(1, 2, part, text)
    store.draft(1, 3, 0, "other")
    assert store.drafted(1, 2) == "One two ? three\0"
    store.settle(1)
    assert store.drafted(1, 2) == ""


# -- artifacts ---------------------------------------------------------------------------------------------------


def test_small_artifacts_live_in_the_file_and_big_ones_beside_it(store, path):
    small, big = ArtifactData(b"s", "text/plain", "s"), ArtifactData(b"b" * (INSIDE + 1), "image/png", "b")
    with store.database.transaction():
        one, two = store.artifacts.put([small, big])
    assert (store.artifacts.get(one), store.artifacts.get(two)) == (small.data, big.data)
    files = [file for file in path.with_name("book.statebook.objects").rglob("*") if file.is_file()]
    assert ["".join(file.parts[-2:]) for file in files] == [two]


def test_a_content_is_kept_once(store):
    data = ArtifactData(b"same", "text/plain")
    for _ in range(2):
        store.commit([(Place(), ToolStateSet("t", {}))], artifacts=[data, data])
    assert store.database.row("SELECT count(*) FROM artifact") == (1,)


# -- verify ------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(store, path):
    """A closed store with a bit of everything; gives its path."""
    big = ArtifactData(b"b" * (INSIDE + 1), "image/png")
    from statebook.protocol.journal.codec import digest

    keep(store, "one", "two", "three")
    store.commit(
        [
            (Place(1, 1), ModelRequested("m", "d", digest(b"system"), digest(b"[]"), 1, 5)),
            (Place(1, 2), ToolFinished(ToolResult("c", "t", "text", "ok", (digest(big.data),)), 0.1)),
        ],
        artifacts=[ArtifactData(b"system", "text/plain"), ArtifactData(b"[]", "application/json"), big],
    )
    assert store.verify().whole
    store.close()
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE journal SET body = replace(body, 'two', 'tow') WHERE seq = 3", "Entry 3 (memory_kept) does not match"),
        ("UPDATE journal SET run = 7 WHERE seq = 3", "Entry 3 (memory_kept) does not match"),
        ("DELETE FROM journal WHERE seq = 3", "Entries 3 to 3 are missing."),
        (
            "UPDATE journal SET seq = CASE seq WHEN 2 THEN 3 WHEN 3 THEN 2 ELSE seq END",
            "Entry 2 (memory_kept) does not",
        ),
        ("INSERT INTO journal SELECT * FROM journal WHERE seq = 4", "Entry 4 repeats."),
        ("UPDATE journal SET kind = 'memory_eaten' WHERE seq = 3", "Entry 3 is of an unknown kind: memory_eaten."),
        ("UPDATE journal SET body = '[]' WHERE seq = 3", "Entry 3 can't be read"),
        ("UPDATE journal SET branch = 9 WHERE seq = 3", "1 entries belong to branch 9, which was never started."),
        ("DELETE FROM artifact WHERE size = 6", "Entry 5 names artifact bbc5e661e106, which is missing."),
        ("UPDATE artifact SET bytes = 'sistem'::BLOB WHERE size = 6", "has changed on disk"),
    ],
)
def test_verify_finds_each_change(filled, open_store, change, told):
    tampered(filled, change)
    report = open_store(read_only=True).verify()
    assert not report.whole
    assert any(told in line for line in report.damage), report.damage


@pytest.mark.parametrize(("harm", "told"), [("unlink", "is missing in book"), ("change", "has changed on disk")])
def test_verify_finds_a_lost_and_a_changed_object(filled, open_store, harm, told):
    (file,) = (file for file in filled.with_name("book.statebook.objects").rglob("*") if file.is_file())
    file.unlink() if harm == "unlink" else file.write_bytes(b"other")
    (line,) = open_store().verify().damage
    assert told in line


@pytest.mark.parametrize(
    "body",
    [
        '{"name":"x","parent":1,"at":1,"checkpoint":0,"why":""}',
        '{"name":"x","parent":9,"at":1,"checkpoint":0,"why":""}',
        "{}",
    ],
)
def test_a_journal_whose_branches_make_no_sense_is_refused_and_does_not_hang(filled, open_store, body):
    tampered(filled, f"UPDATE journal SET body = '{body}' WHERE seq = 1")
    with pytest.raises(StoreDamaged):
        open_store()


def test_an_entry_that_cannot_be_read_is_named(filled, open_store):
    tampered(filled, "UPDATE journal SET body = '{\"memory\": 1}' WHERE seq = 3")
    store = open_store()
    with pytest.raises(StoreDamaged, match=r"Entry 3 of the journal \(memory_kept\) can't be read"):
        store.journal.entries()
    assert len(store.sql("SELECT * FROM events")) == 6
