"""`check_model` finds each promise that a model may break, and nothing where none is broken."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from statebook.errors import ModelError
from statebook.protocol.messages import Message, Text, ToolCall, assistant
from statebook.protocol.models import Completion, ReasoningDelta, TextDelta, Usage
from statebook.testing import ScriptedModel, check_model, fail, say

HELLO = Completion(assistant("Hello there."), Usage(10, 2, 3, 1))


class Good:
    """Keeps every promise; the others below break one each."""

    name = "house:small"
    context_tokens = 8_000
    done = HELLO

    async def stream(self, request):
        yield ReasoningDelta("A greeting.")
        for word in ("Hello ", "there."):
            await asyncio.sleep(0)
            yield TextDelta(word)
        yield self.done

    def price(self, usage):
        return usage.total / 1e6


def with_calls(*calls, stop="tool_calls"):
    message = Message("assistant", (Text("Hello there."), *calls))

    class Calling(Good):
        done = replace(HELLO, message=message, stop=stop)

    return Calling


class Nameless(Good):
    name = "small"


class Vanishing(Good):
    name = "offline:another"


class Sizeless(Good):
    context_tokens = 0


class Paying(Good):
    def price(self, usage):
        return -0.5


class Endless(Good):
    async def stream(self, request):
        async for event in super().stream(request):
            if not isinstance(event, Completion):
                yield event


class Twice(Good):
    async def stream(self, request):
        async for event in super().stream(request):
            yield event
        yield self.done


class Late(Good):
    async def stream(self, request):
        async for event in super().stream(request):
            yield event
        yield ReasoningDelta("And one more thing.")


class Forgetful(Good):
    done = replace(HELLO, message=assistant("Hello."))


class Foreign(Good):
    async def stream(self, request):
        yield {"type": "text", "text": "x"}
        async for event in super().stream(request):
            yield event


class Empty(Good):
    async def stream(self, request):
        yield replace(HELLO, message=assistant(" "))


class Miscounting(Good):
    done = replace(HELLO, usage=Usage(1, 5))


class Choosy(Good):
    async def stream(self, request):
        if request.files:
            raise KeyError("image")
        async for event in super().stream(request):
            yield event


class Meddling(Good):
    async def stream(self, request):
        for tool in request.tools:
            tool.parameters["additionalProperties"] = False
        async for event in super().stream(request):
            yield event


class Stubborn(Good):
    async def stream(self, request):
        try:
            yield TextDelta("Hello ")
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass
        yield TextDelta("there.")
        yield self.done


class Mistaking(Good):
    async def stream(self, request):
        try:
            yield TextDelta("Hello there.")
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            raise ModelError("Stopped.") from None
        yield self.done


class OneLoop(Good):
    def __init__(self):
        self.lock = None

    async def stream(self, request):
        loop = asyncio.get_running_loop()
        self.lock = self.lock or loop
        if self.lock is not loop:
            raise RuntimeError("attached to a different loop")
        async for event in super().stream(request):
            yield event


class Hanging(Good):
    async def stream(self, request):
        await asyncio.Event().wait()
        yield self.done


BROKEN = [
    (Nameless, "not of the form provider:model"),
    (Vanishing, "No model named 'offline:another'"),
    (Sizeless, "context_tokens is 0"),
    (Paying, "is -0.5"),
    (Endless, "0 Completions"),
    (Twice, "2 Completions"),
    (Late, "after the Completion"),
    (Forgetful, "the deltas make 'Hello there.'"),
    (Foreign, "no event of a model"),
    (Empty, "the deltas make ''"),
    (Miscounting, "more was cached than sent"),
    (Choosy, "everything a request may hold is borne: KeyError"),
    (Meddling, "the request was changed"),
    (Stubborn, "went on to its end"),
    (Mistaking, "raised ModelError"),
    (OneLoop, "attached to a different loop"),
    (with_calls(ToolCall("a", "look", "{}")), "though none was offered"),
    (with_calls(ToolCall("a", "look", "{}"), stop="end"), "the stop reason is 'end', with 1 tool calls"),
    (with_calls(ToolCall("a", "look", "{}"), ToolCall("a", "look", "{}")), "share ids"),
    (with_calls(ToolCall("", "look", "{}")), "has no id"),
    (with_calls(ToolCall("a", "", "{}")), "has no name"),
    (with_calls(ToolCall("a", "look", "[1]")), "no JSON object"),
]


@pytest.mark.parametrize(("model", "says"), BROKEN, ids=[says for _, says in BROKEN])
def test_a_broken_promise_is_named(model, says):
    with pytest.raises(AssertionError, match=says):
        check_model(model)


def test_a_model_that_never_answers_is_given_up():
    with pytest.raises(AssertionError, match=r"not within 0\.05 s"):
        check_model(Hanging, seconds=0.05)


def test_a_good_model_passes():
    check_model(Good)
    check_model(lambda: ScriptedModel([say("Hello there.")] * 4))


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (ModelError("No."), ""),
        (ModelError("No.", fault="bad_mood"), "no fault"),
        (ModelError("No.", wait=-1), "asks to wait"),
        (ModelError(""), "says nothing"),
    ],
)
def test_failures_are_checked_too(raised, says):
    def check():
        check_model(Good, failing=lambda: ScriptedModel([fail(raised)]))

    if not says:
        check()
        return
    with pytest.raises(AssertionError, match=says):
        check()


def test_a_failure_that_answers_or_raises_something_else_is_found():
    with pytest.raises(AssertionError, match="that was to fail gave"):
        check_model(Good, failing=Good)
    with pytest.raises(AssertionError, match="KeyError"):
        check_model(Good, failing=lambda: ScriptedModel([fail(KeyError("x"))]))
