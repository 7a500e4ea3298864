"""What a person sees of a call that takes its time, and an answer that does not end."""

import asyncio
import re
import time
from contextlib import suppress

import pytest
import statebook
from statebook.errors import RunFailed, RunPaused
from statebook.protocol.calls import Limits
from statebook.run import patience
from statebook.run.asking import draft
from statebook.run.patience import duration
from statebook.run.seams import Silent
from statebook.testing import call, hang, say

from .conftest import kinds


@pytest.fixture
def told(monkeypatch):
    """The progress lines of a session whose patience is short."""
    monkeypatch.setattr(patience, "_FIRST", 0.15)
    monkeypatch.setattr(patience, "_BETWEEN", 0.05)
    lines = []

    class Sink(Silent):
        def progress(self, run, text):
            lines.append(text)

    def watch(session):
        session.sink = Sink()
        return lines

    return watch


def test_a_tool_that_says_nothing_is_told_to_run_and_one_that_does_keeps_its_words(session_of, go, told):
    @statebook.tool(effect="read")
    async def slow(ctx: statebook.ToolContext) -> str:
        """Slow."""
        await asyncio.sleep(0.3)
        ctx.progress("3 of 5")
        await asyncio.sleep(0.2)
        return "done"

    session = session_of(call("slow"), say("ok"), tools=[slow])
    lines = told(session)
    assert go(session.ask("Go")).answer == "ok"
    assert re.fullmatch(r"for \d s", lines[0])
    assert re.fullmatch(r"3 of 5 · for \d s", lines[-1])


def test_a_model_that_says_nothing_is_told_of_until_it_does(session_of, go, told):
    session = session_of(hang("Half "), say("Whole."))
    lines = told(session)
    with pytest.raises(RunPaused, match=r"time limit of 0\.5 seconds"):
        go(session.ask("Go", limits=Limits(seconds=0.5)))
    assert {line.rstrip("0123456789 s") for line in lines} == {"no word from the model for"}
    assert go(session.resume(1, limits=Limits(seconds=30))).answer == "Whole."


@pytest.mark.parametrize("kind", ["sync Python", "blocks in C", "swallows cancellation"])
def test_a_tool_that_never_returns_is_left_at_the_time_limit(session_of, go, kind):
    ended = []

    @statebook.tool(effect="read")
    def spins() -> None:
        """Never."""
        while not ended:
            sum(range(1000))

    @statebook.tool(effect="read")
    def blocks() -> None:
        """A call in C that takes no signal."""
        time.sleep(3)

    @statebook.tool(effect="read")
    async def swallows() -> None:
        """Heeds nobody."""
        while not ended:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    tool = {"sync Python": spins, "blocks in C": blocks, "swallows cancellation": swallows}[kind]
    session = session_of(call(tool.spec.name), say("ok", expect="Stopped at the time limit"), tools=[tool])

    async def both():
        with pytest.raises(RunPaused, match=r"time limit of 0.3 seconds .*`%agent resume r1`"):
            await session.ask("Go", limits=Limits(seconds=0.3))
        assert session.session.run(1).calls[0].result.status == "interrupted"
        run = await session.resume(1, limits=Limits(seconds=30))
        ended.append(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return run

    began = time.monotonic()
    assert go(both()).answer == "ok"
    assert time.monotonic() - began < 2.9 or kind != "blocks in C"  # that of C was not waited for


def test_an_answer_that_does_not_end_is_stopped_and_the_session_goes_on(session_of, go, monkeypatch):
    monkeypatch.setattr(draft, "LONGEST", 500)
    session = session_of(say("word " * 5000), say("Short."), call("look", {"word": "x" * 600}), say("Next."))
    with pytest.raises(RunFailed, match=r"did not come to an end.*What had arrived is kept.*--max-tokens"):
        go(session.ask("Go"))
    assert 0 < len(session.session.run(1).models[0].partial) < 600
    assert go(session.ask("Go")).answer == "Short."
    with pytest.raises(RunFailed, match="did not come to an end"):  # nor do a call's arguments
        go(session.ask("Other"))
    assert kinds(session, 2).count("model_failed") == 1
    assert go(session.ask("Other")).answer == "Next."


@pytest.mark.parametrize(("seconds", "words"), [(10.2, "10 s"), (119, "119 s"), (180, "3 min"), (7200, "120 min")])
def test_times_read_as_people_say_them(seconds, words):
    assert duration(seconds) == words
