"""%agent approve, reject and settle in a real IPython shell where nobody can be asked: what waits, how it goes on."""

import asyncio

import pytest
from statebook.errors import UsageError
from statebook.protocol.approvals import Answer
from statebook.testing import ScriptedModel, call, say

pytestmark = pytest.mark.slow  # stories of several runs

TOOL = """
import statebook
sent = []
@statebook.tool
def send(word: str) -> str:
    "Send."
    sent.append(word)
    return f"sent {word}"
@statebook.tool
def tell(word: str) -> str:
    "Tell."
    sent.append(word)
    return f"told {word}"
@statebook.tool(effect="read")
def look(word: str) -> str:
    "Look."
    sent.append(word)
    return f"saw {word}"
"""
SEND = call("send", {"word": "x"})


@pytest.fixture
def tools(cell):
    cell(TOOL)


@pytest.fixture
def sent(shell):
    """What the tools did."""
    return lambda: shell.user_ns["sent"]


@pytest.fixture
def again(shell, capsys):
    """A new kernel on the same notebook: the extension loaded anew, with these steps to come; what opening said."""

    def begin(*steps):
        shell.run_line_magic("unload_ext", "statebook")
        shell.run_line_magic("load_ext", "statebook")
        capsys.readouterr()
        shell._statebook.magics.session().use(ScriptedModel(steps))
        return "".join(capsys.readouterr())

    return begin


@pytest.fixture
def left(shell, use, again, monkeypatch):
    """A run whose kernel died during these calls: their intents are on disk, their results are not."""

    def die(*calls, then=()):
        session = use(call(*calls))
        commit = session.store.commit

        class Died(BaseException):
            pass

        def dying(events, **options):
            if any(event.kind == "tool_finished" for _, event in events):
                raise Died
            return commit(events, **options)

        monkeypatch.setattr(session.store, "commit", dying)
        monkeypatch.setattr(session.store, "settle", lambda *_: None)
        shell.run_cell("%agent tools allow *")
        with pytest.raises(Died):
            asyncio.run(session.execute(shell._statebook.magics.call(_flags(), "Go", session), _silent(), _silent()))
        return again(*then)

    return die


def _flags():
    from statebook.magic.grammar import parse_cell_line

    return parse_cell_line("")


def _silent():
    from statebook.run.seams import Silent

    return Silent()


# -- approvals ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tools")
def test_a_run_pauses_and_says_what_to_type_and_an_approval_goes_on(cell, use, sent):
    use(SEND, say("Done."))
    _, out = cell("%%agent\nGo")
    assert "r1 is paused: send waits for an approval. Answer with `%agent approve r1.2` or `%agent reject r1.2`." in out
    assert "To go on: %agent approve r1.2 or %agent reject r1.2" in out
    assert "r1.2 waits  send word='x': may it be made?" in repr(cell("%agent")[0])
    assert "%agent approve r1.2" in cell("%agent show r1")[1]
    assert "Done." in cell("%agent approve r1.2 be brief")[1]
    assert sent() == ["x"]
    assert "waits" not in repr(cell("%agent")[0])


@pytest.mark.usefixtures("tools")
def test_it_can_be_answered_in_another_kernel_which_says_so_when_it_opens(cell, use, again, sent, shell):
    use(SEND)
    cell("%%agent --branch side\nGo")
    cell("%%agent --branch main -m offline:\nSomething else")
    told = again(say("Sent it.", expect="don't tell"))
    assert "r1 is paused on side (`%agent switch side` first): send waits for an approval: `%agent approve" in told
    assert "To go on: %agent approve r1.2 or %agent reject r1.2" in cell("%agent show r1")[1]
    assert "has its answer. On other branches: r1 on side (`%agent switch`)." in cell("%agent resume")[1]
    _, out = cell("%agent approve don't tell")
    assert "r1 stands on side: `%agent switch side` first, then `%agent approve r1.2`." in out
    assert sent() == []
    assert "Now at side" in cell("%agent switch side --yes")[1]
    assert "Sent it." in cell("%agent approve don't tell")[1]
    assert sent() == ["x"]
    session = shell._statebook.magics.session()
    kinds = [(e.event.kind, e.branch == session.run(1).branch) for e in session.store.journal.entries_of_run(1)]
    asked = kinds.index(("approval_asked", True))
    assert [kind for kind, _ in kinds[asked:]].count("approval_asked") == 1
    assert ("approval_decided", True) in kinds
    assert session.run(1).calls[0].via == "command"


@pytest.mark.usefixtures("tools")
def test_a_rejection_tells_the_model_why(cell, use, sent):
    use(SEND, say("I won't.", expect="it isn't ready"))
    cell("%%agent\nGo")
    assert "I won't." in cell("%agent reject r1 it isn't ready")[1]
    assert sent() == []


@pytest.mark.usefixtures("tools")
def test_of_several_each_is_named_and_the_run_goes_on_after_the_last(cell, use, sent):
    use(call("send", {"word": "a"}, "tell", {"word": "b"}, "send", {"word": "c"}), say("Done."))
    _, out = cell("%%agent\nGo")
    assert "Answer with `%agent approve r1.2` or `%agent reject r1.2`; 2 more wait: `%agent status`." in out
    _, out = cell("%agent approve")
    assert "3 calls wait: r1.2 send word='a', r1.3 tell word='b', r1.4 send word='c'." in out
    assert "Say which: `%agent approve r1.2`, or `%agent approve --all`." in out
    _, out = cell("%agent reject r1.3")
    assert "Kept. r1 still waits: send word='a': `%agent approve r1.2` or `%agent reject r1.2`; send word='c'" in out
    assert "was decided on already (rejected)" in cell("%agent approve r1.3")[1]
    assert "Done." in cell("%agent approve r1 --all")[1]
    assert sorted(sent()) == ["a", "c"]


@pytest.mark.usefixtures("tools")
def test_always_counts_for_the_other_calls_of_that_tool_and_for_later_ones(cell, use, sent, shell):
    use(call("send", {"word": "a"}, "send", {"word": "b"}), SEND, say("Done."))
    cell("%%agent\nGo")
    assert "Done." in cell("%agent approve r1.2 --always")[1]
    assert sorted(sent()) == ["a", "b", "x"]
    session = shell._statebook.magics.session()
    assert [grant.tool for grant in session.permissions.grants()] == ["send"]
    kinds = [entry.event.kind for entry in session.store.journal.entries_of_run(1)]
    assert kinds.count("grant_given") == 1
    assert "approval_asked" not in kinds[kinds.index("run_resumed") :]


@pytest.mark.usefixtures("tools")
def test_all_runs_at_once_and_one_that_pauses_again_stops_none(cell, use, sent):
    use(SEND, SEND, call("send", {"word": "y"}), say("Second done."))
    cell("%%agent\nFirst")
    cell("%%agent\nSecond")
    _, out = cell("%agent approve --all")
    assert "r1 is paused: send waits for an approval." in out
    assert "Second done." in out
    assert sent() == ["x", "x"]
    assert "r1.4 waits" in repr(cell("%agent")[0])


# -- calls in doubt ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tools")
def test_what_came_of_a_call_in_doubt_is_its_result(left, cell, sent, shell):
    told = left("send", {"word": "x"}, then=[say("Settled.", expect="sent at 12:03")])
    assert "r1 was cut off after 1 finished step, with send (r1.2) in doubt:" in told
    assert "`%agent settle r1.2 happened` (or `retry`, or `skip`) says what happened, `%agent resume r1` asks." in told
    assert "send word='x': did it happen?" in repr(cell("%agent")[0])
    out = cell("%agent show r1")[1]
    assert "r1 was cut off" in out
    assert "%agent settle r1.2 happened" in out
    assert "Settled." in cell('%agent settle r1.2 happened "sent at 12:03"')[1]
    assert sent() == ["x"]
    result = shell._statebook.magics.session().run(1).calls[0].result
    assert (result.status, result.text.splitlines()[-1]) == ("ok", "sent at 12:03")


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("choice", "sends"), [("retry", 2), ("skip", 1)])
def test_a_call_in_doubt_is_made_again_or_left(left, cell, sent, choice, sends):
    left("send", {"word": "x"}, then=[say("Settled.")])
    assert "Settled." in cell(f"%agent settle {choice}")[1]
    assert len(sent()) == sends


@pytest.mark.usefixtures("tools")
def test_a_paused_doubt_goes_on_after_its_settlement_only_with_all_others_settled(left, cell, sent):
    left("send", {"word": "a"}, "send", {"word": "b"}, then=[say("Settled.")])
    sends = len(sent())
    assert "waits for a word on a call in doubt" in cell("%agent resume")[1]
    assert "Say which: `%agent settle r1.2 skip`." in cell("%agent settle skip")[1]
    assert "Kept. r1 still waits: send word='b'" in cell("%agent settle r1.2 skip")[1]
    assert "Settled." in cell("%agent settle happened")[1]
    assert len(sent()) == sends


@pytest.mark.usefixtures("tools")
def test_it_is_settled_with_its_tool_brought_back(left, cell, sent):
    left("send", {"word": "x"}, then=[say("Settled.")])
    cell("del send")
    settled = cell("%agent settle retry")[1]
    assert "Settled." in settled
    assert "Brought back from the kernel before: send." in settled
    assert sent() == ["x", "x"]


@pytest.mark.usefixtures("tools")
def test_it_is_settled_without_its_tool_and_not_made_again_without_it(left, cell, sent):
    cell("%config Statebook.snapshots = 'off'")  # nothing to bring the tool back from
    left("send", {"word": "x"}, then=[say("Settled.")])
    cell("del send")
    assert "the tool send is not defined in this kernel" in cell("%agent settle retry")[1]
    assert "r1.2 was decided on already (to be run again)" in cell("%agent settle r1.2 skip")[1]
    assert sent() == ["x"]
    cell(TOOL.partition("sent = []")[2])
    assert "Settled." in cell("%agent resume r1")[1]
    assert sent() == ["x", "x"]


@pytest.mark.usefixtures("tools")
def test_a_stop_at_the_question_of_a_call_in_doubt_leaves_it_open(cell, left, shell, use, monkeypatch):
    left("send", {"word": "x"}, then=[say("Settled.")])

    async def pressed(*_):
        raise asyncio.CancelledError

    asker = type("Person", (), {"ask": pressed})()
    monkeypatch.setattr(shell._statebook.magics, "asker", lambda: asker)
    _, out = cell("%agent resume r1")
    assert "send is in doubt: `%agent settle r1.2 happened` (or `retry`, or `skip`) says what happened" in out
    assert "--fresh" not in out, "no flag of a line"
    assert "r1.2 waits" in repr(cell("%agent")[0])
    shown = cell("%agent show r1")[1]
    assert "r1 was interrupted" in shown
    assert "To go on: %agent settle r1.2 retry, %agent settle r1.2 happened or %agent settle r1.2 skip" in shown
    use(say("Another."))
    cell("%%agent\nSomething else")
    assert "r1.2 waits" in repr(cell("%agent")[0]), "also when it is not the newest run"
    use(say("Settled."))
    assert "Settled." in cell("%agent settle happened at noon")[1]


# -- what does not fit -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tools")
def test_what_does_not_fit_is_one_line_that_says_what_to_type_and_loses_nothing(cell, left, shell):
    left("look", {"word": "x"}, then=[call("send", {"word": "y"}), say("Over.")])
    lines = {
        "%agent settle r1.2 skip": "r1.2 is in doubt, and may be made again: nobody need decide. `%agent resume r1`",
        "%agent approve": "No question is open. `%agent status` says what waits",
        "%agent settle r1.7 skip": "r1.7 is not a tool call. Its run called: r1.2.",
        "%agent approve r9": "There is no run r9.",
        "%agent approve r1.x": "'r1.x' is not a call.",
        "%agent settle r1.2": "What came of the call?",
        "%agent settle r1.2 hapened": "is not one of retry, happened, skip.",
        "%agent approve --alwys": "No flag of",
    }
    cell("%agent tools ask *")
    for line, told in lines.items():
        _, out = cell(line)
        assert told in out, line
        assert len(out.strip().splitlines()) == 1, out
    cell("%agent tools allow look")
    cell("%agent resume r1")
    last = len(shell._statebook.magics.session().run(1).calls)
    assert last == 2
    lines = {
        "%agent settle skip": "No call is in doubt. Open is another question: send word='y': `%agent approve r1.4`",
        "%agent settle r1 skip": "No call of r1 is in doubt. Open is another question:",
        "%agent settle r1.4 skip": "r1.4 waits for an approval. Type `%agent approve r1.4` or `%agent reject r1.4`.",
        "%agent approve r1.2": "r1.2 has its result (ok).",
    }
    for line, told in lines.items():
        assert told in cell(line)[1], line
    assert "Over." in cell("%agent approve")[1]
    assert "r1.4 has its result (ok). `%agent show r1` draws it." in cell("%agent approve r1.4")[1]
    assert "No question of r1 is open." in cell("%agent approve r1")[1]


@pytest.mark.usefixtures("tools")
def test_what_the_agent_runs_cannot_answer_for_a_person(cell, use, sent, shell):
    session = use(SEND, call("python", {"code": "%agent approve r1.2"}), say("Tried."))
    cell("%%agent\nFirst")
    cell("%agent tools allow python")
    assert "Tried." in cell("%%agent\nSecond")[1]
    assert "Code that the agent runs can't start or steer an agent." in session.run(2).calls[0].result.text
    assert sent() == []
    assert session.run(1).calls[0].decision is None
    session._active = 2
    try:
        for line in ("approve r1.2", "reject", "settle skip", "tools allow *", "limits notebook --none", "new side"):
            with pytest.raises(UsageError, match="still running"):
                shell.run_line_magic("agent", line)
    finally:
        session._active = 0


LATER = """
import threading
found, may_go = [], threading.Event()
def answer():
    may_go.wait(20)
    for line in ("approve --all --always", "tools allow *", "limits notebook --none"):
        try:
            get_ipython().run_line_magic("agent", line)
        except Exception as error:
            found.append(str(error))
thread = threading.Thread(target=answer)
thread.start()
import contextvars
context = contextvars.copy_context()
"""


@pytest.mark.usefixtures("tools")
def test_what_outlives_the_agents_code_cannot_answer_for_a_person(cell, use, sent, shell):
    session = use(call("python", {"code": LATER}, "send", {"word": "x"}))
    cell("%agent tools allow python")
    assert "send waits for an approval" in cell("%%agent\nGo")[1]
    shell.user_ns["may_go"].set()
    shell.user_ns["thread"].join(20)
    shell.user_ns["context"].run(shell.user_ns["answer"])  # as a task does that the code has started
    told = [f"Only a person can write %agent {line}." for line in ("approve", "tools", "limits")]
    assert [error.partition(" Write it")[0] for error in shell.user_ns["found"]] == told * 2
    assert sent() == []
    assert session.run(1).calls[1].decision is None


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("happened it's $5 {x} {{y}} @z", "it's $5 {x} {{y}} @z"),
        ("happened \"it's 'here'\"", "it's 'here'"),
        ("happened 'a' and 'b'", "'a' and 'b'"),
        ("happened 3 mails went out?", "3 mails went out?"),
        ("happened", ""),
    ],
)
def test_words_arrive_as_they_were_written(left, cell, shell, line, words):
    left("send", {"word": "x"}, then=[say("Settled.")])
    assert "Settled." in cell(f"%agent settle r1.2 {line}")[1]
    assert shell._statebook.magics.session().run(1).calls[0].word == words


@pytest.mark.usefixtures("tools")
def test_a_call_named_after_the_choice_is_that_call_and_not_the_only_one(left, cell, sent):
    left("send", {"word": "x"}, then=[say("Settled.")])
    assert "r1.4 is not a tool call." in cell("%agent settle retry r1.4")[1]
    assert sent() == ["x"]
    assert "Settled." in cell("%agent settle retry r1.2")[1]
    assert sent() == ["x", "x"]


@pytest.mark.usefixtures("tools")
def test_the_calls_that_wait_are_completed(cell, use, shell):
    from IPython.core.completer import provisionalcompleter

    def tab(code):
        with provisionalcompleter():
            return [found.text for found in shell.Completer.completions(code, len(code))]

    assert tab("%agent approve r") == []
    use(SEND)
    cell("%%agent\nGo")
    assert tab("%agent approve ")[0] == "r1.2"
    assert tab("%agent reject r") == ["r1.2"]
    assert tab("%agent settle ")[:3] == ["retry", "happened", "skip"]
    assert tab("%agent settle r1.2 ha") == ["happened"]
    assert "--always" in tab("%agent approve r1.2 --")


@pytest.mark.usefixtures("tools")
def test_where_a_person_is_there_nothing_changes(use, sent, shell):
    class Person:
        async def ask(self, question, run):
            return Answer("allow", "", "card")

    session = use(SEND, say("Done."))
    magics = shell._statebook.magics
    run = asyncio.run(session.execute(magics.call(_flags(), "Go", session), _silent(), Person()))
    assert (run.status, run.calls[0].via, sent()) == ("done", "card", ["x"])
