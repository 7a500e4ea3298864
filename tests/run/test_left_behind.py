"""Work that a stop does not end is left behind: it can hold nothing up, and record and draw nothing any more."""

import asyncio
import threading
from functools import cached_property

import pytest
import statebook
from statebook.errors import RunPaused
from statebook.protocol.calls import Limits
from statebook.protocol.models import TextDelta
from statebook.run.seams import Silent
from statebook.run.stopping import work as stopping
from statebook.run.stopping.lease import Lease
from statebook.run.stopping.work import Stoppable
from statebook.testing import call, say


class Deaf:
    """Waits for ``free``, whatever it is told; counts what it was told."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.told = 0

    async def wait(self):
        self.begun.set()
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                self.told += 1


async def stopped(task, begun):
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


def test_work_that_ends_in_time_is_not_left_and_its_value_is_known(go):
    async def late():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "all the same"

    async def check():
        job = Stoppable(late())
        task = asyncio.create_task(job.result())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return job

    job = go(check())
    assert (job.left, job.value) == (False, "all the same")


def test_deaf_work_is_told_twice_and_left(go):
    async def check():
        deaf, job = Deaf(), None
        job = Stoppable(deaf.wait())
        await stopped(asyncio.create_task(job.result()), deaf.begun)
        told = deaf.told
        deaf.free.set()
        await asyncio.sleep(0)
        return job.left, told

    assert go(check()) == (True, 2)


def test_a_second_stop_does_not_wait(go, monkeypatch):
    monkeypatch.setattr(stopping, "GRACE", 3600)

    async def check():
        deaf = Deaf()
        task = asyncio.create_task(Stoppable(deaf.wait()).result())
        await asyncio.wait_for(deaf.begun.wait(), 10)
        task.cancel()
        while deaf.told < 1:  # noqa: ASYNC110 - a count, and at once
            await asyncio.sleep(0)
        await stopped(task, deaf.begun)
        deaf.free.set()

    go(check())


def test_work_that_never_began_is_closed_without_a_warning(go, recwarn):
    async def nothing():
        await asyncio.sleep(0)

    async def check():
        task = asyncio.create_task(Stoppable(nothing()).result())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    go(check())
    assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []


def test_without_its_lease_a_run_records_nothing():
    lease = Lease()
    with lease.used():
        pass
    lease.revoke()
    with pytest.raises(asyncio.CancelledError), lease.used():
        pytest.fail("it was recorded")


def test_a_lease_in_use_elsewhere_does_not_hold_up_who_takes_it():
    lease, used, done = Lease(), threading.Event(), threading.Event()

    def use():
        with lease.used():
            used.set()
            done.wait(10)

    thread = threading.Thread(target=use)
    thread.start()
    assert used.wait(10)
    lease.revoke(patience=0.01)
    done.set()
    thread.join(10)
    assert not lease.held


# -- in a run ----------------------------------------------------------------------------------------------------


def test_a_tool_that_is_left_has_a_result_that_says_so_and_its_own_is_thrown_away(session_of, go):
    made = []

    @statebook.tool(effect="write")
    def work(ctx) -> str:
        """Work in C, as far as a stop can see."""
        ctx.progress("before")
        made[0].set()
        made[1].wait(20)
        ctx.state["late"] = True
        ctx.progress("late")
        made[2].append(1)
        return "late"

    drawn = []

    class Watching(Silent):
        def progress(self, run, text):
            drawn.append(text)

    async def check(session):
        begun, free, ended = threading.Event(), threading.Event(), []
        made.extend((begun, free, ended))
        session.sink = Watching()
        task = asyncio.create_task(session.ask("Go"))
        assert await asyncio.to_thread(begun.wait, 10)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = session.store.journal.last_seq
        free.set()
        await asyncio.sleep(0.1)
        return before

    session = session_of(call("work", {}), say("ok", expect="left behind"), tools=[work])
    before = go(check(session))
    (record,) = session.session.run(1).calls
    assert (record.result.status, session.session.run(1).status) == ("interrupted", "interrupted")
    assert "left behind" in record.result.text
    assert session.store.journal.last_seq == before
    assert session.store.as_of_head.tool_state("work") == {}
    assert drawn == ["before"]
    assert go(session.ask("Next")).status == "done"


def test_what_a_tool_gave_in_time_is_recorded_with_the_stop(session_of, go):
    begun = []

    @statebook.tool(effect="read")
    async def partly() -> str:
        """Gives what it has."""
        begun[0].set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "ten of a hundred"

    async def check(session):
        begun.append(asyncio.Event())
        await stopped(asyncio.create_task(session.ask("Go")), begun[0])

    session = session_of(call("partly", {}), say("ok"), tools=[partly])
    go(check(session))
    result = session.session.run(1).calls[0].result
    assert result.status == "interrupted"
    assert result.text.startswith("ten of a hundred\n[Stopped while it ran")
    assert go(session.ask("Next")).status == "done"


def test_a_deaf_tool_does_not_hold_up_its_neighbours(session_of, go):
    deaf = []

    @statebook.tool(effect="read")
    async def heeds_nothing() -> None:
        """Heed nothing."""
        await deaf[0].wait()

    @statebook.tool(effect="read")
    async def heeds() -> None:
        """Heed."""
        await asyncio.sleep(60)

    async def check(session):
        deaf.append(Deaf())
        await stopped(asyncio.create_task(session.ask("Go")), deaf[0].begun)
        deaf[0].free.set()

    session = session_of(call("heeds_nothing", {}, "heeds", {}), say("ok"), tools=[heeds_nothing, heeds])
    go(check(session))
    first, second = session.session.run(1).calls
    assert ("left behind" in first.result.text, "left behind" in second.result.text) == (True, False)
    go(session.ask("Next"))


def test_the_time_limit_leaves_a_deaf_tool_too(session_of, go):
    deaf = []

    @statebook.tool(effect="read")
    async def heeds_nothing() -> None:
        """Heed nothing."""
        await deaf[0].wait()

    async def check(session):
        deaf.append(Deaf())
        with pytest.raises(RunPaused, match="time limit"):
            await session.ask("Go", limits=Limits(seconds=0.2))
        deaf[0].free.set()

    session = session_of(call("heeds_nothing", {}), say("ok"), tools=[heeds_nothing])
    go(check(session))
    text = session.session.run(1).calls[0].result.text
    assert "time limit" in text
    assert "left behind" in text
    assert go(session.resume(1, limits=Limits(seconds=30))).status == "done"


def test_a_tool_that_exits_is_an_error_and_no_end_of_the_loop(session_of, go):
    @statebook.tool(effect="read")
    async def leave() -> None:
        """Leave."""
        raise SystemExit(3)

    class Raw:
        spec = leave.spec

        async def call(self, arguments, ctx):
            raise SystemExit(3)

    for tool in (leave, Raw()):
        session = session_of(call("leave", {}), say("ok"), tools=[tool])
        assert go(session.ask("Go")).calls[0].result.status == "error"


def test_a_model_that_is_left_behind_adds_nothing_to_what_is_kept(session_of, go):
    class Babbles:
        name, context_tokens = "scripted:babbles", 1_000_000

        async def stream(self, request):
            yield TextDelta("Kept. ")
            deaf.append(Deaf())
            await deaf[0].wait()
            yield TextDelta("Late.")
            ended.append(1)

    deaf, ended = [], []

    async def check(session):
        task = asyncio.create_task(session.ask("Go"))
        while not deaf:  # noqa: ASYNC110 - there is no event before it
            await asyncio.sleep(0.01)
        await stopped(task, deaf[0].begun)
        before = session.store.journal.last_seq
        deaf[0].free.set()
        await asyncio.sleep(0.15)  # longer than the pulse of drafts
        assert ended == [1]  # it does go on
        return before

    session = session_of(check=False)
    session.session.use(Babbles())
    before = go(check(session))
    assert session.session.run(1).models[0].partial == "Kept. "
    assert session.store.journal.last_seq == before


def test_a_stop_is_noticed_while_a_model_asks_its_server_how_much_it_takes(session_of, go):
    class Asks:
        name = "scripted:asks"

        @cached_property
        def context_tokens(self):
            where.append(threading.current_thread())
            asked.set()
            free.wait(20)
            return 1_000_000

        async def stream(self, request):
            raise AssertionError("it was asked after all")
            yield

    asked, free, where = threading.Event(), threading.Event(), []

    async def check(session):
        task = asyncio.create_task(session.ask("Go"))
        assert await asyncio.to_thread(asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        free.set()

    session = session_of(check=False)
    session.session.use(Asks())
    go(check(session))
    assert session.session.run(1).status == "interrupted"
    assert threading.main_thread() not in where


class DeafAsker:
    """Neither answers nor heeds."""

    def __init__(self):
        self.deaf = Deaf()

    async def ask(self, question, run):
        await self.deaf.wait()


def test_an_abandoned_run_is_drawn_closed_records_nothing_and_is_gone_on_with(session_of, go, ledger):
    class Last(Silent):
        def __init__(self):
            self.closed, self.after = [], 0

        def update(self, run):
            self.after += bool(self.closed)

        def close(self, run):
            self.closed.append(run.error)

    async def check(session):
        asker, session.sink = DeafAsker(), Last()
        session._asker = lambda: asker
        task = asyncio.create_task(session.ask("Go", cell_id="a"))
        await asyncio.wait_for(asker.deaf.begun.wait(), 10)
        task.cancel()
        await asyncio.sleep(0)
        assert session.session.abandon() is True
        assert session.session.abandon() is False
        session.session.check_free()
        before = session.store.journal.last_seq
        asker.deaf.free.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        assert (session.sink.closed, session.sink.after) == (["it was cut off"], 0)
        assert session.store.journal.last_seq == before
        del session._asker

    session = session_of(call("send", {"word": "x"}), say("ok"), allow=False)
    go(check(session))
    assert session.store.open_runs() == [1]
    assert ledger == []
    session.sink = Silent()
    session.answers.append(statebook.protocol.approvals.Answer("allow", "", "test"))
    run = go(session.ask("Go", cell_id="a"))
    assert (run.number, run.status) == (1, "done")
    assert ledger == [("send", "x")]
    assert session.store.open_runs() == []
