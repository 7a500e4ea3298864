"""A bridge of somebody else's in front of aimock: Responses turned into Chat Completions, and Chat passed on."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import StatebookError
from statebook.model.base import ModelSetup
from statebook.model.registry import resolve
from statebook.protocol.calls import AnswerForm
from statebook.testing import TemporarySession, check_model

from .relay import Relay
from .running import KEY
from .sound import check_journal, check_prefix, check_requests, outcomes

pytestmark = pytest.mark.slow

STORY = "Once there was a river that ran through a valley of stones, and nobody had counted them." * 12
CALLS = [{"name": "add", "arguments": {"a": 1, "b": 2}}, {"name": "add", "arguments": {"a": 3, "b": 4}}]
SUMS = [
    {
        "match": {"userMessage": "sums", "hasToolResult": True},
        "response": {"content": "They are 3 and 7.", "usage": {"prompt_tokens": 300, "completion_tokens": 20}},
    },
    {"match": {"userMessage": "sums"}, "response": {"content": "Let me add.", "toolCalls": CALLS}},
]
ANYTHING = {"endpoint": "chat"}


@pytest.fixture
def relay(bridge):
    """In front of the bridge: what is asked of it, byte by byte."""
    made = Relay(bridge.url)
    yield made
    made.close()


@pytest.fixture
def setup(api, relay):
    """``litellm:`` speaks Chat, ``openai:`` Responses, to the same bridge."""
    url = f"{relay.url}/v1"
    if api == "chat":
        return "litellm:bridged", ModelSetup({"LITELLM_BASE_URL": url, "LITELLM_API_KEY": KEY})
    return "openai:bridged", ModelSetup({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY})


@pytest.fixture
def model(setup):
    return resolve(*setup)


def ask(session, prompt, **fields):
    return asyncio.run(session.ask(prompt, **fields))


def test_parallel_calls_go_there_and_back(session, aimock, relay, api):
    aimock.answers(*SUMS)
    run = ask(session, "The sums, please.")
    assert run.answer == "They are 3 and 7."
    assert [call.result.text for call in run.calls] == ["3.0", "7.0"]
    assert (run.models[-1].usage.input, run.models[-1].usage.output) == (300, 20)
    assert {request.path.rpartition("/")[2] for request in relay.posts} == {
        "responses" if api == "responses" else "completions"
    }
    reached = aimock.requests[-1]
    assert reached["path"] == "/v1/chat/completions"
    results = [message["content"] for message in reached["body"]["messages"] if message["role"] == "tool"]
    assert results == ["3.0", "7.0"]
    check_requests(relay.posts)
    check_prefix(relay.posts)
    check_journal(session)


def test_the_model_behind_the_bridge_keeps_every_promise(model, aimock, relay):
    aimock.answers({"match": ANYTHING, "response": {"content": "Hello there, this comes over a bridge."}})

    def failing():
        aimock.chaos(dropRate=1)
        return model

    check_model(lambda: model, failing=failing)
    check_requests(relay.posts)


def test_an_answer_in_a_form(session, aimock):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    aimock.answers({"match": ANYTHING, "response": {"content": {"n": 3}}})
    assert json.loads(ask(session, "How many?", answer=AnswerForm("json", "Count", schema)).answer) == {"n": 3}
    asked = aimock.requests[-1]["body"]["response_format"]
    assert asked["json_schema"]["schema"]["properties"] == schema["properties"]


STATUSES = [
    (400, {"message": "maximum context length is 8 tokens", "code": "context_length_exceeded"}, "overflow"),
    (429, {"message": "Slow down", "type": "rate_limit_error"}, "rate_limited"),
    (500, {"message": "boom", "type": "server_error"}, "server_fault"),
]


def test_what_the_bridge_makes_of_errors_is_typed(session, aimock, relay):
    for number, (status, body, fault) in enumerate(STATUSES, start=1):
        aimock.reset()
        aimock.answers({"match": ANYTHING, "response": {"error": body, "status": status}})
        with pytest.raises(StatebookError):
            ask(session, f"Question {number}")
        assert set(outcomes(session, number)) == {fault}
    aimock.reset()
    aimock.answers({"match": ANYTHING, "response": {"content": "Yes."}})
    assert ask(session, "And now?").answer == "Yes."
    check_requests(relay.posts)
    check_journal(session)


def test_a_key_that_the_bridge_does_not_know_is_told_without_the_key(setup, aimock, quick_retries):  # noqa: ARG001 - fixtures that prepare
    name, given = setup
    wrong = ModelSetup({key: value if "://" in value else "sk-wrong" for key, value in given.env.items()})
    with TemporarySession(model=resolve(name, wrong)) as session:
        with pytest.raises(StatebookError) as caught:
            ask(session, "Hello?")
        assert outcomes(session) == ["refused_request"]  # without a database it knows one key, and says it like this
    assert "No connected db" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


def test_a_stream_that_breaks_off_behind_the_bridge_is_asked_for_again(session, aimock, relay):
    cut = {"match": {**ANYTHING, "sequenceIndex": 0}, "response": {"content": STORY}, "truncateAfterChunks": 5}
    aimock.answers(cut, {"match": ANYTHING, "response": {"content": STORY}})
    assert ask(session, "Tell me.").answer == STORY
    check_requests(relay.posts)


@pytest.mark.parametrize("api", ["responses"])
def test_a_bridge_that_only_seems_to_keep_the_conversation_is_found_out(setup, relay, aimock, quick_retries):  # noqa: ARG001 - see above
    """It takes ``previous_response_id`` and answers without knowing what came before."""
    aimock.answers(
        {"match": {"userMessage": "story"}, "response": {"content": STORY}},
        {"match": {"userMessage": "river"}, "response": {"content": "Through a valley of stones."}},
    )
    name, given = setup
    marks: dict[str, str] = {}
    keeping = ModelSetup(given.env, state="server", marks=marks)
    with TemporarySession(model=resolve(name, keeping)) as session:
        assert ask(session, "Tell me a story.").answer == STORY
        assert ask(session, "Where did the river run?").answer == "Through a valley of stones."
        said = [message["role"] for message in aimock.requests[-1]["body"]["messages"]]
        assert said == ["system", "user", "assistant", "user"]
        assert ask(session, "Where, again, did the river run?").answer == "Through a valley of stones."
        check_journal(session)
    carried = ["previous_response_id" in request.body for request in relay.posts]
    assert carried == [False, True, False, False]
    assert list(marks.values())
    check_requests([request for request in relay.posts if "previous_response_id" not in request.body])
