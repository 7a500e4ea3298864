"""Answers in a form: read leniently, judged strictly, mended once, in any kernel."""

import asyncio

import pytest
from statebook.errors import RunFailed
from statebook.protocol.calls import AnswerForm
from statebook.protocol.journal.events import AnswerRejected, RunEnded
from statebook.run.answers import problem, read_code, read_json
from statebook.testing import ScriptedModel, TemporarySession, call, say

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["title", "year"],
    "additionalProperties": False,
}
REPORT = AnswerForm("json", "Report", SCHEMA, "dataclass")
LISTED = AnswerForm(
    "json",
    "list[int]",
    {"type": "object", "properties": {"value": {"type": "array", "items": {"type": "integer"}}}, "required": ["value"]},
    "list",
    "value",
)
GOOD = '{"title": "On cheese [S1.2]", "year": 2020}'
BAD = '{"title": "On cheese", "year": "last"}'


@pytest.mark.parametrize(
    "around",
    ["{}", "\n {} \n", "```json\n{}\n```", "Here it is:\n\n~~~\n{}\n~~~\nBye {{}}", "Sure! {} I hope that helps."],
)
def test_json_is_found_in_what_lesser_servers_put_around_it(around):
    text = around.format(GOOD)
    assert problem(REPORT, text) == ""
    assert read_json(REPORT, text) == {"title": "On cheese [S1.2]", "year": 2020}


@pytest.mark.parametrize("text", ["[1, 2]", '{"value": [1, 2]}', "The list is [1, 2].", '```\n{"value": [1, 2]}\n```'])
def test_a_list_is_taken_out_of_the_object_it_was_put_into(text):
    assert problem(LISTED, text) == ""
    assert read_json(LISTED, text) == [1, 2]


@pytest.mark.parametrize(
    ("form", "text", "told"),
    [
        (REPORT, "On cheese, 2020", "not valid JSON"),
        (REPORT, "", "not valid JSON"),
        (REPORT, GOOD[:-1], "not valid JSON"),
        (REPORT, BAD, "'last' is not of type 'integer' (at $.year)"),
        (REPORT, '{"title": "x"}', "'year' is a required property"),
        (REPORT, GOOD[:-1] + ', "more": 1}', "'more' was unexpected"),
        (REPORT, f"[{GOOD}]", "is not of type 'object'"),
        (REPORT, '{"title": "x", "year": NaN}', "NaN is not JSON"),
        (LISTED, '[1, "2"]', "(at $.value[1])"),
        (LISTED, "[" * 100_000, "not valid JSON"),
        (AnswerForm("json", "X", {"$ref": "http://127.0.0.1:9/x"}), "{}", "the schema can't be used"),
        (AnswerForm("code"), "x = (1", "not valid Python"),
        (AnswerForm("code"), "```python\n```", "there is no code"),
    ],
)
def test_what_does_not_fit_is_told_so_that_the_model_can_mend_it(form, text, told):
    assert told in problem(form, text)


@pytest.mark.parametrize(
    "code",
    ["x = 1", "```python\nx = 1\n```", "%time f()\n!ls", "await f()", "files = !ls", "%%bash\nif [ ]", "a = (b\n % c)"],
)
def test_code_is_that_of_a_notebook_cell(code):
    assert problem(AnswerForm("code"), code) == ""
    assert "```" not in read_code(code)


def test_times_without_a_zone_are_left_to_the_class_that_asked_for_them():
    asked = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
    text = '{"at": "2024-03-01T12:00:00"}'
    assert problem(AnswerForm("json", "Meeting", asked, "pydantic model"), text) == ""
    assert "is not a 'date-time'" in problem(AnswerForm("json", "MEETING", asked, "JSON schema"), text)


def test_the_caller_is_asked_last():
    asked = []
    assert problem(REPORT, BAD, asked.append) != ""
    assert problem(REPORT, GOOD, lambda text: asked.append(text) or "too old") == "too old"
    assert asked == [GOOD]


def rejected(session, run):
    entries = session.store.journal.entries_of_run(run)
    return [entry.event.problem for entry in entries if isinstance(entry.event, AnswerRejected)]


def test_a_misfit_is_journaled_and_mended_once():
    steps = [say(BAD), say(GOOD, expect="'last' is not of type 'integer'")]
    with TemporarySession(model=ScriptedModel(steps)) as session:
        run = asyncio.run(session.ask("Report", answer=REPORT))
        assert (run.status, run.answer) == ("done", GOOD)
        assert rejected(session, 1) == ["'last' is not of type 'integer' (at $.year)."]
        roles = [message.role for message in session.model.requests[1].messages]
        assert roles == ["user", "assistant", "user"]
        first = session.model.requests[0]
        assert first.answer == REPORT
        assert first.messages[0].text.endswith("</answer-form>")
        assert first.messages[0].text.startswith("Report\n\n<answer-form>")
        assert '"year":{"type":"integer"}' in first.messages[0].text


def test_the_second_misfit_fails_in_one_line_and_keeps_the_text():
    with TemporarySession(model=ScriptedModel([say(BAD), say("No.")])) as session:
        with pytest.raises(
            RunFailed, match=r"does not have the form that was asked for \(Report\), also when asked again"
        ):
            asyncio.run(session.ask("Report", answer=REPORT))
        run = session.session.run(1)
        assert (run.status, run.answer, len(rejected(session, 1))) == ("failed", "No.", 2)
        assert "\n" not in run.error


def test_who_goes_on_with_a_failed_run_gives_the_model_two_chances_again():
    steps = [say(BAD), say(BAD), say(BAD), say(GOOD)]
    with TemporarySession(model=ScriptedModel(steps)) as session:
        with pytest.raises(RunFailed):
            asyncio.run(session.ask("Report", answer=REPORT))
        run = asyncio.run(session.ask("Report", answer=REPORT))
        assert (run.number, run.answer) == (1, GOOD)


class Died(BaseException):
    """The kernel is gone."""


@pytest.mark.parametrize(("deaths", "asked"), [(1, [say(GOOD)]), (2, [])])
def test_a_kernel_that_dies_after_a_rejection_loses_no_count(deaths, asked):
    with TemporarySession(model=ScriptedModel([say(BAD)] * deaths)) as session:
        commit, seen = session.store.commit, []

        def dying(events, **options):
            entries = commit(events, **options)
            seen.extend(entry for entry in entries if isinstance(entry.event, AnswerRejected))
            if len(seen) == deaths:
                raise Died
            return entries

        session.store.commit = dying
        with pytest.raises(Died):
            asyncio.run(session.ask("Report", answer=REPORT))
        session.model.verify()
        session.restart(ScriptedModel(asked))
        assert session.session.open_runs()[0].rejections == deaths
        if asked:
            assert asyncio.run(session.resume(1)).answer == GOOD
        else:
            with pytest.raises(RunFailed, match="also when asked again"):
                asyncio.run(session.resume(1))


def test_tools_may_be_called_before_and_after_a_rejection(session_of, go, ledger):
    session = session_of(call("look", {"word": "a"}), say("Soon."), call("look", {"word": "b"}), say(GOOD))
    run = go(session.ask("Report", answer=REPORT))
    assert (run.answer, list(ledger)) == (GOOD, [("look", "a"), ("look", "b")])


def test_the_prompt_keeps_its_bytes_when_it_becomes_history():
    with TemporarySession(model=ScriptedModel([say(BAD), say(GOOD), say("Hello.")])) as session:
        asyncio.run(session.ask("Report", answer=REPORT))
        asyncio.run(session.ask("And?"))
        second, third = session.model.requests[1:]
        assert third.messages[: len(second.messages)] == second.messages
        assert third.system == second.system


def test_citations_of_a_typed_answer_are_recorded():
    with TemporarySession(model=ScriptedModel([say(GOOD)])) as session:
        run = asyncio.run(session.ask("Report", answer=REPORT))
        assert run.unknown == ("S1.2",)
        ended = [e.event for e in session.store.journal.entries_of_run(1) if isinstance(e.event, RunEnded)]
        assert ended[0].unknown == ("S1.2",)
