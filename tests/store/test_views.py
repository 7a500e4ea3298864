"""The views are public API: their columns, and right values on forks."""

import asyncio

import pytest
import statebook
from statebook.protocol.journal.events import MemoryKept
from statebook.protocol.models import Usage
from statebook.store.journal import Place
from statebook.store.views import VIEWS
from statebook.testing import ScriptedModel, TemporarySession, call, say

from .shelf import keep

COLUMNS = {
    "branches": "branch_id branch parent left_after from_checkpoint why created is_current",
    "lineage": "branch_id last_seq",
    "events": "seq time branch on_head run step kind body",
    "runs": "run branch on_head status started ended label prompt model model_calls tool_calls input_tokens"
    " cached_tokens output_tokens checkpoint note dollars unpriced_calls",
    "tool_calls": "run step branch call_id tool arguments effect status result seconds started finished"
    " idempotency_key",
    "steps": "run step kind name status seconds started finished",
    "messages": "seq time branch on_head run role text",
    "memories": "memory text kept_by tags source place run kept",
    "checkpoints": "checkpoint parent branch on_head run step reason label made seq snapshot files",
    "snapshots": "name kind checkpoint parent new_bytes time kept",
    "spend": "run step model time input_tokens cached_tokens output_tokens reasoning_tokens written_tokens"
    " estimated_tokens dollars status",
    "sources": "source path title status passages bytes error",
    "citations": "run branch on_head mark title path place passage first_char last_char step cell_id",
}


@pytest.fixture(scope="module")
def session():
    @statebook.tool(effect="read")
    async def look(word: str = "") -> str:
        """Look."""
        return f"saw {word}"

    steps = [
        call(
            "search_sources", {"query": "cheese"}, "look", {"word": "b"}, text="Let me see.", usage=Usage(10, 5, 3, 1)
        ),
        say("Aged [S1.1].", usage=Usage(20, 10, 4)),
        say("Second."),
        say("Second, fresh."),
    ]
    with TemporarySession(model=ScriptedModel(steps), tools=[look]) as made:
        (made.folder / "cheese.md").write_text("# Cheese\n\nCheese is aged for many months in a cool cellar.\n")

        async def fill():
            await made.ask("First", label="one", cell_id="c1")
            made.store.commit([(Place(1, 2), MemoryKept(1, "Cheese is aged.", "person", ("food",)))])
            await made.ask("Second", cell_id="c2")
            await made.ask("Second", cell_id="c2", fresh=True)

        asyncio.run(fill())
        yield made


@pytest.fixture
def rows(session):
    """The rows of a query, as tuples."""
    return lambda query: list(session.store.sql(query).astype(object).itertuples(index=False, name=None))


def test_every_view_is_pinned():
    assert set(COLUMNS) == set(VIEWS)


@pytest.mark.parametrize("view", COLUMNS)
def test_columns_stay(session, view):
    assert session.store.sql(f"SELECT * FROM {view}").columns.to_list() == COLUMNS[view].split()


def test_runs(rows):
    assert rows(
        "SELECT run, branch, on_head, status, label, prompt, model_calls, tool_calls FROM runs ORDER BY run"
    ) == [
        (1, "main", True, "done", "one", "First", 2, 2),
        (2, "main", False, "done", "", "Second", 1, 0),
        (3, "main-2", True, "done", "", "Second", 1, 0),
    ]
    assert rows("SELECT input_tokens, cached_tokens, output_tokens FROM runs WHERE run = 1") == [(30, 15, 7)]


def test_branches(rows):
    assert rows("SELECT branch, coalesce(parent, ''), is_current FROM branches ORDER BY branch_id") == [
        ("main", "", False),
        ("main-2", "main", True),
    ]


def test_tool_calls_and_steps(rows):
    assert rows("SELECT run, step, tool, effect, status FROM tool_calls ORDER BY step") == [
        (1, 2, "search_sources", "read", "ok"),
        (1, 3, "look", "read", "ok"),
    ]
    assert rows("SELECT step, kind, name, status FROM steps WHERE run = 1 ORDER BY step") == [
        (1, "model", "scripted:test", "ok"),
        (2, "tool", "search_sources", "ok"),
        (3, "tool", "look", "ok"),
        (4, "model", "scripted:test", "ok"),
    ]


def test_messages_on_the_head(rows):
    found = rows("SELECT role, text FROM messages WHERE on_head AND role != 'tool' ORDER BY seq")
    assert found == [
        ("user", "First"),
        ("assistant", "Let me see."),
        ("assistant", "Aged [S1.1]."),
        ("user", "Second"),
        ("assistant", "Second, fresh."),
    ]
    assert rows("SELECT text FROM messages WHERE text = 'Second.' AND NOT on_head") == [("Second.",)]


def test_memories_are_those_of_the_head(session, rows):
    assert rows("SELECT memory, text, kept_by, tags[1] FROM memories") == [(1, "Cheese is aged.", "person", "food")]
    journal = session.store.journal
    here = journal.branch
    journal.start_branch("empty", 2, checkpoint=0, why="test")
    assert rows("SELECT * FROM memories") == []
    journal.switch(here)


def test_citations_lead_to_the_passage_the_step_and_the_cell(rows):
    assert rows("SELECT run, mark, path, passage, step, cell_id FROM citations") == [
        (1, "S1.1", "cheese.md", "Cheese is aged for many months in a cool cellar.", 2, "c1")
    ]


def test_spend_and_sources(rows):
    assert rows("SELECT step, input_tokens, reasoning_tokens FROM spend WHERE run = 1 ORDER BY step") == [
        (1, 10, 1),
        (4, 20, 0),
    ]
    assert rows("SELECT source, path, status FROM sources") == [("S1", "cheese.md", "ok")]


def test_checkpoints(rows):
    assert rows("SELECT count(*) FROM checkpoints WHERE parent IS NULL") == [(1,)]
    assert rows("SELECT label FROM checkpoints WHERE run = 1 AND reason = 'run_end'") == [("one",)]
    assert rows("SELECT c.checkpoint FROM checkpoints c JOIN branches b ON b.from_checkpoint = c.checkpoint") == [(3,)]


def test_snapshots(store):
    first, one = keep(store, {"a": b"1"})
    second, two = keep(store, {"a": b"1", "b": b"22"}, first)
    files, three = keep(store, {"a.txt": b"333"}, kind="files")
    rows = store.database.rows(
        "SELECT name, kind, checkpoint, parent, new_bytes, kept FROM snapshots ORDER BY checkpoint"
    )
    assert rows == [
        (first.name, "variables", one, None, 1, True),
        (second.name, "variables", two, first.name, 2, True),
        (files.name, "files", three, None, 3, True),
    ]
    named = store.database.rows("SELECT checkpoint, snapshot, files FROM checkpoints ORDER BY checkpoint")
    assert named == [(one, first.name, None), (two, second.name, None), (three, None, files.name)]
