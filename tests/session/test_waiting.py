"""What waits, as a session tells it when it opens, and the lines that a pause names."""

import asyncio

import pytest
import statebook
from statebook.errors import RunPaused
from statebook.protocol.approvals import Answer, Rule
from statebook.protocol.calls import Limits
from statebook.session.waiting import decide, waiting_in
from statebook.testing import ScriptedModel, TemporarySession, call, say


@statebook.tool
async def send(word: str) -> str:
    """Send."""
    return word


@statebook.tool(effect="read")
async def look() -> str:
    """Look."""
    return "seen"


@pytest.fixture
def session_of():
    """Makes a session of these steps where nobody is there."""
    made = []

    def make(*steps):
        session = TemporarySession(model=ScriptedModel(steps), tools=[send, look])
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


def asks(word):
    return call("send", {"word": word})


def paused(work):
    with pytest.raises(RunPaused) as found:
        asyncio.run(work)
    return str(found.value)


def die_in_a_batch(session):
    """The kernel dies after the intents are on disk."""

    class Died(BaseException):
        pass

    def dead(*_args, **_more):
        raise Died

    commit = session.store.commit
    session.store.commit = lambda events, **more: (
        dead() if any(event.kind == "tool_finished" for _, event in events) else commit(events, **more)
    )
    session.store.settle = dead
    with pytest.raises(Died):
        asyncio.run(session.ask("Go"))
    session.restart()


def test_open_questions_of_all_branches_are_one_line(session_of):
    session = session_of(asks("a"), asks("b"), asks("c"), asks("d"))
    for branch in ("one", "two", "three", "four"):
        paused(session.ask(branch, branch=branch))
    session.restart()
    assert session.notices == [
        "4 questions wait: r1.2 (send), r2.2 (send), r3.2 (send), ...; `%agent status` says what to type."
    ]
    first = waiting_in(session.session.run(1))[0]
    assert (first.name, first.asked) == ("r1.2", True)
    decide(session.store, [first], Answer("reject", "no", "test"))
    entry = session.store.journal.entries_of_run(1)[-1]
    assert (entry.event.choice, entry.step, entry.branch) == ("reject", 2, session.session.run(1).branch)
    assert session.session.run(1).branch != session.store.journal.current
    assert waiting_in(session.session.run(1)) == []
    assert len(session.session.asking()) == 4  # one of them needs no answer any more
    session.restart()
    assert session.notices[-1].startswith("3 questions wait")


def test_a_dead_kernels_line_names_every_call_in_doubt(session_of):
    session = session_of(call("send", {"word": "a"}, "look", {}, "send", {"word": "b"}))
    session.session.permissions.set(Rule("*", "allow"))
    die_in_a_batch(session)
    (told,) = session.notices
    assert "after 1 finished step, with send (r1.2) and look (r1.3) and send (r1.4) in doubt: " in told
    ways = "`%agent settle r1.2 happened` (or `retry`, or `skip`) says what happened, `%agent resume r1` asks."
    assert told.endswith(ways)
    assert [each.asked for each in waiting_in(session.session.run(1))] == [False, False]


def test_what_a_pause_names(session_of):
    session = session_of(call("look", {}), call("send", {"word": "a"}, "send", {"word": "b"}), say("Done."))
    told = paused(session.ask("Go", limits=Limits(steps=2)))
    assert told == "r1 is paused: 2 steps done, the limit is 2. Go on with `%agent resume r1`."
    told = paused(session.resume(1, limits=Limits(steps=9)))
    assert told.endswith("Answer with `%agent approve r1.4` or `%agent reject r1.4`; 1 more waits: `%agent status`.")
    decide(session.store, waiting_in(session.session.run(1))[:1], Answer("allow", "", "test"))
    session.tools.remove(send)
    told = paused(session.resume(1))
    assert "the tool send is not defined in this kernel" in told
    assert told.endswith(
        "Then go on with `%agent resume r1`. Also open: `%agent approve r1.5` or `%agent reject r1.5`."
    )


def test_one_yes_for_several_calls_is_one_grant(session_of):
    session = session_of(call("send", {"word": "a"}, "send", {"word": "b"}), say("Done."))
    paused(session.ask("Go"))
    decide(session.store, waiting_in(session.session.run(1)), Answer("allow_always", "", "test"))
    assert [grant.tool for grant in session.session.permissions.grants()] == ["send"]
    assert asyncio.run(session.resume(1)).status == "done"
