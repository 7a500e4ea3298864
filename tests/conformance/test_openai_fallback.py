"""How the client finds out what a server speaks and takes: the other API, one option less, no reasoning items."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import ModelError
from statebook.model.openai import OpenAIModel
from statebook.model.openai.marks import Mark, read_mark, write_mark
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import File, Message, Reasoning, Text, assistant, user
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

pytestmark = pytest.mark.slow  # many conversations with a server

DONE = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}
OK = {"type": "response.output_text.delta", "delta": "ok"}
CHAT = (
    {"choices": [{"index": 0, "delta": {"content": "ok"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
)
HELLO = ModelRequest("", (user("hello"),))
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False}


def asks(server, *requests: ModelRequest, marks=None, dialect="auto", model="gpt-test") -> list[str]:
    """What each request was answered, all by one model."""
    made = OpenAIModel(model, Endpoint(server.url, ""), Service(dialect=dialect), marks=marks, timeout=10)

    async def run() -> list[str]:
        answers = []
        for request in requests or (HELLO,):
            events = [event async for event in made.stream(request)]
            answers.append(events[-1].message.text)
        return answers

    return asyncio.run(run())


def plain(status: int, body: str, media_type: str = "application/json", wire=None):
    return wire.Reply([body.encode()], status, media_type)


MISSING = {
    "FastAPI": (404, '{"detail":"Not Found"}'),
    "a method": (405, '{"detail":"Method Not Allowed"}'),
    "not made": (501, "{}"),
    "a page": (404, "<html><body>404 page not found</body></html>"),
    "nothing": (404, ""),
    "OpenAI's words": (404, '{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error"}}'),
    "LM Studio's words": (200, '{"error":"Unexpected endpoint or method. (POST /v1/responses)"}'),
    "Express": (404, "<pre>Cannot POST /v1/responses</pre>"),
    "Anthropic": (404, '{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}'),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_server_without_the_route_is_asked_on_the_other_and_remembered(server, wire, name):
    status, body = MISSING[name]
    media_type = "application/json" if body.startswith("{") else "text/html"
    server.replies = [wire.Reply([body.encode()] if body else [], status, media_type), wire.chat(*CHAT)]
    marks: dict[str, str] = {}
    assert asks(server, HELLO, HELLO, marks=marks) == ["ok", "ok"]
    assert server.paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]
    assert marks == {server.url: '{"speaks":"chat"}'}
    assert asks(server, marks=marks) == ["ok"]  # another kernel
    assert server.paths[-1] == "/v1/chat/completions"


NO_MODEL = {
    "OpenAI": '{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}',
    "Ollama": '{"error":{"message":"model \\"x\\" not found, try pulling it first","type":"not_found_error"}}',
    "vLLM": '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","code":404}}',
    "Ollama, older": '{"error":"model \'x\' not found"}',
    "Anthropic": '{"type":"error","error":{"type":"not_found_error","message":"model: x"}}',
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_a_model_that_is_not_there_is_no_missing_route(server, wire, name):
    server.replies = [plain(404, NO_MODEL[name], wire=wire)]
    marks: dict[str, str] = {}
    with pytest.raises(ModelError, match="knows no model") as caught:
        asks(server, marks=marks)
    assert caught.value.fault == "unknown_model"
    assert server.paths == ["/v1/responses"]
    assert marks == {}


def test_a_server_that_answers_is_remembered_for_what_it_speaks(server, wire):
    server.replies = [wire.stream(OK, DONE)]
    marks: dict[str, str] = {}
    asks(server, marks=marks)
    assert marks == {server.url: '{"speaks":"responses"}'}


def test_a_mark_that_is_no_longer_true_is_mended(server, wire):
    server.replies = [plain(404, '{"detail":"Not Found"}', wire=wire), wire.stream(OK, DONE)]
    marks = {server.url: '{"speaks":"chat","state":"no"}'}
    assert asks(server, marks=marks) == ["ok"]
    assert server.paths == ["/v1/chat/completions", "/v1/responses"]
    assert marks == {server.url: '{"speaks":"responses","state":"no"}'}


def test_a_model_of_the_other_api_is_asked_there_and_the_server_is_not_marked(server, wire):
    refused = wire.error(400, "This model is only supported in v1/chat/completions and not in v1/responses.")
    server.replies = [refused, wire.chat(*CHAT)]
    marks: dict[str, str] = {}
    assert asks(server, HELLO, HELLO, marks=marks) == ["ok", "ok"]
    assert [path[4:] for path in server.paths] == ["responses", "chat/completions", "chat/completions"]
    assert marks == {}


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_a_preset_that_knows_is_not_second_guessed(server, wire, dialect):
    server.replies = [plain(404, '{"detail":"Not Found"}', wire=wire)]
    with pytest.raises(ModelError, match="nothing at this address"):
        asks(server, dialect=dialect)
    assert len(server.paths) == 1


def test_a_server_without_either_route_names_its_address(server, wire):
    server.replies = [plain(404, '{"detail":"Not Found"}', wire=wire)]
    marks: dict[str, str] = {}
    with pytest.raises(ModelError, match=r"nothing at this address.*base URL"):
        asks(server, marks=marks)
    assert len(server.paths) == 2
    assert marks == {}


TOOL = ToolSpec("add", "Adds.", SCHEMA, "read")
OPTIONS = {
    "include": ("Encrypted content is not supported with this model.", "", "include"),
    "include, by parameter": ("Unsupported parameter", "include", "include"),
    "a summary": ("Unsupported parameter: 'reasoning.summary' is not supported with this model.", "reasoning.summary",
                  "reasoning"),
    "a summary, unverified": ("Your organization must be verified to generate reasoning summaries.", "", "reasoning"),
    "a cache key": ("Unrecognized request argument supplied: prompt_cache_key", "", "prompt_cache_key"),
    "parallel calls": ("Unsupported parameter: 'parallel_tool_calls'", "", "parallel_tool_calls"),
    "a form": ("Invalid parameter: 'text.format' of type 'json_schema' is not supported with this model.",
               "text.format", "text"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_refused_by_name_is_left_out_from_then_on(server, wire, name):
    message, param, option = OPTIONS[name]
    body = json.dumps({"error": {"message": message, "param": param or None, "code": "unsupported_parameter"}})
    server.replies = [plain(400, body, wire=wire), wire.stream(OK, DONE)]
    request = ModelRequest("", (user("a"),), (TOOL,), cache_key="s", answer=AnswerForm("json", "a", SCHEMA))
    assert asks(server, request, request, model="gpt-5.5") == ["ok", "ok"]
    assert [option in sent for sent in server.bodies] == [True, False, False]
    assert len({frozenset(sent) - {option} for sent in server.bodies}) == 1


def test_a_schema_that_is_too_strict_is_sent_loosely(server, wire):
    refused = wire.error(
        400, "Invalid schema for function 'add': 'format' is not permitted.", "invalid_function_parameters"
    )
    server.replies = [refused, wire.stream(OK, DONE)]
    asks(server, ModelRequest("", (user("a"),), (TOOL,)))
    assert [sent["tools"][0]["strict"] for sent in server.bodies] == [True, False]


def test_options_are_left_out_one_after_the_other(server, wire):
    first, second = wire.error(400, "Unknown parameter: include"), wire.error(422, "prompt_cache_key: extra inputs")
    server.replies = [first, second, wire.stream(OK, DONE)]
    assert asks(server, ModelRequest("", (user("a"),), cache_key="s")) == ["ok"]
    assert {"include", "prompt_cache_key"} & server.bodies[2].keys() == set()


def test_a_refusal_that_never_ends_ends(server, wire):
    server.replies = [wire.error(400, "Unknown parameters: include, store, parallel_tool_calls, prompt_cache_key")]
    with pytest.raises(ModelError, match="Unknown parameters"):
        asks(server, ModelRequest("", (user("a"),), (TOOL,), cache_key="s"))
    assert len(server.bodies) == 5


def test_what_a_person_asked_for_is_not_left_out(server, wire):
    server.replies = [wire.error(400, "Unsupported parameter: 'temperature' is not supported with this model.")]
    with pytest.raises(ModelError, match="temperature"):
        asks(server, ModelRequest("", (user("a"),), temperature=0.5))
    assert len(server.bodies) == 1


LOST = {
    "not found": (404, "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", ""),
    "expired": (400, "The reasoning item rs_1 has expired.", ""),
    "not readable": (400, "The encrypted content could not be verified.", "invalid_encrypted_content"),
}


def thoughtful(server) -> ModelRequest:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    kept = {"type": "responses.reasoning", "source": f"{server.url} gpt-test", "item": item}
    said = Message("assistant", (Reasoning("Think.", kept), Text("Hi.")))
    return ModelRequest("", (user("a"), said, user("b")))


@pytest.mark.parametrize("name", LOST)
def test_a_reasoning_item_that_is_lost_goes_without_its_id(server, wire, name):
    server.replies = [wire.error(*LOST[name]), wire.stream(OK, DONE)]
    assert asks(server, thoughtful(server)) == ["ok"]
    assert [sent["input"][1].get("id") for sent in server.bodies] == ["rs_1", None]
    assert server.bodies[1]["input"][1]["encrypted_content"] == "gAAA"
    assert server.paths == ["/v1/responses"] * 2


def test_a_reasoning_item_that_can_not_be_read_at_all_stays_home(server, wire):
    refused = wire.error(*LOST["not readable"])
    server.replies = [refused, refused, wire.stream(OK, DONE)]
    assert asks(server, thoughtful(server)) == ["ok"]
    assert [sent["input"][1]["type"] for sent in server.bodies] == ["reasoning", "reasoning", "message"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("{}", Mark()),
        ("no JSON", Mark()),
        ("[]", Mark()),
        ('{"speaks":"chat","state":"no"}', Mark("chat", "no")),
        ('{"speaks":"klingon","more":1,"state":"yes"}', Mark("", "yes")),
    ],
)
def test_marks_are_read_from_their_text(text, mark):
    assert read_mark({"http://h/v1": text}, "http://h/v1") == mark
    assert read_mark({}, "http://h/v1") == Mark()


def test_a_mark_is_written_once():
    class Once(dict):
        def __setitem__(self, key, value):
            assert key not in self
            super().__setitem__(key, value)

    marks = Once()
    for _ in range(2):
        write_mark(marks, "here", Mark("responses", "yes"))
    assert marks == {"here": '{"speaks":"responses","state":"yes"}'}


def pictured(*, now: bool = False) -> ModelRequest:
    picture = Message("user", (Text("Look."), File("d1", "image/png", "plot.png")))
    messages = (picture,) if now else (picture, assistant("A plot."), user("And now?"))
    return ModelRequest("", messages, files={"d1": b"PNG"})


BLIND = "image input is not supported by this model"


def test_a_model_that_takes_no_pictures_is_told_of_the_older_ones(server, wire):
    server.replies = [wire.error(500, BLIND), wire.stream(OK, DONE)]
    assert asks(server, pictured(), pictured()) == ["ok", "ok"]
    kinds = [[block["type"] for block in body["input"][0]["content"]] for body in server.bodies]
    assert kinds == [["input_text", "input_image"], ["input_text", "input_text"], ["input_text", "input_text"]]
    assert "plot.png" in server.bodies[1]["input"][0]["content"][1]["text"]


def test_a_picture_that_is_handed_over_now_is_not_left_out_unsaid(server, wire):
    server.replies = [wire.error(400, BLIND)]
    with pytest.raises(ModelError, match="image input is not supported"):
        asks(server, pictured(now=True))
    assert len(server.bodies) == 1
