"""Unchanged cells answer from the journal: which run belongs to which cell, forks, and the way back."""

import asyncio

import pytest
from statebook.errors import ModelError, RunFailed, UnknownName, UsageError
from statebook.testing import ScriptedModel, TemporarySession, fail, say


@pytest.fixture
def session():
    """A session whose model says One., Two., ... and is never asked more than three times."""
    with TemporarySession(model=ScriptedModel([say("One."), say("Two."), say("Three.")])) as made:
        yield made
        made.model = ""  # not every test asks three times


def ask(session, prompt, cell="", **fields):
    run = asyncio.run(session.ask(prompt, cell_id=cell, **fields))
    return run.answer, run.replayed


def test_an_unchanged_cell_replays_and_an_edited_one_asks(session):
    assert ask(session, "Hi", "a") == ("One.", False)
    assert ask(session, "Hi", "a") == ("One.", True)
    assert ask(session, "Hi ", "a") == ("One.", True)
    assert ask(session, "Hi!", "a") == ("Two.", False)
    session.restart()
    assert ask(session, "Hi!", "a") == ("Two.", True)
    assert ask(session, "Hi", "a") == ("One.", True)


@pytest.mark.parametrize("changed", [{"model": "offline:"}, {"tools": ()}, {"temperature": 0.5}])
def test_what_is_asked_differently_is_asked_anew(session, changed):
    ask(session, "Hi", "a")
    assert ask(session, "Hi", "a", **changed)[1] is False


@pytest.mark.parametrize("same", [{"label": "x"}, {"source": "%%agent -v"}])
def test_what_does_not_change_the_question_replays(session, same):
    ask(session, "Hi", "a")
    assert ask(session, "Hi", "a", **same)[1] is True


def test_two_cells_with_one_text_have_an_answer_each(session):
    assert ask(session, "Hi", "a") == ("One.", False)
    assert ask(session, "Hi", "b") == ("Two.", False)
    session.restart()
    assert ask(session, "Hi", "b") == ("Two.", True)
    assert ask(session, "Hi", "a") == ("One.", True)


def test_without_ids_run_all_finds_each_its_own_in_order(session):
    assert [ask(session, "Hi")[0] for _ in range(3)] == ["One.", "Two.", "Three."]
    session.restart()
    assert [ask(session, "Hi") for _ in range(3)] == [("One.", True), ("Two.", True), ("Three.", True)]


def test_new_ids_from_a_front_end_find_the_old_runs(session):
    ask(session, "Hi", "a")
    ask(session, "Ho", "b")
    session.restart()
    assert ask(session, "Hi", "x") == ("One.", True)
    assert ask(session, "Ho", "y") == ("Two.", True)


def test_fresh_forks_and_the_old_answer_stays(session):
    ask(session, "Before", "z")
    ask(session, "Hi", "a")
    assert ask(session, "Hi", "a", fresh=True) == ("Three.", False)
    request = session.model.requests[-1]
    assert [message.text for message in request.messages] == ["Before", "One.", "Hi"]
    journal = session.store.journal
    assert [line.name for line in journal.branches.values()] == ["main", "main-2"]
    assert ask(session, "Hi", "a") == ("Three.", True)
    assert ask(session, "Hi", "a", branch="main") == ("Two.", True)
    assert session.store.run_numbers() == [1, 2]


def test_a_named_branch_is_started_and_found_again(session):
    ask(session, "Hi", "a")
    ask(session, "On the side", "b", branch="side")
    assert session.store.journal.branch.name == "side"
    assert ask(session, "Hi", "a", branch="main") == ("One.", True)
    assert session.store.run_numbers() == [1]
    session.restart()
    assert ask(session, "On the side", "b", branch="side") == ("Two.", True)


def test_a_replay_says_how_many_runs_are_newer(session):
    ask(session, "Hi", "a")
    assert asyncio.run(session.ask("Hi", cell_id="a")).notes == []
    ask(session, "Ho", "b")
    ask(session, "Hu", "c")
    notes = asyncio.run(session.ask("Hi", cell_id="a")).notes
    assert notes == ["Recorded before 2 newer runs (up to r3); --fresh asks again."]
    session.restart()
    assert asyncio.run(session.ask("Hi", cell_id="a")).notes == []  # as on Run All


def test_a_run_without_an_answer_is_gone_on_with_by_its_cell():
    steps = [fail(ModelError("no")), say("Yes."), fail(ModelError("no")), say("Yes, again.")]
    with TemporarySession(model=ScriptedModel(steps)) as session:
        for cell in ("a", ""):
            with pytest.raises(RunFailed):
                asyncio.run(session.ask(f"Hi {cell}", cell_id=cell))
            run = asyncio.run(session.ask(f"Hi {cell}", cell_id=cell))
            assert (run.answer.startswith("Yes"), run.number, run.replayed) == (True, 1 if cell else 2, False)


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        ({"prompt": "  "}, UsageError, "The cell is empty"),
        ({"prompt": "Hi", "model": "opnai:x"}, UnknownName, "Did you mean 'openai'"),
        ({"prompt": "Hi", "model": "gpt"}, UsageError, "not a model name"),
        ({"prompt": "Hi", "tools": ("sqll",)}, UnknownName, "Did you mean 'sql'"),
    ],
)
def test_a_call_that_makes_no_sense_records_nothing(session, fields, error, told):
    with pytest.raises(error, match=told):
        asyncio.run(session.ask(**fields))
    assert session.store.run_numbers() == []


def test_resume_needs_a_run_without_an_answer(session):
    with pytest.raises(UsageError, match="There is no run r7"):
        asyncio.run(session.resume(7))
    ask(session, "Hi")
    with pytest.raises(UsageError, match="r1 has its answer"):
        asyncio.run(session.resume(1))
