"""What a run asks its keeper for: at which moments, after which calls, and never while something is half done."""

import asyncio
from dataclasses import replace

import pytest
import statebook
from statebook.errors import StoreFull
from statebook.protocol.calls import Limits
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import FileChange, FilesTouched
from statebook.protocol.messages import ToolCall
from statebook.run.keeping.at_work import AtWork, may_change
from statebook.run.seams import Kept
from statebook.store.store import Store
from statebook.testing import call, say
from statebook.tools.python import SPEC as PYTHON


class Noting:
    """A keeper that writes down what it is asked, and keeps a row each time."""

    def __init__(self, session):
        self.session = session
        self.asked = []
        self.ahead = []

    def keep(self, reason, calls=(), ahead=()):
        self.asked.append((reason, [call.name for call in calls]))
        self.ahead += [call.name for call in ahead]
        name = self.session.store.snapshots.next_name("variables")
        row = SnapshotRow(name, "variables", {"version": 1, "asked": len(self.asked)}, "")
        touched = FilesTouched((FileChange("a.txt", "", "0" * 32),))
        return Kept(name, rows=(row,), events=(touched,) if calls else (), note="one line")

    def failed(self, error):
        self.asked.append(("failed", [f"{error}"]))
        return "no room"


@pytest.fixture
def kept_of(session_of, go):
    """Runs these steps with a noting keeper; the keeper, the session and the run."""

    def make(*steps, tools=(), sink=None):
        made = session_of(*steps, tools=tools)
        made.sink = sink or made.sink
        keeper = Noting(made)
        environment = made.session._environment
        made.session._environment = lambda run, team: replace(environment(run, team), keeper=keeper)
        return keeper, made, go(made.ask("Go."))

    return make


def checkpoints(session):
    return [(e.event.reason, e.event.snapshot) for e in session.store.journal.entries(kinds=["checkpoint_made"])]


def test_it_is_kept_before_and_after_what_may_change_something_and_at_the_end(kept_of):
    keeper, session, run = kept_of(call("look"), call("send"), say("Done."))
    assert keeper.asked == [("step", []), ("before_step", []), ("step", ["send"]), ("run_end", [])]
    assert keeper.ahead == ["send"]
    assert checkpoints(session) == [("step", "v1"), ("before_step", "v2"), ("step", "v3"), ("run_end", "v4")]
    assert [session.store.snapshots.row(f"v{n}").document["asked"] for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert run.notes == ["one line"]


def test_files_that_a_step_touched_stand_in_the_commit_of_its_result(kept_of):
    _, session, run = kept_of(call("send"), say("Done."))
    kinds = [entry.event.kind for entry in session.store.journal.entries_of_run(run.number)]
    at = kinds.index("tool_finished")
    assert kinds[at : at + 3] == ["tool_finished", "files_touched", "checkpoint_made"]
    times = {entry.time for entry in session.store.journal.entries_of_run(run.number)[at : at + 3]}
    assert len(times) == 1


def test_where_rows_find_no_room_a_result_is_recorded_without_them(kept_of, monkeypatch):
    commit = Store.commit

    def full(store, events, *, snapshots=(), **options):
        if snapshots and any(event.kind == "tool_finished" for _, event in events):
            raise StoreFull("The disk is full.", "Free some space.")
        return commit(store, events, snapshots=snapshots, **options)

    monkeypatch.setattr(Store, "commit", full)
    keeper, session, run = kept_of(call("look"), call("send"), say("Done."))
    assert checkpoints(session) == [("step", ""), ("before_step", "v2"), ("step", ""), ("run_end", "v4")]
    assert [why for why, _ in keeper.asked].count("failed") == 2
    assert run.notes == ["one line", "no room"]
    assert (run.answer, session.store.open_runs(), session.store.verify().whole) == ("Done.", [], True)


def test_a_pause_keeps_too(session_of, go):
    made = session_of(call("look"), say("Never asked."), check=False)
    environment = made.session._environment
    keeper = Noting(made)
    made.session._environment = lambda run, team: replace(environment(run, team), keeper=keeper)
    with pytest.raises(statebook.errors.RunPaused):
        go(made.ask("Go.", limits=Limits(1)))
    assert keeper.asked[-1][0] == "pause"


def test_a_result_that_comes_while_another_call_may_be_half_done_keeps_nothing(kept_of):
    first_done = asyncio.Event()

    @statebook.tool(effect="write")
    async def quick() -> str:
        """Quick."""
        return "quick"

    @statebook.tool(effect="write")
    async def slow() -> str:
        """Slow: still at work when the other has its result."""
        await asyncio.wait_for(first_done.wait(), 10)
        return "slow"

    class Watching:
        def update(self, run):
            if any(call.call.name == "quick" and call.result for call in run.calls):
                first_done.set()

        def progress(self, run, text):
            pass

        def close(self, run):
            pass

    steps = (call("quick", {}, "slow", {}), say("Done."))
    keeper, session, _ = kept_of(*steps, tools=[quick, slow], sink=Watching())
    assert checkpoints(session)[1:3] == [("step", ""), ("step", "v2")]
    assert keeper.asked[1] == ("step", ["quick", "slow"])


def test_only_calls_that_may_change_something_are_waited_for():
    at_work = AtWork()
    look = replace(PYTHON, name="look", effect="read", main_thread=False)
    one, two = ToolCall("1", "look", "{}"), ToolCall("2", "python", "{}")
    at_work.begin(one, look)
    assert not at_work.busy
    at_work.begin(two, PYTHON)
    assert at_work.busy
    at_work.end(one)
    at_work.end(two)
    assert (at_work.busy, at_work.take(), at_work.take()) == (False, (two,), ())


def test_what_may_change_variables_or_files():
    assert may_change(PYTHON)
    assert may_change(replace(PYTHON, effect="read"))  # in the namespace
    assert may_change(replace(PYTHON, effect="write", main_thread=False))
    assert may_change(replace(PYTHON, effect="idempotent", main_thread=False, origin="user"))
    assert not may_change(replace(PYTHON, effect="idempotent", main_thread=False))
    assert not may_change(replace(PYTHON, effect="read", main_thread=False, origin="user"))
