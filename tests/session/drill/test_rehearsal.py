"""A recorded run is carried out again by stand-ins, whatever happened in it, and nothing outside is touched."""

import asyncio
import json
from dataclasses import replace

import pytest
from pydantic import BaseModel, field_validator
from statebook.errors import ModelError, RunFailed, RunPaused, UsageError
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AnswerForm, Limits
from statebook.protocol.journal.events import ToolIntended
from statebook.run.seams import Silent
from statebook.session.conversation.compact import compact
from statebook.session.drill.recording import read
from statebook.store.store import Store
from statebook.testing import Answer, call, fail, say

pytestmark = pytest.mark.slow  # stories of several runs


def ask(session, prompt="Do it.", **fields):
    return asyncio.run(session.ask(prompt, **fields))


def names(rehearsal):
    return [step.tool or "model" for step in rehearsal.steps]


def test_a_run_with_parallel_calls_and_an_approval(session_of, rehearse, tools, acts):
    session = session_of(
        call("look", {"word": "boat"}, "put", {"word": "x"}, text="First."),
        call("send_mail", {"to": "me"}),
        say("All done."),
        tools=tools.values(),
        answers=[Answer("allow")],
    )
    ask(session)
    done = list(acts)
    recording, rehearsal = rehearse(session)
    assert acts == done
    assert (rehearsal.status, rehearsal.answer) == ("done", "All done.")
    assert names(rehearsal) == ["model", "look", "put", "model", "send_mail", "model"]
    assert rehearsal.acts == {"0.1", "0.2", "1.1"}
    assert [step.asked for step in rehearsal.steps if step.tool] == [False, False, True]
    assert not rehearsal.difference(recording, "All done.")
    assert session.store.run_numbers() == [1]


def test_a_refused_call_a_misfit_and_an_unknown_tool(session_of, rehearse, tools):
    session = session_of(
        call("send_mail", {"to": "me"}, "look", {"wrong": 1}, "nothing_like_it", {}),
        say("As you wish."),
        tools=tools.values(),
        answers=[Answer("reject", "not today")],
    )
    ask(session)
    _, rehearsal = rehearse(session)
    assert (rehearsal.status, rehearsal.answer, rehearsal.acts) == ("done", "As you wish.", frozenset())
    assert [(step.tool, step.begun) for step in rehearsal.steps if step.tool] == [
        ("send_mail", False), ("look", False), ("nothing_like_it", False)
    ]  # fmt: skip


def test_a_rule_that_denies_denies_again(session_of, rehearse, tools):
    session = session_of(call("look", {"word": "a"}), say("No."), tools=tools.values())
    session.session.permissions.set(Rule("look", "deny"))
    ask(session)
    _, rehearsal = rehearse(session)
    assert (rehearsal.answer, rehearsal.acts) == ("No.", frozenset())


def test_a_failed_run_fails_again_and_tries_before_an_answer_do_not_count(session_of, rehearse, tools):
    session = session_of(
        call("look", {"word": "a"}), fail(ModelError("It is gone.", fault="unknown_model")), tools=tools.values()
    )
    with pytest.raises(RunFailed):
        ask(session)
    recording, rehearsal = rehearse(session)
    assert (rehearsal.status, names(rehearsal)) == ("failed", ["model", "look"])
    assert not rehearsal.difference(recording, "")


def test_a_run_that_was_gone_on_with_after_a_failure(session_of, rehearse, tools):
    session = session_of(call("look", {"word": "a"}), fail(ModelError("Gone.")), say("Back."), tools=tools.values())
    with pytest.raises(RunFailed):
        ask(session)
    asyncio.run(session.resume(1))
    _, rehearsal = rehearse(session)
    assert (rehearsal.status, rehearsal.answer, names(rehearsal)) == ("done", "Back.", ["model", "look", "model"])


def test_what_is_recorded_of_a_run_that_waits_for_an_approval(session_of, rehearse, tools):
    session = session_of(call("look", {"word": "a"}), call("send_mail", {"to": "me"}), tools=tools.values())
    with pytest.raises(RunPaused):
        ask(session)
    recording, rehearsal = rehearse(session)
    assert (rehearsal.status, names(rehearsal)) == ("unfinished", ["model", "look", "model"])
    assert not rehearsal.difference(recording, "")


def test_what_is_recorded_of_a_run_at_its_limit_and_a_spent_session_stops_no_drill(session_of, rehearse, tools):
    session = session_of(
        call("look", {"word": "a"}, "look", {"word": "b"}), say("Never."), tools=tools.values(), limits=Limits(2)
    )
    with pytest.raises(RunPaused):
        ask(session)
    session.session.spending.set("session", Limits(tokens=1))
    _, rehearsal = rehearse(session)
    assert (rehearsal.status, names(rehearsal)) == ("unfinished", ["model", "look"])


def test_a_run_that_a_dead_kernel_left_in_doubt(session_of, rehearse, tools):
    session = session_of(call("look", {"word": "a"}, "put", {"word": "b"}), tools=tools.values())
    killed = _dies_after_intents(session)
    assert killed.models[0].calls[1].in_doubt
    _, rehearsal = rehearse(session)
    assert (rehearsal.status, names(rehearsal)) == ("unfinished", ["model"])


def test_a_call_that_a_person_settled_is_one_that_was_made(session_of, rehearse, tools):
    session = session_of(
        call("send_mail", {"to": "me"}), say("I take it that it is sent."), tools=tools.values(),
        answers=[Answer("allow")],
    )  # fmt: skip
    _dies_after_intents(session)
    session.answers = [Answer("happened", "I saw it")]
    session.restart()
    asyncio.run(session.resume(1))
    _, rehearsal = rehearse(session)
    assert (rehearsal.status, rehearsal.answer) == ("done", "I take it that it is sent.")
    assert [(step.tool, step.begun) for step in rehearsal.steps if step.tool] == [("send_mail", True)]


def _dies_after_intents(session):
    commit = session.store.commit

    def until_intents(events, **fields):
        entries = commit(events, **fields)
        if any(isinstance(event, ToolIntended) for _, event in events):
            raise SystemError("the kernel is dead")
        return entries

    session.store.commit = until_intents
    with pytest.raises(SystemError):
        ask(session)
    session.store.commit = commit
    return session.store.run(1)


def test_memory_state_and_a_big_output_come_from_the_recording(session_of, rehearse, tmp_path):
    from statebook.protocol.tools import ArtifactData, ToolOutcome, ToolSpec

    picture = bytes(400_000)

    class Painter:
        spec = ToolSpec("paint", "Paints.", {"type": "object", "properties": {}}, "read")

        async def call(self, arguments, ctx):
            return ToolOutcome("painted", artifacts=(ArtifactData(picture, "image/png", "p"),), state={"n": 1})

    session = session_of(
        call("paint", {}), call("remember", {"text": "Boats are red."}), say("Kept."), tools=[Painter()]
    )
    ask(session)
    objects = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.objects/*/*")}
    _, rehearsal = rehearse(session)
    assert rehearsal.answer == "Kept."
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.objects/*/*")} == objects
    copy = Store(tmp_path / "scratch-1" / "drill.statebook.duckdb")
    assert [memory.text for memory in copy.as_of_head.memories()] == ["Boats are red."]
    assert copy.as_of_head.tool_state("paint") == {"n": 1}
    assert copy.artifacts.get(copy.run(2).calls[0].result.artifacts[0]) == picture
    copy.close()
    assert [memory.text for memory in session.store.as_of_head.memories()] == ["Boats are red."]


def test_files_are_not_written_again(session_of, rehearse, tmp_path):
    session = session_of(
        call("write_file", {"path": "notes.md", "text": "Red."}), say("Written."), answers=[Answer("allow")]
    )
    ask(session)
    (tmp_path / "notes.md").unlink()
    _, rehearsal = rehearse(session)
    assert rehearsal.answer == "Written."
    assert not list(tmp_path.rglob("notes.md"))


def test_a_typed_answer_that_its_class_sent_back(session_of, rehearse):
    class Boat(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def long(cls, name):
            assert len(name) > 3
            return name

    def check(text):
        return "" if "Anna" in text else "the name is too short"

    session = session_of(say('{"name": "A"}'), say('{"name": "Anna"}'))
    form = AnswerForm("json", "Boat", Boat.model_json_schema(), "pydantic model")
    from statebook.protocol.calls import AgentCall

    asyncio.run(session.session.execute(AgentCall("Which?", answer=form), Silent(), Silent(), check))
    _, rehearsal = rehearse(session)
    assert (rehearsal.answer, names(rehearsal)) == ('{"name": "Anna"}', ["model", "model"])


def test_a_summary_and_a_run_after_it_and_one_on_another_branch(session_of, rehearse):
    session = session_of(say("Red."), say("They spoke of boats."), say("Blue."), say("Green."))
    ask(session, "Which boat?")
    asyncio.run(compact(session.session, Silent(), Silent()))
    ask(session, "And now?")
    ask(session, "Another?", branch="aside")
    for number, answer in ((2, "They spoke of boats."), (3, "Blue."), (4, "Green."), (1, "Red.")):
        assert rehearse(session, number)[1].answer == answer


def test_the_offline_model_with_sources(session_of, rehearse, tmp_path):
    (tmp_path / "boats.md").write_text("# Boats\n\nThe red boat sank in 1912 near the harbour of Bergen.\n")
    session = session_of(model="offline:")
    run = ask(session, "When did the red boat sink?")
    (tmp_path / "boats.md").unlink()
    recording, rehearsal = rehearse(session)
    assert "1912" in rehearsal.answer
    assert not rehearsal.difference(recording, run.answer)


def test_a_recording_that_is_not_whole_says_so_in_one_line(session_of, tools):
    session = session_of(call("look", {"word": "a"}), say("Done."), tools=tools.values())
    run = ask(session)
    key = next(iter(json.loads(row[0])["tools"] for row in _requests(session.store)))
    session.store.database.write("DELETE FROM artifact WHERE digest = ?", [key])
    with pytest.raises(UsageError, match=r"r1 can't be drilled, as its recording is not whole: Artifact .* is not in"):
        read(session.store, run.number)


def _requests(store):
    return store.database.rows("SELECT body FROM journal WHERE kind = 'model_requested'")


def test_a_rehearsal_that_ends_otherwise_is_told(session_of, rehearse):
    session = session_of(say("Red."))
    ask(session)
    recording, rehearsal = rehearse(session)
    assert "another answer" in rehearsal.difference(recording, "Blue.")
    longer = replace(recording, answers=recording.answers * 2)
    assert "only 1 of its 2" in rehearsal.difference(longer, "Red.")
