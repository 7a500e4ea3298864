"""A server that keeps the conversation is used where it proves that it does; a lie is paid for, and never shown."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import RunFailed
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.messages import assistant, user
from statebook.protocol.models import Anchor, Completion, Metered, ModelRequest, TextDelta, Usage
from statebook.testing import TemporarySession
from statebook.tools.function import tool

pytestmark = pytest.mark.slow  # whole sessions, over and over

LONG = "Here is a long text about whales. " * 60
WRONG = "I know nothing of whales"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("statebook.run.asking.step.RETRIES", (0.0, 0.0))


def answer(wire, text: str, sent: int, key: str = "r1", *, call: bool = False, **more: object):
    """A streamed answer that counts ``sent`` input tokens."""
    item = {"type": "function_call", "name": "look", "call_id": f"c{key}", "arguments": "{}"}
    response = {"id": key, "status": "completed", "usage": {"input_tokens": sent, "output_tokens": 5}, **more}
    return wire.stream(
        *({"type": "response.output_text.delta", "delta": piece} for piece in (text[:3], text[3:]) if piece),
        *([{"type": "response.output_item.done", "item": item}] if call else []),
        {"type": "response.completed", "response": {**response, "output": []}},
    )


class Watching:
    """A sink that keeps all it was shown of an answer."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, run) -> None:
        self.shown.append(run.answer)

    def progress(self, run, text: str) -> None:
        self.shown.append(text)

    def close(self, run) -> None:
        self.shown.append(run.answer)


def model_of(server, marks, state="server") -> OpenAIModel:
    where = Endpoint(server.url, "")
    return OpenAIModel("gpt-test", where, Service(dialect="responses"), marks=marks, state=state, timeout=10)


def talk(server, folder, marks, prompts=(LONG, "And now?"), *, tools=(), state="server"):
    """The answers to the prompts; what was shown and recorded on the way."""
    sink = Watching()
    with TemporarySession(model=model_of(server, marks, state), folder=folder, sources=(), tools=tools) as session:
        session.sink = sink

        async def run() -> list:
            return [await session.ask(prompt) for prompt in prompts]

        runs = asyncio.run(run())
        rows = session.store.journal.entries_of_run(runs[-1].number)
        recorded = repr(rows) + repr(session.store.drafted(runs[-1].number, runs[-1].models[-1].step))
    return runs, sink.shown, recorded


def short(body: dict) -> tuple[str | None, bool, int]:
    return body.get("previous_response_id"), body["store"], len(body["input"])


def test_by_default_nothing_is_kept_and_nothing_relied_on(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), answer(wire, "Now.", 520)]
    talk(server, tmp_path, {}, state="client")
    assert [short(body) for body in server.bodies] == [(None, False, 1), (None, False, 3)]


def test_a_server_that_goes_on_is_told_only_what_is_new(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), answer(wire, "Now.", 520, "r2"), answer(wire, "Then.", 540, "r3")]
    marks: dict[str, str] = {}
    runs, _, _ = talk(server, tmp_path, marks, (LONG, "And now?", "And then?"))
    assert [run.answer for run in runs] == ["Yes.", "Now.", "Then."]
    assert [short(body) for body in server.bodies] == [(None, True, 1), ("r1", True, 1), ("r2", True, 1)]
    assert [body["instructions"] for body in server.bodies] == [server.bodies[0]["instructions"]] * 3
    assert json.loads(marks[server.url]) == {"state": "yes"}
    assert [run.usage.input for run in runs] == [500, 520, 540]


@tool(effect="read")
def look() -> str:
    """Looks."""
    return "a whale"


def test_tool_results_go_on_from_the_call(server, wire, tmp_path):
    server.replies = [answer(wire, "", 500, call=True), answer(wire, "A whale.", 520, "r2")]
    runs, _, _ = talk(server, tmp_path, {}, (LONG,), tools=[look])
    assert runs[0].answer == "A whale."
    assert server.bodies[1]["previous_response_id"] == "r1"
    assert [item["type"] for item in server.bodies[1]["input"]] == ["function_call_output"]


def test_a_long_answer_that_was_forgotten_shows_though_more_was_sent_than_before(server, wire, tmp_path):
    said = answer(wire, LONG, 40, usage={"input_tokens": 40, "output_tokens": 540})
    server.replies = [said, answer(wire, WRONG, 45, "r2"), answer(wire, "Now.", 600, "r3")]
    marks: dict[str, str] = {}
    runs, shown, _ = talk(server, tmp_path, marks, ("Tell.", "And what was it that they were about?"))
    assert runs[-1].answer == "Now."
    assert not any(WRONG in each for each in shown)
    assert [short(body) for body in server.bodies] == [(None, True, 1), ("r1", True, 1), (None, True, 3)]
    assert json.loads(marks[server.url]) == {"state": "no"}


LIES = {
    "ignores the id": {},
    "echoes the id": {"previous_response_id": "r1"},
    "counts nothing": {"usage": None},
    "counts zero": {"usage": {"input_tokens": 0, "output_tokens": 0}},
}


@pytest.mark.parametrize("name", LIES)
def test_a_server_that_lies_is_found_out_before_anyone_sees(server, wire, tmp_path, name):
    lie = answer(wire, WRONG, 40, "r2", **LIES[name])
    server.replies = [answer(wire, "Yes.", 500), lie, answer(wire, "Now.", 520, "r3"), answer(wire, "Then.", 540)]
    marks: dict[str, str] = {}
    runs, shown, recorded = talk(server, tmp_path, marks, (LONG, "And now?", "And then?"))
    assert [run.answer for run in runs] == ["Yes.", "Now.", "Then."]
    assert [short(body) for body in server.bodies] == [
        (None, True, 1), ("r1", True, 1), (None, True, 3), (None, False, 5)
    ]  # fmt: skip
    assert not any("nothing" in text for text in shown)
    assert "nothing" not in recorded
    assert json.loads(marks[server.url]) == {"state": "no"}
    lost = 0 if "count" in name else 40
    assert runs[1].usage == Usage(520 + lost, 0, 5 + (5 if lost else 0))
    assert len(runs[1].models) == 1


def test_a_call_that_a_forgetful_server_makes_up_is_not_made(server, wire, tmp_path):
    made: list[int] = []

    @tool(effect="write")
    def look() -> str:
        """Looks."""
        made.append(1)
        return "x"

    server.replies = [answer(wire, "Yes.", 500), answer(wire, "", 40, "r2", call=True), answer(wire, "Now.", 520, "r3")]
    runs, _, _ = talk(server, tmp_path, {}, tools=[look])
    assert runs[1].answer == "Now."
    assert made == []


REFUSALS = {
    "llama-server": (400, "'previous_response_id' is not supported"),
    "not found": (404, "Response with id 'r1' not found."),
    "a conflict": (409, "conflict"),
    "unprocessable": (422, "extra inputs are not permitted"),
    "not made": (501, "not implemented"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_id_that_is_refused_is_replaced_by_all_of_it(server, wire, tmp_path, name):
    refused = wire.error(*REFUSALS[name])
    server.replies = [answer(wire, "Yes.", 500), refused, answer(wire, "Now.", 520, "r3"), answer(wire, "Then.", 540)]
    marks: dict[str, str] = {}
    runs, _, _ = talk(server, tmp_path, marks, (LONG, "And now?", "And then?"))
    assert [run.answer for run in runs] == ["Yes.", "Now.", "Then."]
    assert [short(body) for body in server.bodies] == [
        (None, True, 1), ("r1", True, 1), (None, True, 3), (None, False, 5)
    ]  # fmt: skip
    assert server.paths == ["/v1/responses"] * 4
    assert json.loads(marks[server.url]) == {"state": "no"}


def test_an_id_that_is_refused_inside_the_stream_is_replaced_too(server, wire, tmp_path):
    error = {"code": "previous_response_not_found", "message": "Previous response with id 'r1' not found."}
    refused = wire.stream({"type": "error", **error})
    server.replies = [answer(wire, "Yes.", 500), refused, answer(wire, "Now.", 520, "r3")]
    assert talk(server, tmp_path, {})[0][1].answer == "Now."


def test_a_proved_server_that_lost_one_id_stays_trusted(server, wire, tmp_path):
    gone = wire.error(400, "Previous response with id 'r1' not found.", "previous_response_not_found")
    server.replies = [
        answer(wire, "Yes.", 500),
        gone,
        answer(wire, "Now.", 520, "r3"),
        answer(wire, "Then.", 540, "r4"),
    ]
    marks = {server.url: '{"state":"yes"}'}
    talk(server, tmp_path, marks, (LONG, "And now?", "And then?"))
    assert [short(body) for body in server.bodies] == [
        (None, True, 1), ("r1", True, 1), (None, True, 3), ("r3", True, 1)
    ]  # fmt: skip
    assert marks == {server.url: '{"state":"yes"}'}


def test_a_request_that_fails_after_an_id_was_refused_marks_nothing(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), wire.error(400, "broken"), wire.error(400, "still broken")]
    marks: dict[str, str] = {}
    with pytest.raises(RunFailed, match="still broken"):
        talk(server, tmp_path, marks)
    assert marks == {}


def test_a_proved_server_that_forgets_is_caught_though_it_was_shown(server, wire, tmp_path):
    lie = answer(wire, WRONG, 40, "r2")
    server.replies = [answer(wire, "Yes.", 500), lie, answer(wire, "Now.", 520, "r3")]
    marks = {server.url: '{"state":"yes"}'}
    runs, _, _ = talk(server, tmp_path, marks)
    assert runs[1].answer == "Now."
    assert "forgotten" in runs[1].models[0].error
    assert runs[1].usage.input == 560
    assert json.loads(marks[server.url]) == {"state": "no"}


def test_a_server_that_may_not_store_is_asked_without(server, wire, tmp_path):
    refused = wire.error(400, "store must be false for this organization")
    server.replies = [refused, answer(wire, "Yes.", 500), answer(wire, "Now.", 520)]
    marks: dict[str, str] = {}
    talk(server, tmp_path, marks)
    assert [short(body) for body in server.bodies] == [(None, True, 1), (None, False, 1), (None, False, 3)]
    assert json.loads(marks[server.url]) == {"state": "no"}


def test_an_answer_that_was_not_to_be_kept_has_no_id(server, wire):
    server.replies = [answer(wire, "Yes.", 500)]
    assert [one_of(model_of(server, {}, state)).response_id for state in ("client", "server")] == ["", "r1"]


def one_of(model: OpenAIModel, request: ModelRequest | None = None) -> Completion:
    async def run() -> Completion:
        seen = [event async for event in model.stream(request or ModelRequest("", (user("a"),)))]
        assert isinstance(seen[-1], Completion)
        return seen[-1]

    return asyncio.run(run())


LITTLE, MUCH = "x" * 10, "x" * 2000
NOT_USED = {
    "nothing is new": ((user(MUCH), assistant("b")), Anchor("r1", 2, 50)),
    "nearly as much is new": ((user(MUCH), assistant("b"), user(MUCH)), Anchor("r1", 2, 50)),
    "the server never counted": ((user(MUCH), assistant("b"), user(LITTLE)), Anchor("r1", 2, 0)),
    "it covers nothing": ((user(MUCH), user(LITTLE)), Anchor("r1", 0, 50)),
}


@pytest.mark.parametrize("name", NOT_USED)
def test_an_id_is_not_sent_where_its_loss_would_not_show(server, wire, name):
    messages, anchor = NOT_USED[name]
    server.replies = [answer(wire, "Yes.", 500)]
    one_of(model_of(server, {}), ModelRequest("", messages, anchor=anchor))
    assert short(server.bodies[0]) == (None, True, len(messages))


def test_what_was_thrown_away_is_told_once(server, wire):
    server.replies = [answer(wire, WRONG, 40, "r2"), answer(wire, "Now.", 520, "r3")]
    request = ModelRequest("", (user(MUCH), assistant("b"), user(LITTLE)), anchor=Anchor("r1", 2, 500))

    async def run() -> list:
        return [event async for event in model_of(server, {}).stream(request)]

    events = asyncio.run(run())
    assert [event for event in events if isinstance(event, Metered) and event.discarded] == [
        Metered(Usage(40, 0, 5), None, discarded=True)
    ]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Now."
    assert events[-1].usage == Usage(520, 0, 5)


# -- which response a request may go on from -----------------------------------------------------------------------


def test_another_prompt_tool_or_model_breaks_the_anchor(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), answer(wire, "Now.", 520, "r2"), answer(wire, "Then.", 540, "r3")]
    with TemporarySession(model=model_of(server, {}), folder=tmp_path, sources=()) as session:

        async def run() -> None:
            await session.ask(LONG)
            session.tools.append(look)
            await session.ask("And now?")
            await session.ask("And then?")

        asyncio.run(run())
    assert [short(body) for body in server.bodies] == [(None, True, 1), (None, True, 3), ("r2", True, 1)]


def test_another_models_answer_is_no_anchor(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), answer(wire, "Now.", 520, "r2")]
    marks: dict[str, str] = {}
    other = OpenAIModel(
        "gpt-other", Endpoint(server.url, ""), Service(dialect="responses"), marks=marks, state="server"
    )
    with TemporarySession(model=model_of(server, marks), folder=tmp_path, sources=()) as session:

        async def run() -> None:
            await session.ask(LONG)
            session.session.use(other)
            await session.ask("And now?")

        asyncio.run(run())
    assert [short(body) for body in server.bodies] == [(None, True, 1), (None, True, 3)]


def test_an_anchor_survives_the_kernel(server, wire, tmp_path):
    server.replies = [answer(wire, "Yes.", 500), answer(wire, "Now.", 520, "r2")]
    with TemporarySession(model=model_of(server, {}), folder=tmp_path, sources=()) as session:
        asyncio.run(session.ask(LONG))
        session.restart(model_of(server, {}))
        asyncio.run(session.ask("And now?"))
    assert short(server.bodies[1]) == ("r1", True, 1)
