"""The table of one call's life: every pair of state and word is in it, or its decider can't say that there."""

import re
from datetime import datetime
from typing import get_args

import pytest
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import (
    ApprovalAsked,
    ApprovalDecided,
    Entry,
    ModelAnswered,
    ModelRequested,
    RunStarted,
    ToolFinished,
    ToolIntended,
)
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import Message, ToolCall, ToolResult
from statebook.protocol.models import Usage
from statebook.run import doubt
from statebook.run.doubt import DECIDES, SAYS, TABLE, Said, State, after, found, more_careful, open_question

STATES, WORDS = get_args(State), get_args(Said)
JOURNALED = {"allowed": {"intent"}, "intended": {"result", "death"}}
"""What gets on disk in the states in which the journal has the word; a call that is not made has its result."""


def sayable(state):
    """What can be said in a state, as far as its decider goes."""
    if state == "finished":
        return set()
    if DECIDES[state] == "journal":
        return JOURNALED.get(state, {"result"})
    return set(SAYS[DECIDES[state]])


@pytest.mark.parametrize("state", STATES)
def test_every_pair_is_in_the_table_or_cannot_be_said(state):
    assert {said for said in WORDS if (state, said) in TABLE} == sayable(state)
    for said in sayable(state):
        assert after(state, said) in STATES
    for said in set(WORDS) - sayable(state):
        with pytest.raises(ValueError, match="can't be said"):
            after(state, said)


def test_the_drawing_in_the_docstring_is_the_table():
    drawn = {}
    for line in doubt.__doc__.splitlines():
        states, decider, *leads = re.split(r"\s{2,}", line.strip()) if " -> " in line else ("", "")
        for lead in leads:
            words, following = lead.split(" -> ")
            for state in states.split(", "):
                drawn |= {(state, said): following for said in words.split(", ") if DECIDES.get(state) == decider}
    waits = {pair for pair, following in TABLE.items() if following == pair[0]}
    assert drawn == {pair: following for pair, following in TABLE.items() if pair not in waits}
    assert {said for _, said in waits} == {"gone", "nobody"}


def paths_to(goal, start="wanted"):
    """Every way (without going in circles) from a state to another, as lists of (state, said)."""
    walks = [[(start, said)] for said in WORDS if (start, said) in TABLE]
    while walks:
        walk = walks.pop()
        state = TABLE[walk[-1]]
        if state == goal:
            yield walk
        elif state not in {each for each, _ in walk}:
            walks += [[*walk, (state, said)] for said in WORDS if (state, said) in TABLE]


def test_a_write_is_made_again_only_when_its_tool_or_a_person_said_so():
    ways = [walk for walk in paths_to("again", "doubtful") if ("doubtful", "write") in walk]
    assert {walk[-1] for walk in ways} == {("unverified", "absent"), ("disputed", "retry")}
    again = [walk for walk in paths_to("intended", "doubtful") if ("doubtful", "write") in walk]
    assert again
    assert all(("unverified", "absent") in walk or ("disputed", "retry") in walk for walk in again)


def test_a_call_is_made_only_by_the_rules_or_a_person_and_never_when_denied():
    for walk in paths_to("intended"):
        assert walk[-2][1] in ("allow", "ask", "allow_always")
        assert not {"deny", "reject"} & {said for _, said in walk}


def test_every_state_leads_to_an_end():
    for state in set(STATES) - {"finished"}:
        assert next(paths_to("finished", state), None), state


@pytest.mark.parametrize(
    ("begun", "careful"),
    [
        (None, ["read", "idempotent", "write"]),
        ("read", ["read", "idempotent", "write"]),
        ("idempotent", ["idempotent", "idempotent", "write"]),
        ("write", ["write", "write", "write"]),
    ],
)
def test_the_more_careful_of_two_effects_counts(begun, careful):
    assert [more_careful(begun, now) for now in ("read", "idempotent", "write")] == careful


# -- what a kernel finds on disk ---------------------------------------------------------------------------------

CALL = ToolCall("c1", "send", "{}")
ASKED = ApprovalAsked("approval", CALL, "write", "why")
DOUBTED = ApprovalAsked("in_doubt", CALL, "write", "why")
BEGUN = ToolIntended(CALL, "write", "key")


def settled(choice):
    return ApprovalDecided("in_doubt", "c1", choice, "test")


def decided(choice):
    return ApprovalDecided("approval", "c1", choice, "test")


def record(*events):
    """The call as a run folds it."""
    start = RunStarted("Go", "Go", "", "key", "m:", Limits())
    answer = ModelAnswered(Message("assistant", (CALL,)), Usage(), "tool_calls", 0.1)
    steps = [(0, start), (1, ModelRequested("m:", "", "", "", 1, 0)), (1, answer), *((2, event) for event in events)]
    now = datetime(2026, 1, 1)  # noqa: DTZ001 - as the journal keeps it
    return Run.fold([Entry(n, 1, 1, step, now, event) for n, (step, event) in enumerate(steps, 1)]).calls[0]


@pytest.mark.parametrize(
    ("events", "state", "question"),
    [
        ((), "wanted", None),
        ((ASKED,), "wanted", "approval"),
        ((ASKED, decided("allow")), "approved", None),
        ((ASKED, decided("allow_always")), "approved", None),
        ((ASKED, decided("reject")), "denied", None),
        ((BEGUN,), "doubtful", "in_doubt"),
        ((ToolIntended(CALL, "read", "key"),), "doubtful", None),
        ((ToolIntended(CALL, "read", "key"), DOUBTED), "doubtful", "in_doubt"),  # its tool had become a write
        ((BEGUN, settled("retry")), "again", None),
        ((BEGUN, settled("happened")), "happened", None),
        ((BEGUN, settled("skip")), "unknown", None),
        ((BEGUN, settled("retry"), BEGUN), "doubtful", "in_doubt"),  # it died again
        ((BEGUN, ToolFinished(ToolResult("c1", "send", "sent"), 0.1)), "finished", None),
    ],
)
def test_what_a_kernel_finds(events, state, question):
    call = record(*events)
    assert (found(call), open_question(call)) == (state, question)
