"""A kill is judged by what its processes left: a broken promise is red, a question is counted, the rest is green."""

import pytest
from statebook.errors import UsageError
from statebook.session.drill.moments import Moment, Step, plan
from statebook.session.drill.verdict import Rehearsal, judge

STEPS = (
    Step(1, calls=("look", "send_mail")),
    Step(2, "look", 0, 1, effect="read", begun=True),
    Step(3, "send_mail", 0, 2, effect="write", begun=True, asked=True),
    Step(4, index=1),
)
REHEARSAL = Rehearsal("done", "All done.", "", STEPS, frozenset({"0.1", "0.2"}))
MOMENT = Moment(3, "after")


def asked(index, step):
    return {"what": "model", "index": index, "step": step}


def kept(kind, step):
    return {"what": "kept", "kind": kind, "step": step, "seq": 1, "run": 2}


def act(call, tool, step):
    return {"what": "act", "call": call, "tool": tool, "step": step, "key": call}


GOOD = [
    asked(0, 1),
    kept("model_answered", 1),
    act("0.1", "look", 2),
    kept("tool_finished", 2),
    act("0.2", "send_mail", 3),
    kept("tool_finished", 3),
    asked(1, 4),
    kept("model_answered", 4),
]


def reply(ledger=GOOD, **report):
    return {
        "killed": True,
        "report": {"status": "done", "answer": "All done.", "error": "", "lost": [], **report},
        "ledger": ledger,
    }


def test_nothing_broken_is_green_and_a_question_is_amber():
    assert judge(MOMENT, REHEARSAL, reply()).verdict == "went on"
    outcome = judge(MOMENT, REHEARSAL, reply([*GOOD, {"what": "question", "call": "0.2"}]))
    assert (outcome.verdict, outcome.questions) == ("asked", (3,))


def test_a_read_may_be_repeated_and_a_write_may_not():
    outcome = judge(MOMENT, REHEARSAL, reply([act("0.1", "look", 2), *GOOD]))
    assert (outcome.verdict, outcome.calls) == ("went on", (2,))
    outcome = judge(MOMENT, REHEARSAL, reply([act("0.2", "send_mail", 3), *GOOD]))
    assert outcome.faults == ("send_mail was done twice",)


def test_an_answer_that_had_not_arrived_may_be_asked_for_again_and_one_on_disk_may_not():
    outcome = judge(MOMENT, REHEARSAL, reply([asked(0, 1), *GOOD]))
    assert (outcome.verdict, outcome.requests) == ("went on", (0,))
    outcome = judge(MOMENT, REHEARSAL, reply([*GOOD, asked(1, 5)]))
    assert outcome.faults == ("an answer that was on disk was asked for again",)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (reply([*GOOD, act("0.1", "look", 2)]), "look was done again after its result"),
        (reply(lost=["tool finished of step 3"]), "lost: tool finished of step 3"),
        (reply([line for line in GOOD if line.get("call") != "0.2"]), "send_mail was not done"),
        (reply(answer="Something else."), "the run has another answer"),
        (reply(status="failed"), "the run ended otherwise (failed, not done)"),
        ({"killed": True, "report": {"failed": "it died"}, "ledger": []}, "it could not be gone on with: it died"),
        ({"killed": False, "report": {}, "ledger": []}, "the kill never came: the run went another way"),
    ],
)
def test_each_broken_promise_is_red(told, fault):
    outcome = judge(MOMENT, REHEARSAL, told)
    assert (outcome.verdict, outcome.faults) == ("broken", (fault,))


def test_the_moments_of_each_kind_of_step():
    assert [moment.where for moment in plan(STEPS, (1, 1))] == ["request", "stream", "answer"]
    assert [moment.where for moment in plan(STEPS, (2, 2))] == ["intent", "before", "after", "result"]
    assert [moment.where for moment in plan(STEPS, (3, 3))] == ["asked", "intent", "before", "after", "result"]
    assert [moment.where for moment in plan([Step(7, "look")])] == ["result"]
    assert len(plan(STEPS)) == 15


@pytest.mark.parametrize("text", ["x", "0", "5-3", "-2", "3-"])
def test_steps_are_written_as_a_number_or_a_span(text):
    from statebook.magic.grammar import parse_line

    assert parse_line("drill r3 --steps 3-5").steps == (3, 5)
    assert parse_line("drill --steps 7").steps == (7, 7)
    with pytest.raises(UsageError, match="7 or 3-5"):
        parse_line(f"drill --steps={text}")
