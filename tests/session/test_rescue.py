"""A session whose file was removed or replaced under its kernel is brought back, and its run goes on."""

import asyncio
import shutil
import sys
from contextlib import contextmanager

import pytest
import statebook
from statebook.errors import StoreDamaged, StoreGone, UsageError
from statebook.protocol.approvals import Rule
from statebook.protocol.tools import ArtifactData, ToolOutcome
from statebook.session.rescue import bring_back
from statebook.store.store import Store
from statebook.testing import ScriptedModel, TemporarySession, call, say

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be removed there")


@contextmanager
def lost(tmp_path, act, *, effect="idempotent"):
    """A session whose store meets ``act`` while its tool works."""
    made = []

    @statebook.tool(effect=effect)
    def work() -> ToolOutcome:
        """Work."""
        made.append(1)
        if len(made) == 1:
            act(session.store.path)
        return ToolOutcome("worked", artifacts=(ArtifactData(b"x" * 400_000, "image/png"),))

    model = ScriptedModel([say("One."), call("work"), say("Two.")])
    folder = tmp_path / "folder"
    folder.mkdir()
    with TemporarySession(model=model, tools=[work], folder=folder) as session:
        session.session.permissions.set(Rule("*", "allow"))
        assert asyncio.run(session.ask("First?", cell_id="a")).answer == "One."
        yield session, made


def back(session, target=None):
    found = bring_back(session._registry, target)
    found.session.use(session.model)
    return found


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_a_run_goes_on_after_its_file_came_back(tmp_path, what):
    def act(path):
        if what == "replaced":
            shutil.copy(path, path.with_name("other"))
            path.with_name("other").replace(path)
        else:
            path.unlink()

    with lost(tmp_path, act) as (session, made):
        with pytest.raises(StoreGone, match="`%agent rescue` writes it back"):
            asyncio.run(session.ask("Second?", cell_id="b"))
        found = back(session)
        assert (found.lost, found.aside is not None) == (0, what == "replaced")
        run = asyncio.run(session.ask("Second?", cell_id="b"))
        assert (run.number, run.answer) == (2, "Two.")
        assert asyncio.run(session.ask("First?", cell_id="a")).replayed
        assert session.store.verify().whole
        assert len(session.store.artifacts.get(run.calls[-1].result.artifacts[0])) == 400_000
        if found.aside:
            other = Store(found.aside)
            assert [other.run(number).answer for number in other.run_numbers()][:1] == ["One."]
            other.close()
        assert not [path.name for path in session.folder.iterdir() if "rescue" in path.name]
    assert len(made) == 2  # of an idempotent tool whose result could not be recorded


def test_a_write_that_could_not_be_recorded_is_in_doubt_after_the_rescue(tmp_path):
    with lost(tmp_path, lambda path: path.unlink(), effect="write") as (session, made):
        with pytest.raises(StoreGone):
            asyncio.run(session.ask("Second?", cell_id="b"))
        back(session)
        with pytest.raises(statebook.errors.RunPaused, match="work"):
            asyncio.run(session.ask("Second?", cell_id="b"))
        session.model._steps = session.model._steps[:2]
    assert len(made) == 1


def test_where_the_folder_is_gone_another_place_takes_it(tmp_path):
    with lost(tmp_path, lambda path: shutil.rmtree(path.parent)) as (session, _):
        with pytest.raises(StoreGone, match="`%agent rescue PATH`"):
            asyncio.run(session.ask("Second?"))
        with pytest.raises(StoreGone, match="There is no folder"):
            back(session)
        found = back(session, tmp_path / "elsewhere.statebook.duckdb")
        assert found.session.store.path == tmp_path / "elsewhere.statebook.duckdb"
        assert asyncio.run(session.ask("Second?")).answer == "Two."


def test_a_renamed_folder_is_gone_on_with_where_it_is_now(tmp_path):
    moved = tmp_path / "moved"
    with lost(tmp_path, lambda path: path.parent.rename(moved)) as (session, _):
        with pytest.raises(StoreGone, match=r"was moved to .*/moved/test\.statebook\.duckdb.*Go on with it there"):
            asyncio.run(session.ask("Second?", cell_id="b"))
        with pytest.raises(StoreGone, match="was moved"):
            back(session)
        registry, old = session._registry, session.session
        here = statebook.session.registry.named(str(moved / "test.ipynb"), tmp_path)
        registry.open(here, old.settings).use(session.model)
        assert old.store.database._connection is None  # one file, one connection
        assert asyncio.run(session.ask("Second?", cell_id="b")).answer == "Two."
        assert session.store.verify().whole


def test_the_session_that_is_given_up_leaves_no_thread_behind(tmp_path, monkeypatch):
    """It would wait for ever, and hold all that is known of the kernel's variables."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    names = {}
    with TemporarySession(model=ScriptedModel([]), namespace=names, snapshots="cells") as session:
        keeper = session.session.keeper
        keeper.cells.begin()
        names["x"] = [1]
        keeper.cells.end("x = [1]", "In [1]: x = [1]")
        keeper.drain()
        writer = keeper.cells._thread
        assert writer.is_alive()
        session.store.path.unlink()
        found = back(session).session
        assert not writer.is_alive()
        assert found.keeper.variables.lacking(found.keeper.variables.name_at_head()) == set()


def test_nothing_is_rescued_that_is_in_its_place(tmp_path):
    with lost(tmp_path, lambda _: None) as (session, _):
        with pytest.raises(UsageError, match="Nothing to rescue"):
            back(session)
        assert asyncio.run(session.ask("Second?")).answer == "Two."


def test_objects_that_are_gone_are_counted_and_come_back_with_the_next_call(tmp_path):
    with lost(tmp_path, lambda _: None) as (session, _):
        asyncio.run(session.ask("Second?"))
        shutil.rmtree(session.store.artifacts.folder)
        session.store.path.unlink()
        assert back(session).lost == 1
        report = session.store.verify()
        assert not report.whole
        with pytest.raises(StoreDamaged, match="Keep that folder beside the store"):
            session.store.artifacts.get(session.store.artifacts.missing()[0])
        session.store.commit([], artifacts=[ArtifactData(b"x" * 400_000, "image/png")])
        assert session.store.verify().whole
