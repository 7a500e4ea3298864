"""Ceilings over all runs: of a session on all its branches, of a notebook in all its sessions."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import statebook
from statebook.config import Settings
from statebook.errors import ModelError, RunFailed, RunPaused
from statebook.protocol.calls import AgentCall, Limits
from statebook.protocol.models import Cost, Spent, Usage
from statebook.run.seams import Silent
from statebook.session.notebook.identity import Notebook
from statebook.session.registry import Registry
from statebook.session.toolset import Surfaces
from statebook.testing import ScriptedModel, TemporarySession, call, fail, hang, say

pytestmark = pytest.mark.slow  # stories of several runs

PRICES = (1.0, 10.0)
USED = Usage(20_000, 0, 1000)
EACH = 0.03
"""US dollars of one answer."""


def answer():
    return say("ok", usage=USED)


@pytest.fixture
def session():
    with TemporarySession(model=ScriptedModel([answer() for _ in range(4)], prices=PRICES)) as made:
        made.model.verify = lambda: None
        yield made


@pytest.fixture
def go():
    async def bounded(work):
        async with asyncio.timeout(30):
            return await work

    return lambda work: asyncio.run(bounded(work))


def spent(session, scope="session"):
    return next(each.spent for each in session.spending.scopes() if each.scope == f"this {scope}")


# -- one session -------------------------------------------------------------------------------------------------


def test_a_session_stops_at_its_budget_and_goes_on_when_it_is_raised(session, go):
    session.session.spending.set("session", Limits(dollars=0.05))
    go(session.ask("One"))
    go(session.ask("Two"))
    with pytest.raises(RunPaused) as paused:
        go(session.ask("Three"))
    assert "$0.0600 spent by this session, the budget is $0.05; `%agent limits session --budget 0.10` raises it" in str(
        paused.value
    )
    assert len(session.model.requests) == 2
    session.session.spending.set("session", Limits(dollars=0.1))
    assert go(session.resume(3)).status == "done"
    assert session.model.requests[2].max_output_tokens * 10 / 1e6 <= 0.04


def test_it_does_not_count_anew_from_a_resumption(session, go):
    session.session.spending.set("session", Limits(tokens=22_000))
    go(session.ask("One"))
    for attempt in (session.ask("Two"), session.resume(2), session.resume(2)):
        with pytest.raises(RunPaused, match=r"21000 tokens used by this session and about \d+ to send"):
            go(attempt)
    assert len(session.model.requests) == 1


def test_a_session_stops_at_its_steps_also_inside_a_batch_and_in_the_next_kernel(go):
    done = []

    @statebook.tool(effect="read")
    async def look(word: str) -> str:
        """Look."""
        done.append(word)
        return word

    looks = call("look", {"word": "a"}, "look", {"word": "b"}, "look", {"word": "c"})
    with TemporarySession(model=ScriptedModel([say("One."), looks, say("Done.")]), tools=[look]) as session:
        session.session.spending.set("session", Limits(steps=3))
        go(session.ask("One"))
        raised = "`%agent limits session --max-steps 6` raises it"
        with pytest.raises(RunPaused, match=f"the limit of this session is 3 steps, and more calls are open; {raised}"):
            go(session.ask("Two"))
        assert done == ["a"]
        session.restart()
        with pytest.raises(RunPaused, match=f"3 steps done by this session, the limit is 3; {raised}") as paused:
            go(session.resume(2))
        assert str(paused.value).endswith("Then go on with `%agent resume r2`.")
        assert (done, spent(session.session).steps) == (["a"], 3)
        session.session.spending.set("session", Limits(steps=6))
        assert go(session.resume(2)).status == "done"
        assert (done, spent(session.session).steps) == (["a", "b", "c"], 6)


def test_a_session_stops_a_tool_and_a_model_at_its_time(go):
    @statebook.tool(effect="read")
    async def sleep() -> None:
        """Never ends."""
        await asyncio.sleep(3600)

    steps = [call("sleep", {}), hang("So far "), say("Done.")]
    with TemporarySession(model=ScriptedModel(steps), tools=[sleep]) as session:
        session.session.spending.set("session", Limits(seconds=0.2))
        raised = (
            "the time limit of this session, 0.2 seconds, was reached; `%agent limits session --timeout 0.4` raises it"
        )
        with pytest.raises(RunPaused, match=raised):
            go(session.ask("Go"))
        with pytest.raises(RunPaused, match=r"0 seconds worked by this session, the limit is 0\.2; `%agent limits"):
            go(session.resume(1, limits=Limits(seconds=60)))
        session.session.spending.set("session", Limits(seconds=0.6))
        with pytest.raises(RunPaused, match=r"the time limit of this session, 0\.6 seconds"):
            go(session.resume(1))
        assert spent(session.session).seconds >= 0.6  # what the model that hung took is counted
        session.session.spending.set("session", Limits(seconds=60))
        assert go(session.resume(1)).answer == "Done."


def test_a_call_that_broke_off_is_counted_by_an_estimate_that_is_told_as_one(go):
    broken = ModelError("It broke off.", fault="reset")
    with TemporarySession(model=ScriptedModel([fail(broken, text="Half"), say("Done.", usage=USED)])) as session:
        with pytest.raises(RunFailed):
            go(session.ask("Go"))
        sent = session.session.run(1).models[0].estimate
        assert spent(session.session) == Spent(sent, sent, 0, pytest.approx(0, abs=20), Cost(unknown=1))
        session.session.spending.set("session", Limits(tokens=sent))
        with pytest.raises(RunPaused, match=f"about {sent} tokens used by this session"):
            go(session.resume(1))
        session.session.spending.set("session", Limits())
        go(session.resume(1))
        assert spent(session.session).told == f"about {21_000 + sent:,}"


def test_a_rewind_neither_pays_back_nor_lifts_the_ceiling(session, go):
    go(session.ask("One", cell_id="a"))
    session.session.spending.set("session", Limits(tokens=43_500))
    go(session.ask("One", cell_id="a", fresh=True))  # a branch that leaves before the first answer and the limit
    assert session.store.journal.branch.name != "main"
    assert session.store.run_numbers() == [2]
    assert (spent(session.session).tokens, spent(session.session).cost) == (42_000, Cost(pytest.approx(2 * EACH)))
    with pytest.raises(RunPaused, match="42000 tokens used by this session"):
        go(session.ask("More"))


def test_a_replayed_answer_is_free_and_passes_below_a_reached_ceiling(session, go):
    go(session.ask("One", cell_id="a"))
    session.session.spending.set("session", Limits(dollars=0.01))
    assert go(session.ask("One", cell_id="a")).replayed
    assert spent(session.session).cost == Cost(pytest.approx(EACH))


def test_a_ceiling_outlives_the_kernel_and_can_be_taken_away(session, go):
    session.session.spending.set("session", Limits(tokens=100))
    session.restart()
    with pytest.raises(RunPaused, match="the limit is 100"):
        go(session.ask("One"))
    session.session.spending.set("session", Limits())
    assert session.session.spending.ceilings() == []
    assert go(session.resume(1)).status == "done"


def test_the_tightest_of_run_session_and_notebook_holds(session, go):
    session.session.spending.set("session", Limits(dollars=10))
    session.session.spending.set("notebook", Limits(dollars=0.02))
    go(session.ask("One", limits=Limits(dollars=1)))
    most = session.model.requests[0].max_output_tokens
    assert 16 < most <= 2000
    assert most * 10 / 1e6 <= 0.02


# -- one notebook, several sessions ------------------------------------------------------------------------------


class Kernel:
    """A kernel's registry with sessions of one notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = Registry(Surfaces(None, dict, list), lambda _notice: None)

    def open(self, store: str, notebook: str = "notes", answers: int = 3):
        here = Notebook(
            self.folder / f"{notebook}.ipynb", self.folder / f"{store}.statebook.duckdb", "named by the test"
        )
        session = self.registry.open(here, replace(Settings(), model="offline:"))
        session.use(ScriptedModel([answer() for _ in range(answers)], prices=PRICES))
        return session


@pytest.fixture
def kernel(tmp_path):
    made = Kernel(tmp_path)
    yield made
    made.registry.close()


def ask(go, session, prompt):
    return go(session.execute(AgentCall(prompt), Silent(), Silent()))


def test_sessions_of_one_notebook_share_its_ceiling(kernel, go):
    first, second, stranger = kernel.open("notes"), kernel.open("notes-2"), kernel.open("other", "other")
    first.spending.set("notebook", Limits(tokens=45_000))
    ask(go, first, "One")
    ask(go, stranger, "Elsewhere")
    ask(go, second, "Two")
    for session in (first, second):
        assert (spent(session, "notebook").tokens, spent(session).tokens) == (42_000, 21_000)
        assert session.spending.limits("notebook") == Limits(tokens=45_000)
        ask_more = AgentCall("Three, " + "and more. " * 900)
        with pytest.raises(RunPaused, match="42000 tokens used by this notebook"):
            go(session.execute(ask_more, Silent(), Silent()))
    assert spent(stranger, "notebook").tokens == 21_000
    assert stranger.spending.limits("notebook") == Limits()


def test_a_closed_session_of_the_notebook_counts_and_its_newer_limit_holds(kernel, go):
    first = kernel.open("notes")
    ask(go, first, "One")
    first.spending.set("notebook", Limits(dollars=7))
    kernel.registry.close()
    second = kernel.open("notes-2")
    assert spent(second, "notebook").cost == Cost(pytest.approx(EACH))
    assert second.spending.limits("notebook") == Limits(dollars=7)
    second.spending.set("notebook", Limits(dollars=9))
    assert second.spending.limits("notebook") == Limits(dollars=9)
    kernel.registry.close()
    assert kernel.open("notes").spending.limits("notebook") == Limits(dollars=9)


def test_a_store_is_read_again_only_when_its_file_has_changed(kernel, go, monkeypatch):
    ask(go, kernel.open("notes"), "One")
    kernel.registry.close()
    second = kernel.open("notes-2")
    assert spent(second, "notebook").tokens == 21_000
    monkeypatch.setattr("statebook.session.spending.Store", None)  # any further opening would fail
    assert spent(second, "notebook").tokens == 21_000


def test_a_session_that_another_kernel_holds_counts_as_last_known_else_is_named(kernel, go, tmp_path):
    ask(go, kernel.open("notes"), "One")
    kernel.registry.close()
    second = kernel.open("notes-2")
    path = tmp_path / "notes.statebook.duckdb"
    code = (
        "import sys, pathlib; from statebook.store.store import Store; store = Store(pathlib.Path(sys.argv[1]));"
        " print('held', flush=True); sys.stdin.read(); store.close()"
    )
    held = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert held.stdout.readline() == b"held\n"
        assert spent(second, "notebook").tokens == 0
        assert second.spending.unread == ("notes.statebook.duckdb",)
    finally:
        held.stdin.close()
        assert held.wait(30) == 0
    assert spent(second, "notebook").tokens == 21_000
    assert second.spending.unread == ()
    again = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert again.stdout.readline() == b"held\n"
        assert spent(second, "notebook").tokens == 21_000  # as last known
    finally:
        again.stdin.close()
        assert again.wait(30) == 0


def test_a_store_with_a_notebook_of_its_own_is_left_alone(kernel, go, tmp_path, monkeypatch):
    ask(go, kernel.open("other", "other"), "Elsewhere")
    kernel.registry.close()
    (tmp_path / "other.ipynb").write_text("{}")
    session = kernel.open("notes")
    monkeypatch.setattr("statebook.session.spending.Store", None)  # any opening would fail
    assert spent(session, "notebook").tokens == 0
    assert session.spending.unread == ()


def test_a_file_that_is_no_store_is_passed_over(kernel, tmp_path):
    (tmp_path / "broken.statebook.duckdb").write_bytes(b"not a database")
    session = kernel.open("notes")
    assert spent(session, "notebook").tokens == 0
    assert session.spending.unread == ("broken.statebook.duckdb",)


def test_the_limit_that_is_proposed_is_enough(session, go):
    go(session.ask("One"))
    go(session.ask("Two"))
    session.session.spending.set("session", Limits(dollars=0.01))
    with pytest.raises(RunPaused, match=r"--budget 0.08` raises it. Then go on with `%agent resume r3`"):
        go(session.ask("Three"))
