"""After a death at any commit: finished steps stay finished, a write in doubt is never repeated silently."""

import asyncio
import shutil
import threading

import pytest
import statebook
from statebook.errors import RunPaused, StoreFull
from statebook.protocol.approvals import Answer, Rule
from statebook.protocol.calls import Limits
from statebook.protocol.messages import Message, Text, ToolCall, ToolResult
from statebook.protocol.models import Completion, TextDelta, Usage
from statebook.testing import ScriptedModel, TemporarySession, call, say

from .conftest import kinds, orphans

pytestmark = pytest.mark.slow  # stories of several runs

STAGES = (("look", "send"), ("put",), ("send", "look"), ())
"""What the model of these tests asks for, answer by answer; the last answer asks for nothing."""


class Planned:
    """Decides by what it is shown, as a real model does, so that any kernel can go on with it."""

    name, context_tokens = "planned:", 1_000_000

    def __init__(self):
        self.asked = []
        self.requests = []

    async def stream(self, request):
        self.requests.append(request)
        stage = sum(bool(message.calls) for message in request.messages)
        self.asked.append(stage)
        assert not orphans(request)
        yield TextDelta(f"stage {stage}")
        words = (Text(f"stage {stage}"),)
        calls = tuple(
            ToolCall(f"c{stage}{n}", name, f'{{"word":"{stage}{n}"}}') for n, name in enumerate(STAGES[stage])
        )
        yield Completion(Message("assistant", (*words, *calls)), Usage(1, 0, 1), "tool_calls" if calls else "end")


class Died(BaseException):
    """The kernel is gone: nothing more reaches the disk."""


def die_at(session, k, *, written):
    """Let the k-th commit be the last thing this kernel does; gives the list of acknowledged positions."""
    acknowledged, count = [], [0]
    store = session.store
    commit = store.commit

    def dying(events, **options):
        count[0] += 1
        if count[0] > k or (count[0] == k and not written):
            raise Died
        entries = commit(events, **options)
        if count[0] == k:
            raise Died
        acknowledged.extend(entry.seq for entry in entries)
        return entries

    def dead(*_args):
        if count[0] >= k:
            raise Died

    store.commit = dying
    draft = store.draft
    store.draft = lambda *args: (dead(), draft(*args))
    store.settle = dead
    return acknowledged


def settle_answers(session, ledger):
    """What an honest person says about each write in doubt: whether it stands in the ledger."""
    for number in session.store.open_runs():
        for record in session.session.run(number).calls:
            if record.in_doubt and record.call.name == "send":
                word = record.call.arguments.split('"')[3]
                yield Answer("happened" if ("send", word) in ledger else "retry", "", "test")


@pytest.mark.parametrize("written", [False, True], ids=["before-writing", "after-writing"])
@pytest.mark.parametrize("k", range(1, 19))
def test_death_at_each_commit(ledger, go, k, written):
    with TemporarySession(model=Planned(), tools=ledger.tools()) as session:
        session.session.permissions.set(Rule("*", "allow"))
        acknowledged = die_at(session, k, written=written)
        try:
            go(session.ask("Go"))
        except Died:
            pass
        else:
            pytest.skip("the run has fewer commits")

        session.restart(Planned())
        stored = {seq for (seq,) in session.store.database.rows("SELECT seq FROM journal")}
        assert set(acknowledged) <= stored
        done = finished(session)
        before = list(ledger)
        session.answers.extend(settle_answers(session, ledger))
        run = go(session.ask("Go"))

        assert (run.number, run.status, run.answer) == (1, "done", "stage 3")
        assert ledger.count_of("send") == len({word for tool, word in ledger if tool == "send"}) == 2
        again = ledger[len(before) :]
        assert not [happened for happened in again if happened in done]
        assert {question.kind for question in session.questions} <= {"in_doubt"}
        assert len(session.model.asked) == len(set(session.model.asked))
        assert session.store.verify().whole
        assert all(message_has_results(record) for record in run.models)


def finished(session):
    """(tool, word) of the calls whose result is on disk."""
    if not session.store.open_runs():
        return set()
    calls = session.session.run(1).calls
    return {(c.call.name, c.call.arguments.split('"')[3]) for c in calls if c.result is not None}


def message_has_results(record):
    return all(c.result is not None for c in record.calls)


def test_death_at_every_commit_was_tried(ledger, go):
    with TemporarySession(model=Planned(), tools=ledger.tools()) as session:
        session.session.permissions.set(Rule("*", "allow"))
        commits = []
        commit = session.store.commit
        session.store.commit = lambda events, **options: commits.append(1) or commit(events, **options)
        go(session.ask("Go"))
    assert len(commits) <= 18


def test_a_finished_model_step_is_not_asked_again_after_a_death(ledger, go):
    with TemporarySession(model=Planned(), tools=ledger.tools()) as session:
        session.session.permissions.set(Rule("*", "allow"))
        die_at(session, 3, written=True)  # run started, asked, answered
        with pytest.raises(Died):
            go(session.ask("Go"))
        session.restart(Planned())
        go(session.ask("Go"))
        assert session.model.asked == [1, 2, 3]


def dies_during(session, go, name):
    """Leave ``name`` in doubt: the kernel dies inside the call, which has done its work."""

    def dead(*_args, **_options):
        raise Died

    tool = next(tool for tool in session.tools if tool.spec.name == name)
    work = tool.function

    async def working(**arguments):
        await work(**arguments)
        session.store.commit = session.store.draft = session.store.settle = dead
        raise Died

    tool.function = working
    with pytest.raises(Died):
        go(session.ask("Go"))
    tool.function = work
    session.restart()


@pytest.mark.parametrize(("name", "times"), [("look", 2), ("put", 2)])
def test_a_call_in_doubt_that_may_be_repeated_is_made_again_with_the_same_key(session_of, go, ledger, name, times):
    session = session_of(call(name, {"word": "x"}), say("ok"))
    dies_during(session, go, name)
    assert session.notices == [
        (
            f"r1 was cut off after 1 finished step, with {name} (r1.2) in doubt:"
            " `%agent resume r1` goes on, and so does running its cell again."
        )
    ]
    assert go(session.resume(1)).status == "done"
    assert ledger.count_of(name) == times
    rows = session.store.database.rows("SELECT body->>'$.idempotency_key' FROM journal WHERE kind = 'tool_intended'")
    assert len(rows) == 2
    assert len(set(rows)) == 1


def test_a_write_in_doubt_waits_for_a_person_and_is_not_repeated(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}), say("ok", expect="confirmed"))
    dies_during(session, go, "send")
    for _ in range(2):
        with pytest.raises(RunPaused, match="r1 is paused: send waits for a word on a call in doubt"):
            go(session.resume(1))
        session.restart()
    assert session.store.sql("SELECT status FROM tool_calls").status.to_list() == ["in_doubt"]
    assert ledger == [("send", "x")]
    session.answers.append(Answer("happened", "I saw it", "test"))
    run = go(session.resume(1))
    assert run.status == "done"
    assert ledger == [("send", "x")]
    assert "I saw it" in run.calls[0].result.text
    assert kinds(session, 1).count("approval_asked") == 1


@pytest.mark.parametrize("expected", [("retry", 2, "ok"), ("skip", 1, "in_doubt")])
def test_the_person_decides_on_a_write_in_doubt(session_of, go, ledger, expected):
    choice, sends, status = expected
    session = session_of(call("send", {"word": "x"}), say("ok"))
    dies_during(session, go, "send")
    session.answers.append(Answer(choice, "", "test"))
    run = go(session.resume(1))
    assert ledger.count_of("send") == sends
    assert run.calls[0].result.status == status


def test_a_write_in_doubt_twice_is_asked_about_twice(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}), say("ok"))
    dies_during(session, go, "send")
    session.answers.append(Answer("retry", "", "test"))
    dies_again(session, go)
    session.answers.append(Answer("happened", "", "test"))
    go(session.resume(1))
    assert ledger.count_of("send") == 2
    assert [question.kind for question in session.questions] == ["in_doubt", "in_doubt"]
    assert kinds(session, 1).count("approval_asked") == 2


def dies_again(session, go):
    tool = next(tool for tool in session.tools if tool.spec.name == "send")
    work = tool.function

    async def working(**arguments):
        await work(**arguments)
        raise Died

    def dead(*_args, **_options):
        raise Died

    commit = session.store.commit

    def until_result(events, **options):
        return dead() if events[0][1].kind == "tool_finished" else commit(events, **options)

    tool.function, session.store.commit = working, until_result
    session.store.settle = dead
    with pytest.raises(Died):
        go(session.resume(1))
    tool.function = work
    session.restart()


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("told", [True, False])
def test_a_tool_that_can_verify_settles_its_own_doubt(session_of, go, ledger, told, awaited):
    keys = []

    def verify(arguments, key):
        keys.append((arguments, key))
        return asyncio.sleep(0, told) if awaited else told

    session = session_of(call("send", {"word": "x"}), say("ok"))
    next(tool for tool in session.tools if tool.spec.name == "send").verify = verify
    dies_during(session, go, "send")
    run = go(session.resume(1))
    assert run.status == "done"
    assert ledger.count_of("send") == (1 if told else 2)
    assert keys == [({"word": "x"}, f"{session.store.session_id}:1.2")]


@pytest.mark.parametrize("verdict", [None, "maybe", {}, RuntimeError("no connection"), SystemExit("none")])
def test_where_the_tool_cannot_tell_the_person_is_asked(session_of, go, ledger, verdict):
    def verify(_arguments, _key):
        if isinstance(verdict, BaseException):
            raise verdict
        return verdict

    session = session_of(call("send", {"word": "x"}), say("ok"))
    next(tool for tool in session.tools if tool.spec.name == "send").verify = verify
    dies_during(session, go, "send")
    session.answers.append(Answer("happened", "", "test"))
    go(session.resume(1))
    assert ledger.count_of("send") == 1


def test_a_verify_that_never_returns_is_left_at_the_time_limit(session_of, go, ledger):
    let_go = threading.Event()
    session = session_of(call("send", {"word": "x"}), check=False)
    next(tool for tool in session.tools if tool.spec.name == "send").verify = lambda *_: let_go.wait(60)
    dies_during(session, go, "send")
    with pytest.raises(RunPaused, match=r"the time limit of 0\.2 seconds was reached"):
        go(session.resume(1, limits=Limits(seconds=0.2)))
    let_go.set()
    assert ledger.count_of("send") == 1
    assert session.session.run(1).calls[0].in_doubt


@pytest.mark.parametrize("fresh", [False, True])
def test_a_rule_does_not_allow_a_write_again_that_is_in_doubt_in_another_run(session_of, go, ledger, fresh):
    wish = call("send", {"word": "x"})
    session = session_of(wish, wish, call("send", {"word": "x"}, "send", {"word": "y"}), say("ok"), check=False)
    dies_during(session, go, "send")
    with pytest.raises(RunPaused, match=r"waits for an approval; the same call is in doubt as r1\.2: it may have"):
        go(session.ask("go" if fresh else "an edited cell", fresh=fresh))
    assert ledger == [("send", "x")]
    session.answers += [Answer("allow", "", "test"), Answer("allow", "", "test")]
    go(session.resume(2))
    reasons = [question.reason for question in session.questions]
    assert reasons == ["the same call is in doubt as r1.2: it may have happened already"] * 2
    assert sorted(ledger) == [("send", "x")] * 3 + [("send", "y")]  # each that was allowed, and the one never in doubt


def test_a_rule_does_not_allow_a_write_again_that_was_skipped(session_of, go, ledger):
    wish = call("send", {"word": "x"})
    session = session_of(wish, wish, check=False)
    dies_during(session, go, "send")
    session.answers.append(Answer("skip", "", "test"))
    with pytest.raises(AssertionError, match="approval"):
        go(session.resume(1))
    assert ledger == [("send", "x")]


def test_a_tool_that_the_new_kernel_lacks_pauses_the_run_instead_of_failing_the_call(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}), say("ok"))
    dies_during(session, go, "send")
    tools, session.tools[:] = list(session.tools), []
    with pytest.raises(RunPaused, match="send is not defined in this kernel"):
        go(session.resume(1))
    session.tools.extend(tools)
    session.answers.append(Answer("happened", "", "test"))
    assert go(session.resume(1)).status == "done"
    assert ledger.count_of("send") == 1


def test_a_tool_redefined_as_harmless_does_not_lose_the_doubt(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}), say("ok"))
    dies_during(session, go, "send")
    sent = ledger.count_of("send")

    @statebook.tool(name="send", effect="read")
    async def harmless(word: str = "") -> str:
        """Send."""
        ledger.append(("send", word))
        return "sent"

    session.tools.append(harmless)
    with pytest.raises(RunPaused):
        go(session.resume(1))
    session.answers.append(Answer("skip", "", "test"))
    go(session.resume(1))
    assert ledger.count_of("send") == sent


def test_a_result_that_could_not_be_written_leaves_the_call_in_doubt(session_of, go, ledger):
    session = session_of(call("send", {"word": "x"}, "look", {"word": "y"}), say("ok"))
    commit = session.store.commit

    def full(events, **options):
        if events[0][1].kind == "tool_finished" and events[0][1].result.name == "send":
            raise StoreFull("The disk is full.")
        return commit(events, **options)

    session.store.commit = full
    with pytest.raises(StoreFull):
        go(session.ask("Go"))
    session.store.commit = commit
    assert next((c.call.name, c.in_doubt) for c in session.session.run(1).calls) == ("send", True)
    session.answers.append(Answer("happened", "", "test"))
    assert go(session.ask("Go")).status == "done"
    assert ledger.count_of("send") == 1


def test_text_that_was_drawn_before_a_death_is_kept_as_partial(session_of, go, monkeypatch):
    monkeypatch.setattr("statebook.run.asking.draft._PULSE", 0.0)
    monkeypatch.setattr("statebook.run.asking.draft._REST", 0)
    session = session_of(check=False)
    shown = []

    class Dies:
        name, context_tokens = "planned:", 1_000_000

        async def stream(self, request):
            for word in ("One ", "two ", "three "):
                yield TextDelta(word)
                await asyncio.sleep(0)
            shown.append(session.session.run(1).draft)
            session.store.commit = session.store.settle = dead
            raise Died

    def dead(*_args, **_options):
        raise Died

    session.restart(Dies())
    with pytest.raises(Died):
        go(session.ask("Go"))
    session.restart(Planned())
    run = go(session.resume(1))
    assert shown == ["One two three "]
    assert run.models[0].partial == "One two three "
    assert run.models[0].error == "kernel_died"
    assert not any(isinstance(p, ToolResult) for m in session.model.requests[0].messages for p in m.parts)


def test_a_call_in_doubt_keeps_its_key_in_a_copy_of_the_session(tmp_path, go):
    """A copy is a session of its own; but what may have happened did so under the key of its intent."""
    keys = []

    def happened(_arguments, key):
        keys.append(key)
        return True

    @statebook.tool(effect="write", verify=happened)
    async def send(word: str, *, ctx: statebook.ToolContext) -> str:
        """Send."""
        keys.append(ctx.idempotency_key)
        return f"sent {word}"

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    with TemporarySession(model=ScriptedModel([call("send", {"word": "x"})]), folder=first, tools=[send]) as session:
        session.session.permissions.set(Rule("*", "allow"))
        dies_during(session, go, "send")
        own = session.store.session_id
        session.close()
        shutil.copytree(first, second)
    with TemporarySession(model=ScriptedModel([say("ok")]), folder=second, tools=[send]) as copy:
        assert copy.store.session_id != own
        assert go(copy.resume(1)).status == "done"
    assert keys == [f"{own}:1.2"] * 2
