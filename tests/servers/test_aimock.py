"""Whole runs against aimock, over both APIs: what is asked, what is answered, what is journaled."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import RunFailed, StatebookError
from statebook.model.base import ModelSetup
from statebook.model.registry import resolve
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import Reasoning
from statebook.protocol.models import Usage
from statebook.testing import TemporarySession, check_model

from .conftest import tools
from .sound import check_journal, check_prefix, check_requests, outcomes

pytestmark = pytest.mark.slow

TWO = [{"name": "add", "arguments": {"a": 1, "b": 2}}, {"name": "add", "arguments": {"a": 3, "b": 4}}]
SUMS = [
    {
        "match": {"userMessage": "sums", "toolResultContains": "21"},
        "response": {
            "content": "Their product is 21, as you see.",
            "usage": {"prompt_tokens": 300, "completion_tokens": 20},
        },
    },
    {
        "match": {"userMessage": "sums", "hasToolResult": True},
        "response": {"toolCalls": [{"name": "mul", "arguments": {"a": 3, "b": 7}}]},
    },
    {
        "match": {"userMessage": "sums"},
        "response": {"reasoning": "Two sums first.", "content": "Let me add.", "toolCalls": TWO},
    },
]


ROUTES = {"responses": "/v1/responses", "chat": "/v1/chat/completions"}


def ask(session, prompt, **fields):
    return asyncio.run(session.ask(prompt, **fields))


ANYTHING = {"endpoint": "chat"}
YES = {"match": ANYTHING, "response": {"content": "Yes."}}


def in_turn(*answers):
    """The first to the first request, and so on."""
    return [{"match": {**ANYTHING, "sequenceIndex": place}, **answer} for place, answer in enumerate(answers)]


def test_a_run_of_several_steps_with_parallel_calls(session, aimock, relay, api):
    aimock.answers(*SUMS)
    run = ask(session, "Multiply the two sums.")
    assert run.answer == "Their product is 21, as you see."
    assert [(call.call.name, json.loads(call.call.arguments), call.result.text) for call in run.calls] == [
        ("add", {"a": 1, "b": 2}, "3.0"),
        ("add", {"a": 3, "b": 4}, "7.0"),
        ("mul", {"a": 3, "b": 7}, "21.0"),
    ]
    assert [model.stop for model in run.models] == ["tool_calls", "tool_calls", "end"]
    assert (run.models[-1].usage.input, run.models[-1].usage.output) == (300, 20)
    assert len(relay.posts) == 3
    assert {request.path for request in relay.posts} == {ROUTES[api]}
    check_requests(relay.posts)
    check_prefix(relay.posts)
    check_journal(session)


def test_the_prefix_stays_the_same_from_cell_to_cell_and_kernel_to_kernel(session, aimock, relay):
    plain = [entry | {"response": {k: v for k, v in entry["response"].items() if k != "reasoning"}} for entry in SUMS]
    aimock.answers(*plain, YES)
    ask(session, "Multiply the two sums.")
    ask(session, "Is that so?")
    session.restart()
    ask(session, "Really?")
    assert len(relay.posts) == 5
    check_requests(relay.posts)
    check_prefix(relay.posts)


def test_reasoning_is_kept_and_sent_back_as_the_api_asks(session, aimock, relay, api):
    aimock.answers(*SUMS)
    run = ask(session, "Multiply the two sums.")
    thought = run.models[0].message.parts[0]
    assert isinstance(thought, Reasoning)
    assert thought.text == "Two sums first."
    sent = relay.posts[1].body
    if api == "responses":
        assert sent["input"][1]["type"] == "reasoning"
        assert sent["input"][1]["encrypted_content"]
        assert sent["store"] is False
    else:
        assert sent["messages"][2]["reasoning_content"] == "Two sums first."


GREETING = {
    "type": "object",
    "properties": {"greeting": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["greeting", "count"],
    "additionalProperties": False,
}


def test_an_answer_of_the_wrong_form_is_mended_once(session, aimock, relay, api):
    wrong, right = {"greeting": "Hi"}, {"greeting": "Hi", "count": 2}
    aimock.answers(*in_turn({"response": {"content": wrong}}, {"response": {"content": right}}))
    run = ask(session, "Greet twice.", answer=AnswerForm("json", "Greeting", GREETING))
    assert json.loads(run.answer) == right
    assert len(relay.posts) == 2
    body = relay.posts[0].body
    form = body["text"]["format"] if api == "responses" else body["response_format"]["json_schema"]
    assert form["schema"] == GREETING
    assert run.models[0].rejected
    check_requests(relay.posts)
    check_prefix(relay.posts)
    check_journal(session)


def test_a_429_is_waited_out_as_the_server_asks(session, aimock):
    told = []
    session.sink = Watching(told)
    limit = {"error": {"message": "Slow down.", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}
    aimock.answers(*in_turn({"response": limit}, {"response": {"content": "Here it is."}}))
    run = ask(session, "Hello?")
    assert run.answer == "Here it is."
    assert outcomes(session) == ["rate_limited", "answered"]
    assert any("429" in line and "in 1 s" in line for line in told), told
    assert "Slow down" in run.models[0].error
    first, second = (entry["timestamp"] for entry in aimock.requests)
    assert second - first >= 1000  # milliseconds; never less than what was asked for
    check_journal(session)


class Watching:
    """A sink that keeps what a person is told."""

    def __init__(self, told):
        self.told = told

    def update(self, run):
        """Nothing."""

    def progress(self, run, words):
        self.told.append(words)

    def close(self, run):
        """Nothing."""


LONG = "One sentence that is long enough to come in many pieces, so that it can be cut in the middle of it."


@pytest.mark.parametrize("how", [{"truncateAfterChunks": 7}, {"disconnectAfterMs": 120, "latency": 20}], ids=str)
def test_a_stream_that_breaks_off_is_asked_for_again(session, aimock, relay, how):
    aimock.answers(*in_turn({"response": {"content": LONG}, **how}, {"response": {"content": LONG}}))
    run = ask(session, "Say it.")
    assert run.answer == LONG
    broken, whole = outcomes(session)
    assert (broken in {"broken_off", "truncated"}, whole) == (True, "answered")
    assert LONG.startswith(run.models[0].partial)
    check_requests(relay.posts)
    assert relay.posts[0].raw == relay.posts[1].raw
    check_journal(session)


STATUSES = [
    (400, {"message": "maximum context length is 8 tokens", "code": "context_length_exceeded"}, "overflow"),
    (401, {"message": "Incorrect API key", "code": "invalid_api_key"}, "refused_key"),
    (403, {"message": "Country not supported"}, "forbidden"),
    (404, {"message": "The model does not exist", "code": "model_not_found"}, "unknown_model"),
    (429, {"message": "You exceeded your quota", "code": "insufficient_quota"}, "no_quota"),
    (500, {"message": "boom", "type": "server_error"}, "server_fault"),
    (503, {"message": "busy"}, "overloaded"),
]


@pytest.mark.parametrize(("status", "body", "fault"), STATUSES, ids=[fault for *_, fault in STATUSES])
def test_a_refusal_is_typed_and_the_session_goes_on(session, aimock, relay, status, body, fault):  # noqa: PLR0917 - one column a parameter
    aimock.answers({"match": {"userMessage": "Say"}, "response": {"error": body, "status": status}}, YES)
    with pytest.raises(StatebookError) as caught:
        ask(session, "Say it.")
    assert "\n" not in str(caught.value)
    assert set(outcomes(session)) == {fault}
    assert len(outcomes(session)) == (3 if fault in {"server_fault", "overloaded"} else 1)
    assert ask(session, "Go on?").answer == "Yes."
    check_requests(relay.posts)
    check_journal(session)


def test_a_cell_that_failed_is_gone_on_with_where_it_stood(session, aimock, relay):
    broken = {"error": {"message": "boom", "type": "server_error"}, "status": 500}
    aimock.answers({"match": {"hasToolResult": True}, "response": broken}, SUMS[-1])
    with pytest.raises(RunFailed):
        ask(session, "The sums.", cell_id="a")
    aimock.reset()
    aimock.answers(*SUMS)
    run = ask(session, "The sums.", cell_id="a")
    assert run.number == 1
    assert run.answer.startswith("Their product")
    assert [call.result.text for call in run.calls] == ["3.0", "7.0", "21.0"]
    check_requests(relay.posts)
    check_journal(session)


def test_the_model_keeps_every_promise(model, aimock, relay):
    aimock.answers(
        {"match": {"model": "gpt-5.5", "userMessage": "hello"}, "response": {"content": "Hello there, this is me."}},
        {"match": ANYTHING, "response": {"content": "A dot, as it seems."}},
    )

    def failing():
        aimock.chaos(dropRate=1)
        return model

    check_model(lambda: model, failing=failing)
    check_requests(relay.posts)


def test_usage_that_is_not_told_is_not_invented(session, aimock, api):
    aimock.answers(YES)
    run = ask(session, "Say it.")
    if api == "responses":  # aimock counts only over chat
        assert run.usage == Usage()
    else:
        assert run.usage.total > 0
    assert not run.cost.known  # calls were made, and nobody knows at which price


# -- servers by name -------------------------------------------------------------------------------------------------

NAMED = [
    ("azure", {"AZURE_OPENAI_ENDPOINT": "{url}", "AZURE_OPENAI_API_KEY": "k"}, "/openai/v1/responses"),
    ("bedrock", {"AWS_BEDROCK_BASE_URL": "{url}/openai/v1", "AWS_BEARER_TOKEN_BEDROCK": "k"}, "/openai/v1/responses"),
    ("openrouter", {"OPENROUTER_BASE_URL": "{url}/api/v1", "OPENROUTER_API_KEY": "k"}, "/api/v1/chat/completions"),
    ("anthropic", {"ANTHROPIC_BASE_URL": "{url}/v1", "ANTHROPIC_API_KEY": "k"}, "/v1/chat/completions"),
    ("gemini", {"GEMINI_BASE_URL": "{url}/v1beta/openai", "GEMINI_API_KEY": "k"}, "/v1beta/openai/chat/completions"),
    ("ollama", {"OLLAMA_HOST": "{url}"}, "/v1/chat/completions"),
    ("lmstudio", {"LMSTUDIO_BASE_URL": "{url}/v1"}, "/v1/chat/completions"),
    ("vllm", {"VLLM_BASE_URL": "{url}/v1"}, "/v1/chat/completions"),
    ("litellm", {"LITELLM_BASE_URL": "{url}/v1"}, "/v1/chat/completions"),
]


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("api", ["responses"])
@pytest.mark.parametrize(("name", "env", "path"), NAMED, ids=[name for name, *_ in NAMED])
def test_a_server_by_name_is_asked_where_its_variables_say(aimock, relay, name, env, path):
    aimock.answers(*SUMS)
    setup = ModelSetup({key: value.format(url=relay.url) for key, value in env.items()})
    with TemporarySession(model=resolve(f"{name}:gpt-5.5", setup), tools=tools()) as session:
        run = ask(session, "Multiply the two sums.")
        assert run.answer.startswith("Their product")
        assert len(run.calls) == 3
        check_journal(session)
    assert relay.posts[-1].path == path
    sent = relay.posts[-1].head.lower()
    assert ("\r\nauthorization: bearer k\r\n" in sent or "\r\napi-key: k\r\n" in sent) == ("k" in env.values())
    check_requests(relay.posts)
    check_prefix([request for request in relay.posts if request.path == path])


@pytest.mark.parametrize("api", ["chat"])
def test_openrouter_says_what_it_cost_and_what_came_from_the_cache(aimock, relay):
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost": 0.0021,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    aimock.answers({"match": ANYTHING, "response": {"content": "Yes.", "usage": usage}})
    setup = ModelSetup({"OPENROUTER_BASE_URL": f"{relay.url}/api/v1", "OPENROUTER_API_KEY": "k"})
    with TemporarySession(model=resolve("openrouter:openai/gpt-5.5", setup)) as session:
        run = ask(session, "Say it.")
        assert run.usage == Usage(100, 80, 10, 4)
        assert (run.cost.dollars, run.cost.known) == (0.0021, True)
