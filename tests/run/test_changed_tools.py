"""Calls in doubt whose tool is gone or another in the next kernel, and several at once: none is silently repeated."""

import pytest
import statebook
from statebook.errors import RunPaused
from statebook.protocol.approvals import Answer, Rule
from statebook.testing import call, say

from .conftest import kinds
from .test_recovery import Died, dies_during


def redefine(session, tool):
    """In the new kernel the tool of that name is this one."""
    session.tools[:] = [each for each in session.tools if each.spec.name != tool.spec.name]
    session.tools.append(tool)


@pytest.fixture
def in_doubt(session_of, go):
    """A session whose one call of this tool is in doubt."""

    def make(name, *steps, **options):
        session = session_of(call(name, {"word": "x"}), *steps, **options)
        dies_during(session, go, name)
        return session

    return make


@pytest.mark.parametrize("name", ["look", "send"])
def test_while_its_tool_is_gone_nothing_is_decided_for_it(in_doubt, go, ledger, name):
    session = in_doubt(name, say("ok"), check=False)
    session.tools.clear()
    with pytest.raises(RunPaused, match=f"the tool {name} is not defined in this kernel"):
        go(session.resume(1))
    assert ledger == [(name, "x")]
    assert session.session.run(1).calls[0].in_doubt


def test_a_settled_call_needs_its_tool_no_more(in_doubt, go, ledger):
    session = in_doubt("send", say("ok", expect="I saw it"), answers=[Answer("happened", "I saw it")])
    store_settled(session, go)
    session.tools.clear()
    assert go(session.resume(1)).status == "done"
    assert ledger == [("send", "x")]


def store_settled(session, go):
    """The person answers, and the kernel dies before anything is done by it."""
    commit = session.store.commit

    def until_decided(events, **options):
        if events[0][1].kind == "tool_finished":
            raise Died
        return commit(events, **options)

    session.store.commit = until_decided
    with pytest.raises(Died):
        go(session.resume(1))
    session.restart()
    assert kinds(session, 1)[-1] == "approval_decided"


def test_arguments_that_no_longer_fit_are_not_called_wrong_but_in_doubt(in_doubt, go, ledger):
    session = in_doubt("look", say("ok", expect="It is not known whether this call happened"))

    @statebook.tool(name="look", effect="read")
    async def newer(other: int) -> str:
        """Another signature."""
        ledger.append(("look", other))
        return "never"

    redefine(session, newer)
    result = go(session.resume(1)).calls[0].result
    assert (result.status, ledger) == ("in_doubt", [("look", "x")])
    assert "no such parameter" in result.text


@pytest.mark.parametrize(("choice", "told"), [("happened", "confirmed"), ("skip", "Skipped"), ("retry", "again")])
def test_a_write_whose_arguments_no_longer_fit_is_asked_about_and_never_made(in_doubt, go, ledger, choice, told):
    session = in_doubt("send", say("ok", expect=told), answers=[Answer(choice)])
    verified = []

    @statebook.tool(name="send", verify=lambda *given: verified.append(given) or False)
    async def newer(other: int) -> str:
        """Another signature."""
        ledger.append(("send", other))
        return "never"

    redefine(session, newer)
    assert go(session.resume(1)).calls[0].result.status == ("ok" if choice == "happened" else "in_doubt")
    assert (ledger, verified) == ([("send", "x")], [])  # its verify knows other arguments
    assert "it can't be run again" in session.questions[0].reason


@pytest.mark.parametrize("name", ["put"])
def test_a_tool_that_has_become_a_write_is_asked_about(in_doubt, go, ledger, name):
    session = in_doubt(name, say("ok"))

    @statebook.tool(name=name)
    async def writes(word: str = "") -> str:
        """Now with an effect."""
        ledger.append((name, word))
        return "done"

    redefine(session, writes)
    with pytest.raises(RunPaused, match="waits for a word on a call in doubt"):
        go(session.resume(1))
    assert ledger == [(name, "x")]
    session.answers.append(Answer("skip"))
    go(session.resume(1))
    assert ledger == [(name, "x")]
    assert session.questions[0].effect == "write"


def test_a_rule_set_since_keeps_a_call_in_doubt_from_being_made_again(in_doubt, go, ledger):
    session = in_doubt("look", say("ok", expect="can't be made again"))
    session.session.permissions.set(Rule("look", "deny"))
    assert go(session.resume(1)).calls[0].result.status == "in_doubt"
    assert ledger == [("look", "x")]


def test_two_parallel_writes_in_doubt_are_two_questions(session_of, go, ledger):
    def never(*_given):
        raise Died

    session = session_of(call("send", {"word": "a"}, "look", {"word": "b"}, "send", {"word": "c"}), say("ok"))
    commit = session.store.commit
    session.store.commit = lambda events, **more: (
        never() if events[0][1].kind == "tool_finished" else commit(events, **more)
    )
    session.store.settle = never
    with pytest.raises(Died):
        go(session.ask("Go"))
    session.restart()
    sent = ledger.count_of("send")
    with pytest.raises(RunPaused, match="in doubt"):
        go(session.resume(1))
    assert ledger.count_of("send") == sent
    assert kinds(session, 1).count("approval_asked") == 2  # both are put, not one after the other's answer
    session.answers.extend([Answer("happened"), Answer("skip")])
    results = [each.result.status for each in go(session.resume(1)).calls]
    assert results == ["ok", "ok", "in_doubt"]
    assert ledger.count_of("send") == sent


def test_a_rule_set_after_an_approval_still_denies(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}), say("ok", expect="Denied by a rule"), allow=False)
    session.answers.append(Answer("allow"))
    commit = session.store.commit

    def until_decided(events, **options):
        if any(event.kind == "tool_intended" for _, event in events):
            raise Died
        return commit(events, **options)

    session.store.commit = until_decided
    with pytest.raises(Died):
        go(session.ask("Go"))
    session.restart()
    session.session.permissions.set(Rule("send", "deny"))
    assert go(session.resume(1)).calls[0].result.status == "denied"
    assert ledger == []


def test_what_a_person_says_with_their_yes_reaches_the_model(session_of, go):
    steps = call("send", {"word": "x"}), say("ok", expect="The person who allowed this says: be brief")
    session = session_of(*steps, allow=False, answers=[Answer("allow", "be brief", "test")])
    assert go(session.ask("Go")).calls[0].result.text.startswith("sent x\n")
