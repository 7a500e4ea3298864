"""`%agent compact`: a text in the place of the runs, the runs themselves kept, back with --undo or a rewind."""

import asyncio
import json
import subprocess
import sys

import pytest
from statebook.errors import ModelError, RunFailed, RunPaused, UsageError
from statebook.protocol.calls import AgentCall, Limits
from statebook.run.seams import Silent
from statebook.session.conversation.compact import compact, undo
from statebook.session.conversation.preview import foresee
from statebook.testing import ScriptedModel, TemporarySession, fail, hang, say

pytestmark = pytest.mark.slow  # stories of several runs

SUMMARY = "The person wants boats. The red one sank in 1912 [S1.1]."

IN_ANOTHER_PROCESS = """
import json, sys
from statebook.protocol.calls import AgentCall
from statebook.testing import ScriptedModel, TemporarySession
session = TemporarySession(model=ScriptedModel([]), folder=sys.argv[1])
window = session.session.preview(AgentCall("And now?", tools=()))
print(json.dumps([window.digest, [message.text for message in window.request.messages]]))
session.close()
"""


@pytest.fixture
def session_of(tmp_path):
    """Makes a session of these scripted answers in the test's folder."""
    opened = []

    def make(*steps, **fields):
        opened.append(TemporarySession(model=ScriptedModel(steps), folder=tmp_path, **fields))
        return opened[-1]

    yield make
    for session in opened:
        session.__exit__(Exception, None, None)


def go(work):
    async def bounded():
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(bounded())


def stop(work, asked):
    """Begin some work and stop it as soon as the model was asked."""

    async def stopped():
        task = asyncio.create_task(work)
        await asked.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        go(stopped())


def compacted(session, **fields):
    return go(compact(session.session, Silent(), Silent(), **fields))


def shown(session, prompt="And now?"):
    """The texts of the messages that the next cell would send."""
    return [message.text for message in session.session.preview(AgentCall(prompt, tools=())).request.messages]


def test_the_model_sums_up_in_a_run_of_its_own_without_tools(session_of):
    session = session_of(say("Red."), say("Blue."), say(SUMMARY))
    go(session.ask("Which boat?"))
    go(session.ask("And the other?"))
    assert compacted(session) == 3
    request = session.model.requests[-1]
    assert request.tools == ()
    assert "Sum up our conversation up to r2" in request.messages[-1].text
    assert [message.text for message in request.messages[:4]] == ["Which boat?", "Red.", "And the other?", "Blue."]
    run = session.session.run(3)
    assert (run.status, run.answer, run.started.label) == ("done", SUMMARY, "compacted to r2")


def test_models_see_the_text_and_later_runs_from_then_on(session_of):
    session = session_of(say("Red."), say(SUMMARY), say("Green."))
    go(session.ask("Which boat?"))
    compacted(session)
    go(session.ask("And the third?"))
    front, *rest = shown(session)
    assert "up to r2" in front
    assert rest == [SUMMARY, "And the third?", "Green.", "And now?"]
    window, _ = foresee(session.session, AgentCall("And now?", tools=()))
    assert "The runs up to r2 are shown as `%agent compact` has summed them up." in window.notes
    assert window.origins[0] == "up to r2"


def test_the_runs_themselves_stay_as_they_are(session_of):
    session = session_of(say("Red."), say(SUMMARY))
    go(session.ask("Which boat?", cell_id="a"))
    before = session.store.sql("SELECT seq, kind, body FROM events WHERE run = 1 ORDER BY seq").to_csv()
    compacted(session)
    assert session.store.sql("SELECT seq, kind, body FROM events WHERE run = 1 ORDER BY seq").to_csv() == before
    assert go(session.ask("Which boat?", cell_id="a")).answer == "Red."
    assert session.store.verify().whole


def test_undo_shows_the_runs_again_and_once(session_of):
    session = session_of(say("Red."), say(SUMMARY), say("Green."))
    go(session.ask("Which boat?"))
    compacted(session)
    go(session.ask("And the third?"))
    assert undo(session.session) == 2
    texts = shown(session)
    assert texts[:2] == ["Which boat?", "Red."]
    assert texts[-3:] == ["And the third?", "Green.", "And now?"]
    with pytest.raises(UsageError, match="Nothing is compacted"):
        undo(session.session)


def test_a_line_that_leaves_before_it_has_the_runs(session_of):
    session = session_of(say("Red."), say(SUMMARY), say("Rot."))
    go(session.ask("Which boat?", cell_id="a"))
    compacted(session)
    go(session.ask("Which boat?", cell_id="a", fresh=True))
    assert shown(session) == ["Which boat?", "Rot.", "And now?"]
    session.store.journal.switch(session.store.journal.branches[1])
    assert shown(session)[1] == SUMMARY


def test_it_holds_in_another_process(session_of, tmp_path):
    session = session_of(say("Red."), say(SUMMARY), say("Green."))
    go(session.ask("Which boat?"))
    compacted(session)
    go(session.ask("And the third?"))
    here = session.session.preview(AgentCall("And now?", tools=()))
    session.close()
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    digest, texts = json.loads(done.stdout)
    assert digest == here.digest
    assert texts[1:] == [SUMMARY, "And the third?", "Green.", "And now?"]


def test_it_is_summed_up_again_with_what_came_later(session_of):
    session = session_of(say("Red."), say(SUMMARY), say("Green."), say("All of it."))
    go(session.ask("Which boat?"))
    compacted(session)
    with pytest.raises(UsageError, match="Nothing was asked since"):
        compacted(session)
    go(session.ask("And the third?"))
    assert compacted(session) == 4
    assert [message.text for message in session.model.requests[-1].messages[1:4]] == [
        SUMMARY,
        "And the third?",
        "Green.",
    ]
    assert shown(session)[1:] == ["All of it.", "And now?"]


def test_a_failed_one_changes_nothing_and_is_gone_on_with(session_of):
    session = session_of(say("Red."), fail(ModelError("Away.")), say(SUMMARY))
    go(session.ask("Which boat?"))
    with pytest.raises(RunFailed):
        compacted(session)
    assert session.store.as_of_head.compacted() is None
    assert shown(session)[:2] == ["Which boat?", "Red."]
    assert compacted(session) == 2
    assert shown(session)[1] == SUMMARY


def test_a_stopped_one_changes_nothing(session_of):
    asked = asyncio.Event()
    session = session_of(say("Red."), hang("The per", expect=lambda _request: asked.set()))
    go(session.ask("Which boat?"))
    stop(compact(session.session, Silent(), Silent()), asked)
    assert session.store.as_of_head.compacted() is None


def test_an_empty_summary_is_refused(session_of):
    session = session_of(say("Red."), say("  "))
    go(session.ask("Which boat?"))
    with pytest.raises(RunFailed, match="r2"):
        compacted(session)
    assert session.store.as_of_head.compacted() is None


def test_its_limits_hold(session_of):
    session = session_of(say("Red."))
    go(session.ask("Which boat?"))
    with pytest.raises(RunPaused):
        compacted(session, limits=Limits(tokens=1))
    assert session.store.as_of_head.compacted() is None


def test_there_must_be_something_to_sum_up(session_of):
    with pytest.raises(UsageError, match="no conversation to compact"):
        compacted(session_of())


def test_the_offline_model_makes_an_outline_without_a_run(tmp_path):
    (tmp_path / "boats.md").write_text("# Boats\n\nThe red boat sank in 1912.\n")
    with TemporarySession(folder=tmp_path) as session:
        go(session.ask("Which boat sank?"))
        assert compacted(session) == 1
        assert session.store.run_numbers() == [1]
        assert shown(session)[1] == "r1 asked: Which boat sank?\nAnswer: The red boat sank in 1912. [S1.1]"
        recap = go(session.ask("What did you find so far?"))
        assert "1912" in recap.answer
        assert not recap.unknown


def test_a_run_from_before_goes_on_as_it_was(session_of):
    asked = asyncio.Event()
    session = session_of(say("Red."), hang("Blu", expect=lambda _request: asked.set()), say(SUMMARY), say("Blue."))
    go(session.ask("Which boat?"))
    stop(session.ask("And the other?"), asked)
    compacted(session)
    run = go(session.resume(2))
    assert run.answer == "Blue."
    assert [message.text for message in session.model.requests[-1].messages] == [
        "Which boat?",
        "Red.",
        "And the other?",
    ]
