"""A server that fails at random: the session goes on, nothing is done twice, and every request is sound."""

from __future__ import annotations

import asyncio

import pytest
import statebook
from statebook.errors import ModelError, RunFailed
from statebook.testing import TemporarySession

from .sound import check_journal, check_prefix, check_requests, outcomes

pytestmark = pytest.mark.slow

CELLS = 8
KINDS = {
    "malformedRate": {"malformed", "not_a_stream"},
    "disconnectRate": {"broken_off", "unreachable"},
    "dropRate": {"server_fault"},
    "rateLimitRate": {"rate_limited"},
}


@pytest.fixture
def ledger():
    """What the tool ``note`` was made to write, in order."""
    return []


@pytest.fixture
def session(model, ledger, quick_retries):  # noqa: ARG001 - a fixture can't be marked
    @statebook.tool(effect="idempotent")
    def note(word: str) -> str:
        """Write a word down."""
        ledger.append(word)
        return f"noted {word}"

    with TemporarySession(model=model, tools=[note]) as made:
        yield made


def fixtures(cell):
    """A cell's three steps: two notes at once, one more, an answer."""
    word, here = f"cell {cell:02}", {"userMessage": f"cell {cell:02}"}

    def call(*words):
        return {"toolCalls": [{"name": "note", "arguments": {"word": f"{word} {each}"}} for each in words]}

    return [
        {"match": {**here, "toolResultContains": "three"}, "response": {"content": f"All of {word} is noted."}},
        {"match": {**here, "hasToolResult": True}, "response": call("three")},
        {"match": here, "response": call("one", "two")},
    ]


def ask(session, cell):
    return asyncio.run(session.ask(f"Note cell {cell:02}.", cell_id=f"c{cell}"))


def written(cell):
    return [f"cell {cell:02} {each}" for each in ("one", "two", "three")]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_failure_is_typed_and_the_cell_goes_on_after_it(session, aimock, relay, ledger, kind):
    aimock.answers(*fixtures(0))
    aimock.chaos(**{kind: 1})
    with pytest.raises((ModelError, RunFailed)) as caught:
        ask(session, 0)
    assert "\n" not in str(caught.value)
    assert outcomes(session)
    assert set(outcomes(session)) <= KINDS[kind]
    aimock.chaos()
    assert ask(session, 0).answer == "All of cell 00 is noted."
    assert sorted(ledger) == sorted(written(0))
    check_requests(relay.posts)
    check_journal(session)


def test_a_series_of_cells_at_random(session, aimock, relay, ledger):
    for cell in range(CELLS):
        aimock.answers(*fixtures(cell))
    aimock.chaos(malformedRate=0.2, disconnectRate=0.2, dropRate=0.2)
    left = []
    for cell in range(CELLS):
        before = len(relay.posts)
        try:
            assert ask(session, cell).status == "done"
        except (ModelError, RunFailed):
            left.append(cell)
        check_requests(relay.posts)
        if len(relay.posts) > before + 1:
            check_prefix(relay.posts[before:])
        assert session.store.verify().whole
    aimock.chaos()
    for cell in left:
        assert ask(session, cell).answer == f"All of cell {cell:02} is noted."
    assert sorted(ledger) == sorted(word for cell in range(CELLS) for word in written(cell))
    assert set(session.store.run_numbers()) == set(range(1, CELLS + 1))
    asked = sum(len(outcomes(session, run)) for run in range(1, CELLS + 1))
    assert asked == len(relay.posts)  # every request, failed or not, is in the journal
    check_requests(relay.posts)
    check_journal(session)
