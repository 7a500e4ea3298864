"""Approvals, limits and the stop button: a run that does not end keeps what it has, and goes on."""

import asyncio
import time

import pytest
import statebook
from statebook.errors import ModelError, RunFailed, RunPaused, StoreFull, UsageError
from statebook.protocol.approvals import Answer, Rule
from statebook.protocol.calls import AgentCall, Limits
from statebook.protocol.journal.events import ToolFinished
from statebook.protocol.models import Usage
from statebook.run.seams import Silent
from statebook.testing import call, fail, hang, say

from .conftest import kinds, orphans

pytestmark = pytest.mark.slow  # stories of several runs

SEND = call("send", {"word": "x"})


# -- approvals ---------------------------------------------------------------------------------------------------


def test_a_write_is_asked_for_with_the_whole_call_in_sight_and_then_made(session_of, go, ledger):
    session = session_of(SEND, say("ok"), allow=False, answers=[Answer("allow", "", "test")])
    assert go(session.ask("Go")).status == "done"
    (question,) = session.questions
    assert (question.kind, question.effect, question.call.arguments) == ("approval", "write", '{"word": "x"}')
    assert ledger == [("send", "x")]
    assert kinds(session, 1)[3:6] == ["approval_asked", "approval_decided", "checkpoint_made"]


def test_a_rejected_call_is_not_made_and_the_model_hears_why(session_of, go, ledger):
    session = session_of(
        SEND, say("I won't.", expect="too precious"), allow=False, answers=[Answer("reject", "too precious", "test")]
    )
    run = go(session.ask("Go"))
    assert (ledger, run.calls[0].result.status) == ([], "denied")


def test_always_allow_holds_for_the_session_and_in_the_next_kernel(session_of, go, ledger):
    session = session_of(
        SEND, SEND, say("ok"), SEND, say("ok"), allow=False, answers=[Answer("allow_always", "", "test")]
    )
    go(session.ask("Go"))
    session.restart()
    go(session.ask("Go on"))
    assert len(session.questions) == 1
    assert ledger.count_of("send") == 3


def test_allow_once_is_once(session_of, go):
    session = session_of(SEND, SEND, say("ok"), allow=False, answers=[Answer("allow"), Answer("reject")])
    run = go(session.ask("Go"))
    assert [c.result.status for c in run.calls] == ["ok", "denied"]


def test_a_rule_denies_without_asking(session_of, go, ledger):
    session = session_of(SEND, say("Denied, then."), allow=False)
    session.session.permissions.set(Rule("send", "deny"))
    run = go(session.ask("Go"))
    assert (ledger, run.calls[0].result.status, session.questions) == ([], "denied", [])
    assert "rule" in run.calls[0].result.text


def test_where_nobody_can_answer_the_run_pauses_and_a_later_kernel_goes_on(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}, "look", {"word": "y"}), say("ok"), allow=False)
    with pytest.raises(RunPaused, match=r"send waits for an approval. Answer with `%agent approve r1.2` or"):
        go(session.ask("Go"))
    assert ledger == [("look", "y")]  # what may run has run
    assert session.store.open_runs() == []
    session.restart()
    assert session.notices == [
        "r1 is paused: send waits for an approval: `%agent approve r1.2` or `%agent reject r1.2`."
    ]
    session.answers.append(Answer("allow", "", "test"))
    assert go(session.resume(1)).status == "done"
    assert ledger == [("look", "y"), ("send", "x")]
    assert kinds(session, 1).count("approval_asked") == 1
    assert len(session.model.requests) == 2


def test_running_a_paused_cell_again_goes_on_too(session_of, go):
    session = session_of(SEND, say("ok"), allow=False)
    with pytest.raises(RunPaused):
        go(session.ask("Go", cell_id="a"))
    session.answers.append(Answer("allow", "", "test"))
    assert go(session.ask("Go", cell_id="a")).number == 1


# -- limits ------------------------------------------------------------------------------------------------------


def test_the_step_limit_pauses_and_a_resumption_gets_as_much_again(session_of, go, ledger):
    look = call("look", {"word": "x"})
    session = session_of(look, look, say("ok"))
    with pytest.raises(RunPaused, match="3 steps done, the limit is 3"):
        go(session.ask("Go", limits=Limits(steps=3)))
    assert ledger.count_of("look") == 1
    assert go(session.resume(1)).status == "done"
    assert ledger.count_of("look") == 2


def test_the_step_limit_holds_inside_a_batch(session_of, go, ledger):
    session = session_of(call("look", {"word": "a"}, "look", {"word": "b"}, "look", {"word": "c"}), say("ok"))
    with pytest.raises(RunPaused, match="limit"):
        go(session.ask("Go", limits=Limits(steps=2)))
    assert ledger == [("look", "a")]
    with pytest.raises(RunPaused):
        go(session.resume(1))
    assert sorted(ledger) == [("look", "a"), ("look", "b"), ("look", "c")]
    assert go(session.resume(1)).status == "done"


def test_the_token_limit_counts_what_would_be_sent(session_of, go):
    session = session_of(check=False)
    with pytest.raises(RunPaused, match=r"about .* to send, the limit is 10"):
        go(session.ask("Go", limits=Limits(tokens=10)))
    assert session.model.requests == []


def test_the_token_limit_is_handed_to_the_model_as_the_longest_answer(session_of, go):
    session = session_of(call("look", {}, usage=Usage(9_000, 0, 999)), check=False)
    with pytest.raises(RunPaused, match="9999 tokens used"):
        go(session.ask("Go", limits=Limits(tokens=10_000)))
    assert 0 < session.model.requests[0].max_output_tokens < 10_000


def test_the_time_limit_stops_a_model_that_hangs_and_keeps_its_text(session_of, go):
    session = session_of(hang("So far "), say("The end."))
    with pytest.raises(RunPaused, match=r"time limit of 0.2 seconds"):
        go(session.ask("Go", limits=Limits(seconds=0.2)))
    assert session.session.run(1).models[0].partial == "So far "
    assert go(session.resume(1, limits=Limits(seconds=30))).answer == "The end."


def test_a_wait_before_asking_again_that_outlasts_a_ceiling_is_not_begun(session_of, go):
    busy = ModelError("It is busy.", retryable=True, fault="overloaded", wait=100.0)
    session = session_of(fail(busy))
    session.session.spending.set("session", Limits(seconds=50))
    with pytest.raises(RunFailed, match="It is busy"):
        go(session.ask("Go"))


def test_the_time_limit_stops_a_tool_that_hangs(session_of, go):
    @statebook.tool(effect="read")
    async def sleep() -> None:
        """Never ends."""
        await asyncio.sleep(3600)

    session = session_of(call("sleep", {}, "look", {"word": "a"}), say("ok"), tools=[sleep])
    with pytest.raises(RunPaused, match="time limit"):
        go(session.ask("Go", limits=Limits(seconds=0.3)))
    assert [c.result.status for c in session.session.run(1).calls] == ["interrupted", "ok"]
    assert go(session.resume(1, limits=Limits(seconds=30))).status == "done"


def test_waiting_for_a_person_costs_no_time(session_of, go, monkeypatch):
    session = session_of(SEND, say("ok"), allow=False, answers=[Answer("allow")])
    answer = session.answer
    monkeypatch.setattr(session, "answer", lambda question: time.sleep(0.5) or answer(question))
    assert go(session.ask("Go", limits=Limits(seconds=0.4))).status == "done"


def test_calls_in_turn_that_the_time_limit_comes_before_are_not_made(session_of, go):
    from statebook.protocol.tools import ToolOutcome, ToolSpec

    made = []

    class InTurn:
        spec = ToolSpec("code", "x", {"type": "object", "properties": {}}, "read", "user", main_thread=True)

        async def call(self, arguments, ctx):
            made.append(ctx.step)
            await asyncio.sleep(3600 if len(made) == 2 else 0)
            return ToolOutcome("done")

    session = session_of(call("code", {}, "code", {}, "code", {}), say("ok"), tools=[InTurn()])
    with pytest.raises(RunPaused, match=r"the time limit of 0\.3 seconds was reached"):
        go(session.ask("Go", limits=Limits(seconds=0.3)))
    results = [each.result for each in session.session.run(1).calls]
    assert [result.status for result in results] == ["ok", "interrupted", "interrupted"]
    assert "may have been done in part" in results[1].text
    assert "not made" in results[2].text
    assert made == [2, 3]
    assert go(session.resume(1, limits=Limits(seconds=30))).status == "done"


# -- the stop button ---------------------------------------------------------------------------------------------


async def stopped(session, until, prompt="Go"):
    """Ask, and press stop as soon as ``until`` holds."""
    task = asyncio.create_task(session.ask(prompt))
    async with asyncio.timeout(10):
        while not until():  # noqa: ASYNC110 - what is waited for is in a file
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_stop_while_streaming_keeps_the_text_and_the_session_goes_on(session_of, go):
    session = session_of(hang("Half of "), say("Whole.", expect="Half of \n\n[The answer was stopped here.]"))
    go(stopped(session, lambda: session.session.latest and session.session.run(1).draft))
    run = session.session.run(1)
    assert (run.status, run.answer) == ("interrupted", "Half of ")
    assert session.store.open_runs() == []
    assert go(session.ask("Next")).answer == "Whole."


def test_a_stopped_cell_run_again_asks_anew_without_the_half(session_of, go):
    session = session_of(hang("Half of "), say("Whole."))
    go(stopped(session, lambda: session.session.latest and session.session.run(1).draft))
    run = go(session.ask("Go"))
    assert (run.number, run.answer) == (1, "Whole.")
    assert len(session.model.requests[1].messages) == 1
    assert kinds(session, 1).count("model_interrupted") == 1


def test_a_stop_during_tools_gives_each_call_a_result_and_valid_history(session_of, go, ledger):
    started = []

    @statebook.tool(effect="write")
    async def slow() -> None:
        """Slow."""
        started.append(1)
        await asyncio.sleep(3600)

    session = session_of(call("look", {"word": "a"}, "slow", {}, "slow", {}), say("ok"), tools=[slow])
    go(stopped(session, lambda: len(started) == 2 and ledger))
    statuses = [c.result.status for c in session.session.run(1).calls]
    assert statuses == ["ok", "interrupted", "interrupted"]
    go(session.ask("Next"))
    assert not orphans(session.model.requests[1])


def test_a_stop_while_asking_a_person_leaves_the_call_unmade(session_of, go, ledger):
    class Never:
        async def ask(self, question, run):
            await asyncio.sleep(3600)

    session = session_of(SEND, say("ok"), allow=False)
    session._asker = Never
    go(stopped(session, lambda: session.session.latest and session.session.run(1).calls))
    assert ledger == []
    assert go(session.ask("Next")).status == "done"
    assert "never made" in session.model.requests[1].messages[2].parts[0].text


def test_a_tool_that_was_interrupted_by_itself_stops_the_run(session_of, go):
    from statebook.protocol.tools import ToolOutcome, ToolSpec

    class Interrupted:
        spec = ToolSpec("code", "x", {"type": "object", "properties": {}}, "read", "user", main_thread=True)

        async def call(self, arguments, ctx):
            return ToolOutcome("printed\n[interrupted by the user]", "interrupted")

    session = session_of(call("code", {}), say("ok"), tools=[Interrupted()])
    with pytest.raises(asyncio.CancelledError):
        go(session.ask("Go"))
    run = session.session.run(1)
    assert (run.status, run.calls[0].result.text) == ("interrupted", "printed\n[interrupted by the user]")
    assert go(session.ask("Next")).status == "done"


def test_a_keyboard_interrupt_inside_an_async_tool_stops_the_run_and_not_the_loop(session_of, go):
    @statebook.tool(effect="read")
    async def pressed() -> None:
        """The stop button, seen by the loop's thread."""
        raise KeyboardInterrupt

    session = session_of(call("pressed", {}, "look", {}), say("ok"), tools=[pressed])

    async def ask():
        with pytest.raises(asyncio.CancelledError):
            await session.ask("Go")
        return "the loop goes on"

    assert go(ask()) == "the loop goes on"
    assert session.session.run(1).status == "interrupted"
    go(session.ask("Next"))


def test_one_run_at_a_time(session_of, go):
    session = session_of(hang("x"), check=False)

    async def both():
        first = asyncio.create_task(session.ask("One"))
        await asyncio.sleep(0.05)
        with pytest.raises(UsageError, match="r1 is still running"):
            await session.ask("Two")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    go(both())


def test_a_store_that_fails_leaves_no_output_that_says_running(session_of, go, monkeypatch):
    session = session_of(call("look", {"word": "a"}), say("Seen."), check=False)
    commit = session.store.commit

    def full(events, **more):
        if any(isinstance(event, ToolFinished) for _, event in events):
            raise StoreFull("The disk is full.", "Free some space.")
        return commit(events, **more)

    class Last(Silent):
        def close(self, run):
            drawn.append((run.status, run.error))

    drawn = []
    monkeypatch.setattr(session.store, "commit", full)
    with pytest.raises(StoreFull):
        go(session.session.execute(AgentCall("Look"), Last(), Silent()))
    assert drawn == [("failed", "The disk is full. Free some space.")]
    monkeypatch.setattr(session.store, "commit", commit)
    assert go(session.ask("Look")).answer == "Seen."
