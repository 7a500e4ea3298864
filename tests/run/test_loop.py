"""The loop: answers, tools in parallel, what is committed when, and what a sink sees."""

import asyncio

import pytest
import statebook
from statebook.errors import ModelError, RunFailed, ToolError
from statebook.protocol.journal.events import ToolFinished, ToolIntended
from statebook.protocol.journal.lines import CheckpointMade
from statebook.protocol.messages import Message, Text, ToolResult
from statebook.protocol.models import Completion, TextDelta, Usage
from statebook.protocol.tools import ToolOutcome, ToolSpec
from statebook.run.seams import Silent
from statebook.testing import call, fail, say

from .conftest import kinds, orphans


def test_an_answer_is_one_model_step(session_of, go):
    session = session_of(say("Four.", usage=Usage(10, 4, 2)))
    run = go(session.ask("What is 2 + 2?"))
    assert (run.status, run.answer, run.steps, run.usage) == ("done", "Four.", 1, Usage(10, 4, 2))
    assert kinds(session, 1) == ["run_started", "model_requested", "model_answered", "run_ended", "checkpoint_made"]


def test_tool_results_go_back_to_the_model_in_the_order_of_its_calls(session_of, go, ledger):
    session = session_of(call("look", {"word": "a"}, "put", {"word": "b"}), say("Done.", expect="saw a"))
    run = go(session.ask("Do both"))
    assert sorted(ledger) == [("look", "a"), ("put", "b")]
    results = session.model.requests[1].messages[-1].parts
    assert [(r.name, r.text, r.status) for r in results] == [("look", "saw a", "ok"), ("put", "put b", "ok")]
    assert [c.step for c in run.calls] == [2, 3]
    assert run.models[-1].step == 4


def test_intents_are_one_commit_before_any_call_and_each_result_is_its_own_with_a_checkpoint(session_of, go):
    intents = []

    @statebook.tool(effect="read")
    async def peek(word: str) -> str:
        """What the journal holds while the call runs."""
        intents.append(session.store.database.row("SELECT count(*) FROM journal WHERE kind = 'tool_intended'")[0])
        await asyncio.sleep(0)
        return word

    session = session_of(call("peek", {"word": "a"}, "peek", {"word": "b"}), say("ok"), tools=[peek])
    commits = []
    commit = session.store.commit
    session.store.commit = lambda events, **k: commits.append([event for _, event in events]) or commit(events, **k)
    go(session.ask("Go"))
    assert intents == [2, 2]
    assert [
        [type(event) for event in batch] for batch in commits if isinstance(batch[0], ToolIntended | ToolFinished)
    ] == [
        [ToolIntended, ToolIntended],
        [ToolFinished, CheckpointMade],
        [ToolFinished, CheckpointMade],
    ]


def test_calls_run_beside_each_other(session_of, go):
    both = asyncio.Event()
    running = []

    @statebook.tool(effect="read")
    async def meet() -> str:
        """Ends only when the other one has begun."""
        running.append(1)
        if len(running) == 2:
            both.set()
        async with asyncio.timeout(5):
            await both.wait()
        return "met"

    session = session_of(call("meet", {}, "meet", {}), say("ok"), tools=[meet])
    assert [c.result.text for c in go(session.ask("Go")).calls] == ["met", "met"]


class OnMain:
    """A tool of the main thread that notices company."""

    def __init__(self):
        self.inside, self.most = 0, 0

    spec = ToolSpec("on_main", "x", {"type": "object", "properties": {}}, "read", "user", main_thread=True)

    async def call(self, arguments, ctx):
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.01)
        self.inside -= 1
        return ToolOutcome("ok")


def test_tools_of_the_main_thread_never_run_beside_each_other(session_of, go):
    tool = OnMain()
    session = session_of(call("on_main", {}, "on_main", {}, "on_main", {}, "look", {}), say("ok"), tools=[tool])
    go(session.ask("Go"))
    assert tool.most == 1
    assert "before_step" in [e.event.reason for e in session.store.journal.entries(kinds=["checkpoint_made"])]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (("lok", {}), "Did you mean 'look'?"),
        (("look", "{not json"), "not JSON"),
        (("look", '["a list"]'), "a JSON list"),
        (("look", {"word": 1}), "word"),
        (("look", {"wrod": "x"}), "wrod"),
    ],
)
def test_a_senseless_call_is_an_error_for_the_model_and_the_run_goes_on(session_of, go, ledger, wish, told):
    session = session_of(call(*wish), say("I see."))
    run = go(session.ask("Go"))
    assert run.status == "done"
    assert run.calls[0].result.status == "error"
    assert told in run.calls[0].result.text
    assert ledger == []


@pytest.mark.parametrize("error", [ToolError("no", "Try b."), ValueError("no"), TimeoutError("no"), SystemExit("no")])
def test_whatever_a_tool_raises_is_told_to_the_model(session_of, go, error):
    class Raises(OnMain):
        async def call(self, arguments, ctx):
            raise error

    session = session_of(call("on_main", {}), say("ok"), tools=[Raises()])
    run = go(session.ask("Go"))
    assert (run.status, run.calls[0].result.status) == ("done", "error")
    assert "no" in run.calls[0].result.text


def test_two_calls_with_one_id_each_get_their_result(session_of, go):
    class Twins:
        name, context_tokens = "twins:", 100_000

        async def stream(self, request):
            from statebook.protocol.messages import ToolCall

            if any(isinstance(part, ToolResult) for message in request.messages for part in message.parts):
                yield Completion(Message("assistant", (Text("done"),)), Usage())
            else:
                twins = (ToolCall("same", "look", '{"word":"a"}'), ToolCall("same", "look", '{"word":"b"}'))
                yield Completion(Message("assistant", twins), Usage(), "tool_calls")

    session = session_of(check=False)
    session.restart(Twins())
    run = go(session.ask("Go"))
    assert [c.result.text for c in run.calls] == ["saw a", "saw b"]


def test_a_failure_that_may_pass_is_asked_again_and_journaled(session_of, go):
    session = session_of(fail(ModelError("busy", retryable=True), text="The answ"), say("The answer."))
    run = go(session.ask("Go"))
    assert run.answer == "The answer."
    failed = session.store.journal.entries(kinds=["model_failed"])
    assert [(e.event.error, e.event.retryable, e.event.partial) for e in failed] == [("busy", True, "The answ")]


def test_after_the_last_try_the_run_failed_and_the_cell_goes_on_when_run_again(session_of, go, ledger):
    busy = [fail(ModelError("busy", retryable=True))] * 3
    session = session_of(call("send", {"word": "x"}), *busy, say("Sent.", expect="sent x"))
    with pytest.raises(RunFailed, match="r1 got no answer: busy"):
        go(session.ask("Go"))
    run = go(session.ask("Go"))
    assert (run.number, run.answer, ledger) == (1, "Sent.", [("send", "x")])


def test_a_failure_for_good_is_not_asked_again(session_of, go):
    session = session_of(fail(ModelError("no such model", "Choose another.")), say("Now."))
    with pytest.raises(RunFailed, match="no such model"):
        go(session.ask("Go"))
    assert len(session.model.requests) == 1
    assert go(session.ask("Go")).answer == "Now."


@pytest.mark.parametrize("error", [RuntimeError("a bug"), TimeoutError("socket"), KeyError("x")])
def test_a_model_that_breaks_fails_its_run_in_order(session_of, go, error):
    session = session_of(fail(error), fail(error), fail(error), check=False)
    with pytest.raises(RunFailed):
        go(session.ask("Go"))
    assert session.session.run(1).status == "failed"
    assert session.session.open_runs() == []


def test_a_stream_without_an_end_is_no_answer(session_of, go):
    class Cut:
        name, context_tokens = "cut:", 1000_000

        async def stream(self, request):
            yield TextDelta("half an ans")

    session = session_of(check=False)
    session.restart(Cut())
    with pytest.raises(RunFailed, match="ended before"):
        go(session.ask("Go"))
    assert {e.event.partial for e in session.store.journal.entries(kinds=["model_failed"])} == {"half an ans"}


class Watching(Silent):
    """A sink that looks into the file at each update."""

    def __init__(self, session):
        self.session, self.looks, self.drafts = session, 0, 0

    def update(self, run):
        self.looks += 1
        rows = self.session.store.database.rows
        (last,) = rows("SELECT max(seq) FROM journal WHERE run = ?", [run.number])[0]
        assert last is not None
        assert run.last_seq <= last
        if run.draft:
            self.drafts += 1
            parts = rows("SELECT text FROM draft WHERE run = ? ORDER BY step, part", [run.number])
            assert "".join(text for (text,) in parts).endswith(run.draft)


def test_what_a_sink_draws_is_on_disk(session_of, go, monkeypatch):
    monkeypatch.setattr("statebook.run.asking.draft._PULSE", 0.0)
    monkeypatch.setattr("statebook.run.asking.draft._REST", 0)
    session = session_of(call("look", {"word": "a"}, text="Let me look at it."), say("One two three four five six."))
    session.sink = sink = Watching(session)
    run = go(session.ask("Go"))
    assert run.notes == []  # an assertion that failed inside the sink would stand here
    assert sink.looks > 10
    assert sink.drafts > 5
    assert session.store.database.rows("SELECT * FROM draft") == []


class Broken:
    def update(self, run):
        raise OSError("the front end is gone")

    progress = close = update


def test_a_sink_that_raises_never_harms_the_run(session_of, go):
    session = session_of(call("look", {}), say("Fine."))
    session.sink = Broken()
    run = go(session.ask("Go"))
    assert (run.status, run.answer) == ("done", "Fine.")
    assert run.notes == ["The output could not be drawn: the front end is gone"]
    session.restart()
    session.sink = Broken()
    assert go(session.ask("Go")).replayed


def test_lone_surrogates_from_a_model_or_tool_are_kept_as_question_marks(session_of, go):
    @statebook.tool(effect="read")
    def odd(ctx: statebook.ToolContext) -> str:
        """Odd text."""
        ctx.state["\ud800"] = "\ud801"
        return "odd \ud802 \x00 text"

    session = session_of(call("odd", {}, text="half \ud83d"), say("\ud800 end"), tools=[odd])
    run = go(session.ask("Go \ud900"))
    assert run.status == "done"
    assert session.store.verify().whole
    session.restart()
    assert session.session.run(1).answer == "? end"
    assert session.store.sql("SELECT result FROM tool_calls").result[0] == "odd ? \x00 text"


def test_citations_are_checked_against_what_tools_have_shown(session_of, go):
    session = session_of(
        call("search_sources", {"query": "cheese"}), say("Cheese is aged [S1.1], and so is wine [S9.9] [S1.1].")
    )
    (session.folder / "cheese.md").write_text("# Cheese\n\nCheese is aged for many months in a cool cellar.\n")
    run = go(session.ask("Cheese?"))
    assert [(p.mark, p.path, p.text) for p in run.cited] == [("S1.1", "cheese.md", "")]
    assert run.unknown == ("S9.9",)
    assert list(session.store.sql("SELECT mark, path FROM citations").itertuples(index=False, name=None)) == [
        ("S1.1", "cheese.md")
    ]


def test_a_passage_shown_in_an_earlier_run_may_be_cited(session_of, go):
    session = session_of(call("search_sources", {"query": "cheese"}), say("ok"), say("As before [S1.1]."))
    (session.folder / "cheese.md").write_text("# Cheese\n\nCheese is aged for many months in a cool cellar.\n")
    go(session.ask("Cheese?"))
    run = go(session.ask("Again?"))
    assert [p.mark for p in run.cited] == ["S1.1"]
    assert run.unknown == ()


def test_tool_state_lives_in_the_journal(session_of, go):
    @statebook.tool(effect="idempotent")
    def count(ctx: statebook.ToolContext) -> str:
        """Count."""
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        return str(ctx.state["n"])

    session = session_of(call("count", {}), call("count", {}), say("Two."), say("Later."), tools=[count])
    run = go(session.ask("Count twice"))
    assert [c.result.text for c in run.calls] == ["1", "2"]
    session.restart()
    assert session.store.as_of_head.tool_state("count") == {"n": 2}
    go(session.ask("More"))
    assert all(not orphans(request) for request in session.model.requests)
