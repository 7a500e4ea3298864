"""What a drill leaves to read: one true sentence, a dot per kill, a row per step, and a twin of it all in text."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from statebook.protocol.messages import assistant
from statebook.protocol.models import Usage
from statebook.session.drill.drill import Report
from statebook.session.drill.moments import Step, plan
from statebook.session.drill.recording import Answer, Recording
from statebook.session.drill.verdict import Outcome
from statebook.ui.sheets.drill import DrillSheet, moment_line
from statebook.ui.sheets.live import Live

STEPS = (
    Step(1, calls=("look", "look", "send_mail")),
    Step(2, "look", 0, 1, effect="read", begun=True),
    Step(3, "look", 0, 2, effect="read", begun=True),
    Step(4, "send_mail", 0, 3, effect="write", begun=True, asked=True),
    Step(5, index=1),
)
ANSWERS = tuple(Answer(assistant(text), Usage(1_000, 0, 100), "end", 0.01, "", ()) for text in ("Look.", "Done."))
RECORDING = Recording(3, "a:b", 1_000, ANSWERS, (), "")


def report_of(change=lambda outcome: outcome, steps=STEPS, **fields):
    planned = tuple(plan(steps))
    outcomes = tuple(change(Outcome(moment)) for moment in planned)
    return Report(3, steps, planned, RECORDING, outcomes=outcomes, **fields)


def asking(outcome):
    return replace(outcome, questions=(4,)) if outcome.moment.where in ("before", "after") else outcome


def broken(outcome):
    return replace(outcome, faults=("send_mail was done twice",)) if outcome.moment.step == 4 else outcome


def drawing(sheet):
    return ET.fromstring(re.search(r"<svg.*?</svg>", sheet._repr_html_(), re.DOTALL)[0])


def titles(sheet):
    return [title.text for title in drawing(sheet).iter("title")][1:]


def test_a_run_that_always_went_on():
    sheet = DrillSheet(report_of())
    assert sheet.headline == (
        "r3 was killed at 19 moments: nothing was lost, nothing was done twice, and it went on by itself each time."
    )
    assert sheet.advice == ""
    assert all(title.endswith("went on by itself") for title in titles(sheet))
    assert titles(sheet)[0] == "step 1 model, before its request is on disk: went on by itself"
    assert len(titles(sheet)) == 19


def test_questions_come_with_advice():
    sheet = DrillSheet(report_of(asking))
    assert sheet.headline.endswith("; after 6 of these kills a person has to say whether send_mail happened.")
    assert sheet.advice == (
        "Give it a `verify` function, or declare it idempotent if it is, and the run goes on by itself:"
        " `help(statebook.tool)` says how."
    )
    own = tuple(replace(step, tool=step.tool and "python", origin="builtin") for step in STEPS)
    assert DrillSheet(report_of(asking, own)).advice == (
        "Nobody but a person can tell what python did: look before you answer."
    )


def test_a_broken_promise_is_told_first_and_drawn_in_another_shape():
    sheet = DrillSheet(report_of(broken))
    assert sheet.headline == "r3 was killed at 19 moments, and 5 kills broke a promise: send_mail was done twice."
    assert "please report it" in sheet.advice
    groups = {title: group for group in drawing(sheet).iter("g") for title in [group.find("title").text]}
    red = [group for title, group in groups.items() if title.endswith("lost or done twice (send_mail was done twice)")]
    assert len(red) == 5
    assert all(group.find("rect") is not None and group.find("path") is not None for group in red)
    assert sum(group.find("circle") is not None for group in groups.values()) == 14


def test_what_was_repeated_is_counted_with_its_price():
    def repeating(outcome):
        if outcome.moment.where == "stream":
            return replace(outcome, requests=(0 if outcome.moment.step == 1 else 1,))
        return replace(outcome, calls=(2,)) if outcome.moment.where == "after" else outcome

    text = repr(DrillSheet(report_of(repeating)))
    assert "2 answers had not arrived when the kill came and were asked for again: 2,200 tokens, $0.0200" in text
    assert "3 calls without a result on disk were made again, which does no harm: look only reads" in text
    assert "1 request (1,100 tokens, <span>$</span>0.0100)" in DrillSheet(report_of(repeating))._repr_html_()


def test_what_was_left_out_is_named_with_the_line_that_tries_it():
    whole = report_of()
    sheet = DrillSheet(replace(whole, outcomes=whole.outcomes[:5]))
    assert sheet.headline.startswith("r3 was killed at 5 of 19 moments: nothing was lost")
    assert "14 moments of 19 were left out, in steps 2 to 5. `%agent drill r3 --steps 2-5` tries these" in repr(sheet)
    nearly = repr(DrillSheet(replace(whole, outcomes=whole.outcomes[:-1])))
    assert "1 moment of 19 was left out, in step 5. `%agent drill r3 --steps 5` tries it," in nearly
    assert DrillSheet(replace(whole, outcomes=())).headline == "The time was over before r3 was killed once."


def test_a_tool_that_was_declared_anew_is_named():
    assert "send_mail counts as write, as it is declared now; r3 knew it as idempotent." in repr(
        DrillSheet(report_of(changed={"send_mail": "idempotent"}))
    )


def test_the_twin_in_text_has_a_sign_per_kill():
    whole = report_of(asking)
    lines = repr(DrillSheet(replace(whole, outcomes=whole.outcomes[:16]))).splitlines()
    assert [line.split()[-1] for line in lines[2:7]] == ["...", ".??.", ".??.", "..??.", "---"]


def test_the_drawing_wraps_and_holds_names_as_text():
    many = tuple(Step(n, "<img src=x onerror=1>", n, 1, begun=True) for n in range(1, 101))
    sheet = DrillSheet(report_of(steps=many))
    picture = drawing(sheet)
    _, _, width, height = map(float, picture.get("viewBox").split())
    for dot in picture.iter("circle"):
        assert 0 < float(dot.get("cx")) < width
        assert 0 < float(dot.get("cy")) < height
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == sheet.headline
    assert "<img" not in sheet._repr_html_()


def test_while_it_goes_on_it_says_how_far_it_is():
    whole = report_of(asking)
    sheet = DrillSheet(replace(whole, outcomes=whole.outcomes[:12]), finished=False)
    assert sheet.headline == "12 of 19: r3 is killed at each of its steps, and gone on with ..."
    assert "<table" not in sheet._repr_html_()
    assert moment_line(whole, whole.outcomes[5]) == (
        "step 2 look, done, its result not on disk yet: a person has to say whether send_mail happened"
    )


class Shell:
    kernel = None


def test_a_pipe_gets_the_end_only(capsys):
    live = Live(Shell())
    live.show(DrillSheet(report_of(), finished=False))
    assert capsys.readouterr().out == ""
    live.close(DrillSheet(report_of()))
    assert capsys.readouterr().out == f"{DrillSheet(report_of())!r}\n"


def test_a_terminal_gets_a_line_that_is_written_over(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    live = Live(Shell())
    live.show(DrillSheet(report_of(), finished=False))
    live.close(DrillSheet(report_of()))
    first, last = capsys.readouterr().out.split("\r", 1)[1].split("\r", 1)
    assert first.startswith("19 of 19: r3 is killed")
    assert last.split("\r")[-1] == f"{DrillSheet(report_of())!r}\n"


def test_a_line_that_stays_does_not_stand_behind_the_one_that_is_written_over(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    live = Live(Shell())
    live.show(DrillSheet(report_of(), finished=False))
    live.note("step 1: went on by itself")
    assert capsys.readouterr().out.split("\r")[-2:] == [" " * 65, "statebook: step 1: went on by itself\n"]


@pytest.mark.parametrize("finished", [True, False])
def test_the_same_report_gives_the_same_bytes(finished):
    assert DrillSheet(report_of(asking), finished).bundle() == DrillSheet(report_of(asking), finished).bundle()
