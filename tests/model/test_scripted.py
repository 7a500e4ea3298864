"""The scripted model fails where a test would otherwise pass by luck."""

import asyncio
import json

import pytest
from statebook.errors import ModelError
from statebook.protocol.messages import Message, ToolResult, user
from statebook.protocol.models import Completion, ModelRequest, TextDelta, Usage
from statebook.testing import ScriptedModel, call, fail, hang, say


def ask(model, *messages):
    async def run():
        return [event async for event in model.stream(ModelRequest("", messages or (user("hi"),)))]

    return asyncio.run(run())


def test_unused_steps_fail_on_exit():
    with (
        pytest.raises(AssertionError, match="1 of 2 scripted steps were never asked for: call add"),
        ScriptedModel([say("one"), call("add", {"a": 1})]) as model,
    ):
        ask(model)


def test_an_unexpected_request_fails_now_and_on_exit():
    model = ScriptedModel([])
    with pytest.raises(AssertionError, match=r"Request 1 was not expected.*'hi'"):
        ask(model)
    with pytest.raises(AssertionError, match="Request 1 was not expected"):
        model.verify()


@pytest.mark.parametrize("expect", ["sum", lambda request: len(request.messages) > 1])
def test_an_expectation_that_is_not_met_fails(expect):
    model = ScriptedModel([say("x", expect=expect)])
    with pytest.raises(AssertionError, match="Request 1 does not"):
        ask(model)
    with pytest.raises(AssertionError, match="Request 1 does not"):
        model.verify()


def test_an_expectation_sees_tool_results():
    model = ScriptedModel([say("x", expect="the result")])
    ask(model, user("a"), Message("tool", (ToolResult("c", "t", "the result"),)))
    model.verify()
    assert len(model.requests) == 1


def test_an_error_on_its_way_out_is_not_hidden_by_unused_steps():
    with pytest.raises(KeyError), ScriptedModel([say("x")]):
        raise KeyError("real")


def test_parallel_calls_with_a_text_and_usage():
    model = ScriptedModel([call("a", {"x": 1}, "b", "not json", "c", text="Both.", usage=Usage(5, 0, 2))])
    done = ask(model)[-1]
    assert isinstance(done, Completion)
    assert [(each.name, each.arguments) for each in done.message.calls] == [
        ("a", json.dumps({"x": 1})),
        ("b", "not json"),
        ("c", "{}"),
    ]
    assert (done.message.text, done.stop, done.usage.total) == ("Both.", "tool_calls", 7)


def test_a_failure_comes_after_its_text():
    model = ScriptedModel([fail(ModelError("No.", retryable=True), text="So far")])
    seen = []

    async def run():
        async for event in model.stream(ModelRequest("", (user("hi"),))):
            seen.append(event)  # noqa: PERF401 (what came before the error counts)

    with pytest.raises(ModelError):
        asyncio.run(run())
    assert "".join(event.text for event in seen if isinstance(event, TextDelta)) == "So far"


def test_a_hanging_step_waits_until_cancelled():
    model = ScriptedModel([hang("Wait")])

    async def run():
        await asyncio.wait_for(anext(aiter(model.stream(ModelRequest("", (user("hi"),))))), 5)
        task = asyncio.create_task(anext(aiter(ScriptedModel([hang()]).stream(ModelRequest("", (user("hi"),))))))
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
