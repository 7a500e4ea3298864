"""A clock that goes back in the middle of a session (NTP, a resumed laptop) changes no order and no duration."""

from datetime import UTC, datetime, timedelta

import pytest
from statebook.protocol.models import Usage
from statebook.store import journal
from statebook.testing import call, say

BEGAN = datetime(2026, 10, 25, 3, 30, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture
def backwards(monkeypatch):
    """Every commit is a minute before the one before it."""
    told = []

    def earlier():
        told.append(BEGAN - timedelta(minutes=len(told)))
        return told[-1]

    monkeypatch.setattr(journal, "utc_now", earlier)
    return told


def test_runs_steps_and_sums_stay_in_their_order(cell, use, backwards):
    used = Usage(1000, 0, 100)
    session = use(call("list_files", usage=used), say("One.", usage=used), call("list_files", usage=used), say("Two."))
    cell("%%agent --timeout 60\nFirst")
    cell("%%agent --timeout 60\nSecond")
    assert len(backwards) > 10
    sql = session.store.sql
    assert sql("SELECT run, status FROM runs ORDER BY run").to_numpy().tolist() == [[1, "done"], [2, "done"]]
    steps = sql("SELECT run, step FROM steps ORDER BY run, step").to_numpy().tolist()
    assert steps == [[run, step] for run in (1, 2) for step in (1, 2, 3)]
    assert sql("SELECT count(*) AS n FROM steps WHERE seconds < 0").n[0] == 0
    assert sql("SELECT time FROM events ORDER BY seq").time.is_monotonic_decreasing
    assert [each.worked >= 0 for each in map(session.run, (1, 2))] == [True, True]
    assert session.store.verify().whole
    listed = cell("%agent list")[0]
    assert list(listed.run) == ["r2", "r1"]
    assert list(cell("%agent cost")[0].run) == ["r1", "r2", "all"]
    drawn = cell("%agent cost --plot")[0]
    assert [each.group for each in drawn.amounts] == ["r1", "r1", "r2", "r2"]
    assert "-" not in drawn._svg().split('points="')[1].split('"')[0]
    shown, printed = cell("%agent show r2")
    assert "Two." in printed + repr(shown)
    assert not [word for word in printed.split() if word.startswith("-") and word.endswith("s")]


@pytest.mark.usefixtures("backwards")
def test_the_next_kernel_finds_the_same_order(shell, cell, use):
    use(say("One."), say("Two."))
    cell("%%agent\nFirst")
    cell("%agent memory add The clock goes back.")
    cell("%%agent\nSecond")
    shell.run_line_magic("unload_ext", "statebook")
    shell.run_line_magic("load_ext", "statebook")
    assert list(cell("%agent list")[0].run) == ["r2", "r1"]
    assert "The clock goes back." in repr(cell("%agent memory")[0])
    session = use(say("Three.", expect=lambda request: [m.text for m in request.messages if m.role == "assistant"]))
    cell("%%agent\nThird")
    sent = session.models.get().requests[0].messages
    assert [message.text for message in sent if message.role == "assistant"] == ["One.", "Two."]
