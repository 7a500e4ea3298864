"""Real processes are killed at each moment of a run and gone on with: what survives, what asks, what a fault shows."""

import asyncio
import os
import tempfile
import time

import pytest
from statebook.errors import StatebookError, UsageError
from statebook.protocol.models import Usage
from statebook.session.drill.drill import drill
from statebook.session.drill.stage import Lane, Stage
from statebook.testing import Answer, ScriptedModel, call, hang, say

pytestmark = pytest.mark.slow

USAGE = Usage(1_000, 0, 100)


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where drills put what is temporary; nothing of it may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.fixture
def mailing(session_of, tools):
    """A session whose run r1 looks a word up twice, then sends a mail that a person approved."""
    session = session_of(
        call("look", {"word": "a"}, "look", {"word": "b"}, text="Let me look.", usage=USAGE),
        call("send_mail", {"to": "me"}, usage=USAGE),
        say("It is sent.", usage=USAGE),
        prices=(2, 8),
        tools=tools.values(),
        answers=[Answer("allow")],
    )
    asyncio.run(session.ask("Do it."))
    return session


def verdicts(report, step):
    return [outcome.verdict for outcome in report.at(step)]


def test_a_run_survives_every_kill_and_a_write_in_doubt_asks(mailing, drilled, acts):
    done, seen = list(acts), []
    entries = mailing.store.journal.last_seq
    report = drilled(mailing, watch=seen.append)
    assert [outcome.faults for outcome in report.outcomes if outcome.faults] == []
    assert len(report.outcomes) == len(report.planned) == 3 * 3 + 2 * 4 + 5
    assert verdicts(report, 5) == ["went on", "went on", "asked", "asked", "went on"]
    assert {outcome.moment.step for outcome in report.outcomes if outcome.verdict == "asked"} == {5}
    streaming = [outcome for outcome in report.outcomes if outcome.moment.where == "stream"]
    assert [outcome.requests for outcome in streaming] == [(0,), (1,), (2,)]
    count, tokens, cost = report.repeated(report.outcomes)
    assert (count, tokens, round(cost.dollars, 4)) == (3, 3_300, 0.0084)
    looked_again = [outcome for outcome in report.outcomes if outcome.moment.where == "after" and outcome.calls]
    assert {outcome.moment.step for outcome in looked_again} == {2, 3}
    assert [len(each.outcomes) for each in seen] == list(range(len(report.planned) + 1))
    assert acts == done
    assert mailing.store.journal.last_seq == entries
    assert not mailing.store.path.with_name(f"{mailing.store.path.name}.fold").exists()


def test_the_session_goes_on_and_its_lock_holds(mailing, drilled):
    import subprocess
    import sys

    drilled(mailing, only=(1, 1))
    opening = f"import duckdb; duckdb.connect({str(mailing.store.path)!r})"
    other = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True, timeout=60, check=False)
    assert "lock" in other.stderr
    mailing.session.use(ScriptedModel([say("Still here.")], name="scripted:two"))
    assert asyncio.run(mailing.ask("Are you?")).answer == "Still here."


def test_a_tool_that_can_verify_or_is_idempotent_now_needs_nobody(mailing, drilled, tools):
    tools["send_mail"].verify = lambda *_: pytest.fail("the real tool was asked")
    report = drilled(mailing, only=(5, 5))
    assert verdicts(report, 5) == ["went on"] * 5
    assert [outcome.calls for outcome in report.outcomes] == [()] * 5
    tools["send_mail"].verify, tools["send_mail"]._effect, tools["send_mail"]._spec = None, "idempotent", None
    report = drilled(mailing, only=(5, 5))
    assert verdicts(report, 5) == ["went on"] * 4
    assert report.changed == {"send_mail": "write"}
    assert [outcome.moment.where for outcome in report.outcomes if outcome.calls] == ["after"]


def test_a_kernel_that_no_longer_has_the_tools_drills_them_as_they_were(mailing, drilled):
    mailing.tools.clear()
    mailing.restart()
    report = drilled(mailing, only=(5, 5))
    assert verdicts(report, 5) == ["went on", "went on", "asked", "asked", "went on"]


def test_a_compensated_parallel_write_is_a_question_for_each(session_of, drilled, tools):
    session = session_of(
        call("send_mail", {"to": "a"}, "send_mail", {"to": "b"}),
        say("Both."),
        tools=tools.values(),
        answers=[Answer("allow"), Answer("allow")],
    )
    asyncio.run(session.ask("Do it."))
    report = drilled(session, only=(2, 3))
    assert [outcome.faults for outcome in report.outcomes if outcome.faults] == []
    both = [outcome for outcome in report.outcomes if outcome.questions == (2, 3)]
    assert {outcome.moment.where for outcome in both} >= {"before", "after"}


SABOTAGE = {
    "intents are not recorded": (
        "events = [each for each in events if each[1].kind != 'tool_intended']",
        "pass",
        "send_mail was done twice",
    ),
    "results are acknowledged and not kept": (
        "pass",
        "self.database.write(\"DELETE FROM journal WHERE run > 1 AND kind = 'tool_finished'\")",
        "lost: tool finished of step 5",
    ),
    "answers are acknowledged and not kept": (
        "pass",
        "self.database.write(\"DELETE FROM journal WHERE run > 1 AND step = 4 AND kind = 'model_answered'\")",
        "an answer that was on disk was asked for again",
    ),
}
WORSE = """
import os
if os.environ.get("STATEBOOK_DRILL"):
    from statebook.store.store import Store
    commit = Store.commit
    def worse(self, events, **fields):
        if getattr(getattr(self, "_fuse", None), "_moment", None) is None:
            return commit(self, events, **fields)  # only in the process that is killed
        {before}
        entries = commit(self, events, **fields) if events else []
        {after}
        return entries
    Store.commit = worse
"""


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_broken_product_is_red(what, mailing, drilled, tmp_path, monkeypatch):
    """In the drill's processes only, the product's own commits leave something out."""
    before, after, fault = SABOTAGE[what]
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(WORSE.format(before=before, after=after))
    monkeypatch.setenv("PYTHONPATH", str(broken))
    report = drilled(mailing, only=(4, 5))
    faults = [told for outcome in report.outcomes for told in outcome.faults]
    assert any(told.startswith(fault) for told in faults), faults
    assert "broken" in {outcome.verdict for outcome in report.outcomes}


def test_without_a_fork_each_process_is_started_anew(mailing, drilled, tmp_path, monkeypatch):
    """As on Windows and macOS."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import os\nif os.environ.get('STATEBOOK_DRILL'): del os.fork\n")
    monkeypatch.setenv("PYTHONPATH", str(other))
    report = drilled(mailing, only=(5, 5))
    assert verdicts(report, 5) == ["went on", "went on", "asked", "asked", "went on"]


def test_stopping_it_leaves_nothing(mailing, scratch):
    stages = []

    async def stopped():
        halfway = asyncio.Event()

        def watch(report):
            stages.append(list(scratch.iterdir()))
            if len(report.outcomes) == 3:
                halfway.set()

        task = asyncio.create_task(drill(mailing.session, 1, watch))
        await halfway.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    assert all(stages)
    mailing.session.use(ScriptedModel([say("Still here.")], name="scripted:two"))
    assert asyncio.run(mailing.ask("Are you?")).answer == "Still here."


def test_when_the_kernel_dies_its_drill_goes_too():
    stage = Stage()
    process = stage.lanes[0]._process
    process.stdin.close()  # as the end of the process that holds it does
    process.wait(60)
    end = time.monotonic() + 20
    while stage.folder.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not stage.folder.exists()
    stage.close()


def test_time_that_is_over_leaves_moments_out(mailing, drilled):
    report = drilled(mailing, seconds=0.0)
    assert report.outcomes == ()
    assert report.left_out == report.planned


def test_what_can_not_be_drilled_is_told_in_one_line(mailing, drilled, session_of, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="There is no run r9"):
        drilled(mailing, 9)
    with pytest.raises(UsageError, match=r"r1 has no such step\. Its steps are 1 to 6"):
        drilled(mailing, only=(9, 9))
    mailing.session._active = 1
    with pytest.raises(UsageError, match="r1 is still running"):
        drilled(mailing)
    mailing.session._active = 0
    monkeypatch.setenv("STATEBOOK_DRILL", "1")
    with pytest.raises(UsageError, match="from within a drill"):
        drilled(mailing)
    monkeypatch.delenv("STATEBOOK_DRILL")
    hanging = session_of(hang(), folder=_folder(tmp_path / "other"))

    async def stop_it():
        task = asyncio.create_task(hanging.ask("Never?"))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(stop_it())
    with pytest.raises(UsageError, match="r1 has no finished step"):
        drilled(hanging)


def _folder(path):
    path.mkdir()
    return path


def test_a_lane_that_dies_ends_the_drill_in_one_line(mailing, monkeypatch):
    order = Lane.order

    def dying(lane, **fields):
        if fields["do"] == "try" and fields["moment"]:
            os.kill(lane._process.pid, 9)
        return order(lane, **fields)

    monkeypatch.setattr(Lane, "order", dying)
    with pytest.raises(StatebookError, match=r"The drill could not go on: its process ended\."):
        asyncio.run(drill(mailing.session, 1, lambda _: None))
