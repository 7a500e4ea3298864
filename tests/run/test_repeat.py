"""An equal request is answered from the journal, byte for byte and for nothing: by whose answer, and when by none."""

import asyncio
from dataclasses import replace

import pytest
import statebook
from statebook.context.window import request_key
from statebook.errors import NotRecorded, RunFailed
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AnswerForm
from statebook.protocol.journal.codec import canonical, to_json
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult, user
from statebook.protocol.models import ModelRequest, Usage
from statebook.run.asking.recorded import Replay
from statebook.testing import ScriptedModel, TemporarySession, call, say

PAID = Usage(1000, 0, 50)


def go(work):
    return asyncio.run(work)


def answers(session, run):
    """The recorded answers of a run as they are: what must be equal when one is repeated."""
    events = [
        entry.event for entry in session.store.journal.entries_of_run(run) if entry.event.kind == "model_answered"
    ]
    return [canonical(to_json([e.message, e.usage, e.stop, e.response_id])) for e in events]


def side_branch(session, name):
    """Leave the line before its first run."""
    journal = session.store.journal
    journal.switch(journal.find_branch("main"))
    first = journal.entries_of_run(1)[0].seq
    journal.start_branch(name, first - 1, checkpoint=0, why="the test")


@pytest.fixture
def counted():
    """A tool that counts its calls, and gives what ``counted.says`` holds."""

    class Counted:
        calls = 0
        says = "seven"

    @statebook.tool(effect="read")
    def look(word: str) -> str:
        """Look."""
        Counted.calls += 1
        return f"{word}: {Counted.says}"

    Counted.tool = look
    return Counted


STEPS = (call("look", {"word": "a"}, usage=PAID), say("It is seven.", usage=PAID))


@pytest.fixture
def session(counted):
    """A session in which one cell was answered in two steps; its model answers two more requests at most."""
    model = ScriptedModel([*STEPS, *STEPS], prices=(1.0, 1.0))
    with TemporarySession(model=model, tools=[counted.tool]) as made:
        made.session.permissions.set(Rule("*", "allow"))
        go(made.ask("How many?", cell_id="a"))
        yield made
        made.model = ""


def test_an_equal_request_on_another_branch_is_repeated_for_nothing(session, counted):
    side_branch(session, "side")
    run = go(session.ask("How many?", cell_id="a"))
    assert (run.number, run.answer, run.replayed) == (2, "It is seven.", False)
    assert len(session.model.requests) == 2
    assert counted.calls == 2  # a new run makes its calls anew
    assert answers(session, 2) == answers(session, 1)
    assert (run.usage, run.cost.dollars, run.cost.known) == (Usage(), 0.0, True)
    firsts = [e.seq for e in session.store.journal.entries_of_run(1) if e.event.kind == "model_answered"]
    assert [model.repeats for model in run.models] == firsts
    # what is repeated once more still names the entry in which it was asked for
    side_branch(session, "side-2")
    assert [model.repeats for model in go(session.ask("How many?", cell_id="a")).models] == firsts


def test_a_tool_that_says_something_else_is_a_new_question_from_there(session, counted):
    side_branch(session, "side")
    counted.says = "eight"
    session.restart(ScriptedModel([say("It is eight.", expect="a: eight")]))
    run = go(session.ask("How many?", cell_id="a"))
    assert [bool(model.repeats) for model in run.models] == [True, False]
    session.model.verify()


def test_fresh_and_off_never_repeat(session):
    go(session.ask("How many?", cell_id="a", fresh=True))
    assert len(session.model.requests) == 4
    side_branch(session, "side")
    session.restart(ScriptedModel([say("Asked anew.")]))
    run = go(session.ask("How many?", cell_id="a", replay="off"))
    assert (run.answer, run.started.fresh) == ("Asked anew.", True)


def test_a_fresh_run_that_is_gone_on_with_stays_fresh(session):
    from statebook.errors import ModelError
    from statebook.testing import fail

    session.restart(ScriptedModel([fail(ModelError("no")), say("Asked anew.")]))
    with pytest.raises(RunFailed):
        go(session.ask("How many?", cell_id="a", fresh=True))
    assert go(session.ask("How many?", cell_id="a")).answer == "Asked anew."


def test_another_model_is_asked(session):
    side_branch(session, "side")
    session.restart(ScriptedModel([say("Other.")], "scripted:other"))
    assert go(session.ask("How many?", cell_id="a")).answer == "Other."


def test_an_equal_cell_of_the_same_conversation_is_a_new_question(session):
    key = next(e.event.key for e in session.store.journal.entries_of_run(1) if e.event.kind == "model_requested")
    found = Replay(session.store)

    def next_run(cell):
        return replace(session.session.run(1), number=2, started=replace(session.session.run(1).started, cell_id=cell))

    assert found.find(next_run("a"), "scripted:test", key).model == "scripted:test"
    assert found.find(next_run("b"), "scripted:test", key) is None
    assert found.find(next_run(""), "scripted:test", key) is None
    side_branch(session, "side")
    elsewhere = replace(next_run("b"), branch=session.store.journal.current)
    assert found.find(elsewhere, "scripted:test", key) is not None


@pytest.mark.parametrize("named", ["gone:small", ""])
def test_only_cuts_a_long_run_to_the_context_it_was_recorded_with(tmp_path, counted, named):
    counted.says = "much " * 1_500
    steps = [*[call("look", {"word": word}, usage=PAID) for word in "abcdef"], say("Much.", usage=PAID)]
    model = ScriptedModel(steps, "gone:small", 9_000)

    def asked(session, **more):
        session.session.permissions.set(Rule("*", "allow"))
        return go(session.ask("How much?", cell_id="a", model=named, **more))

    with TemporarySession(model=model, folder=tmp_path, tools=[counted.tool]) as made:
        recorded = answers(made, asked(made).number)
        assert "characters elided" in canonical(to_json(model.requests[-1].messages))
    for branch in ("side", "third"):  # what repeats can be repeated too
        with TemporarySession(model="", folder=tmp_path, tools=[counted.tool]) as made:
            side_branch(made, branch)
            run = asked(made, replay="only")
            assert answers(made, run.number) == recorded
            assert all(step.repeats for step in run.models)


def test_only_repeats_a_run_step_by_step_and_refuses_before_the_first_missing_one(session, counted):
    side_branch(session, "side")
    session.restart(ScriptedModel([]))
    run = go(session.ask("How many?", cell_id="a", replay="only"))
    assert run.answer == "It is seven."
    with pytest.raises(NotRecorded, match="differs from what is recorded"):
        go(session.ask("How much?", cell_id="a", replay="only"))
    side_branch(session, "side-2")
    counted.says = "eight"
    with pytest.raises(RunFailed, match=r"its next model answer is not recorded.*--replay auto"):
        go(session.ask("How many?", cell_id="a", replay="only"))
    session.restart(ScriptedModel([say("It is eight.")]))
    assert go(session.ask("How many?", cell_id="a")).answer == "It is eight."


def test_a_repeated_wish_to_write_still_asks_for_permission():
    sent = []

    @statebook.tool(effect="write")
    def send(word: str) -> str:
        """Send."""
        sent.append(word)
        return "sent"

    from statebook.errors import RunPaused
    from statebook.testing import Answer

    model = ScriptedModel([call("send", {"word": "a"}), say("Sent.")])
    with TemporarySession(model=model, tools=[send], answers=[Answer("allow", "test")]) as session:
        go(session.ask("Send it", cell_id="a"))
        side_branch(session, "side")
        session.restart(ScriptedModel([]))
        session._given = False
        with pytest.raises(RunPaused, match="waits for an approval"):
            go(session.ask("Send it", cell_id="a"))
        assert sent == ["a"]


def request(call_id="call_1", item=None, extra=None, thought="", **fields):
    parts = (Reasoning(thought, item), ToolCall(call_id, "look", "{}", extra))
    messages = (user("Hi"), Message("assistant", parts), Message("tool", (ToolResult(call_id, "look", "x"),)))
    return ModelRequest("You are.", messages, **fields)


def test_what_a_provider_makes_up_is_not_part_of_the_question():
    plain = request_key(request())
    assert request_key(request("fc_77")) == plain
    assert request_key(request(item={"id": "rs_1", "encrypted_content": "gAAA"}, extra={"signature": "x"})) == plain
    assert request_key(request(cache_key="a", idempotency_key="b", max_output_tokens=5)) == plain


@pytest.mark.parametrize(
    "other",
    [
        request(thought="Hm."),
        request(temperature=0.1),
        request(answer=AnswerForm("json")),
        ModelRequest("You are.", (*request().messages, Message("user", (Text("x"), File("d", "image/png", "x"))))),
        ModelRequest("You were.", request().messages),
    ],
)
def test_what_is_asked_is(other):
    assert request_key(other) != request_key(request())


def test_calls_that_change_places_are_another_conversation():
    def two(first, second):
        calls = Message("assistant", (ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")))
        results = Message("tool", (ToolResult("a", "look", first), ToolResult("b", "look", second)))
        return request_key(ModelRequest("", (calls, results)))

    assert two("x", "y") != two("y", "x")
