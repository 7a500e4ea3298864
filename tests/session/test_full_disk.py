"""A disk that fills up at each moment of a session, really: nothing acknowledged is lost, and space lets it go on."""

import asyncio
import os

import pytest
import statebook
from statebook.errors import StoreFull
from statebook.protocol.approvals import Rule
from statebook.protocol.tools import ArtifactData, ToolOutcome
from statebook.store import schema
from statebook.store.file.faults import explain
from statebook.testing import ScriptedModel, TemporarySession, call, say

WORDS = r"The disk is full: \S+ could not be written\. Free some space and run the cell again; what was acknowledged is"


class Trap:
    """Fills the disk once, at the moment it is set to."""

    def __init__(self, disk):
        self._disk = disk
        self.moment = ""

    def at(self, moment):
        if moment == self.moment:
            self.moment = ""
            self._disk.fill()


class Model(ScriptedModel):
    """Sets off the trap before it answers."""

    trap: Trap

    async def stream(self, request):
        self.trap.at("draft")
        async for event in super().stream(request):
            yield event


@pytest.fixture
def trap(disk):
    return Trap(disk)


@pytest.fixture
def session(disk, trap):
    """A session on the small disk, with a tool that brings a big picture."""
    worked = []

    @statebook.tool(effect="idempotent")
    def work() -> ToolOutcome:
        """Work."""
        worked.append(1)
        trap.at("result")
        return ToolOutcome("done", artifacts=(ArtifactData(bytes([len(worked)]) * 400_000, "image/png"),))

    model = Model([say("One."), call("work"), say("Two."), call("work"), say("Three.")])
    model.trap = trap
    with TemporarySession(model=model, folder=disk.folder, tools=[work], sources=()) as made:
        yield made
        model._steps = tuple(model._steps[: len(model.requests)])


def ask(session, prompt):
    return asyncio.run(session.ask(prompt, cell_id=prompt))


def open_it(session):
    session.session.permissions.set(Rule("*", "allow"))


def goes_on(session):
    assert ask(session, "First").answer == "One."
    assert ask(session, "Second").answer == "Two."
    assert ask(session, "Third").answer == "Three."
    session.restart()
    assert session.store.verify().whole
    assert [run for run in session.store.run_numbers() if session.store.run(run).status == "done"] == [1, 2, 3]
    assert not [path for path in session.folder.iterdir() if path.suffix in (".new", ".fold", ".part")]


@pytest.mark.slow
@pytest.mark.parametrize("but", [0, 20_000])
def test_at_birth_and_at_opening(disk, session, but):
    disk.fill(but=but)
    for _ in range(2):
        with pytest.raises(StoreFull, match=WORDS):
            open_it(session)
    disk.free()
    open_it(session)
    assert ask(session, "First").answer == "One."
    session.close()
    disk.fill()
    with pytest.raises(StoreFull, match=WORDS):
        open_it(session)
    disk.free()
    goes_on(session)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["request", "draft", "result", "fold"])
def test_in_the_middle_of_a_run(disk, trap, session, moment, monkeypatch):
    open_it(session)
    assert ask(session, "First").answer == "One."
    trap.moment = moment
    if moment == "fold":
        guard = session.store.database._guard
        really = guard.raise_over
        monkeypatch.setattr(guard, "raise_over", lambda blocks: (really(blocks), trap.at("fold")))
        assert ask(session, "Second").answer == "Two."  # it is committed; the fold is done the next time
    else:
        trap.at("request")
        for _ in range(2):
            with pytest.raises(StoreFull, match=WORDS) as told:
                ask(session, "Second")
            assert "\n" not in str(told.value)
        assert ask(session, "First").replayed  # what is recorded can be read on a full disk
    disk.free()
    goes_on(session)


@pytest.mark.slow
def test_while_a_backup_is_made_for_a_migration(disk, session, monkeypatch):
    open_it(session)
    assert ask(session, "First").answer == "One."
    session.close()
    before = schema.VERSION
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (n INTEGER)"))
    monkeypatch.setattr(schema, "VERSION", len(schema.MIGRATIONS))
    disk.fill(but=40_000)
    with pytest.raises(StoreFull, match=rf"duckdb\.v{before}\.bak could not be written"):
        open_it(session)
    assert not list(disk.folder.glob("*.bak*"))
    disk.free()
    goes_on(session)
    assert len(list(disk.folder.glob("*.bak"))) == 1


@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), OSError(122, "Disk quota exceeded")])
def test_a_used_up_quota_is_told_as_a_full_disk(error, tmp_path):
    assert isinstance(explain(error, tmp_path / "book.statebook.duckdb"), StoreFull)
