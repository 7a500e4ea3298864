"""Checks that a model keeps what `statebook.model.base.Model` promises: for authors of model plugins."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, get_args

from statebook.errors import ModelError
from statebook.model.base import Model
from statebook.model.registry import provider_names, resolve
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from statebook.protocol.models import (
    Anchor,
    Completion,
    Fault,
    Metered,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    StopReason,
    TextDelta,
    Usage,
)
from statebook.protocol.tools import ToolSpec


class Check(Protocol):
    """One promise: raises AssertionError where it is broken."""

    __name__: str

    def __call__(self, make: Callable[[], Model], /) -> Awaitable[None]:
        """Try it with models that ``make`` makes."""
        ...


_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*:\S+")
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000"
    "0000040001f61738550000000049454e44ae426082"
)


def _plain(*tools: ToolSpec) -> ModelRequest:
    """The simplest request."""
    return ModelRequest("Answer in one sentence.", (user("Say hello."),), tools)


def _look() -> ToolSpec:
    word = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    return ToolSpec("look", "Looks a word up.", word, "read")


def _rich() -> ModelRequest:
    """Everything that a request may hold: the history of another provider, files, an answer's form, every hint."""
    greeting = {"type": "object", "properties": {"greeting": {"type": "string"}}, "required": ["greeting"]}
    thought = Reasoning("I look it up.", {"type": "from_another_provider", "id": "x1"})
    calls = (ToolCall("call_a", "look", '{"word": "dot"}', {"signature": "s"}), ToolCall("call_b", "gone", "not JSON"))
    results = (ToolResult("call_a", "look", "", "ok", ("d1",)), ToolResult("call_b", "gone", "No.", "error"))
    return ModelRequest(
        "Answer in one sentence.",
        (
            Message("user", (Text("What is in the picture?"), File("d1", "image/png", "dot.png"))),
            Message("assistant", (thought, Text("One moment."), *calls)),
            Message("tool", results),
            assistant("A dot."),
            user('{"braces": "{{and}}"} \\ ünïcode 🎈\x00'),
        ),
        (_look(),),
        max_output_tokens=500,
        temperature=0.0,
        answer=AnswerForm("json", "Greeting", greeting),
        cache_key="session",
        idempotency_key="session:1.1",
        anchor=Anchor("resp_that_nobody_keeps", 3, 10),
        files={"d1": _PNG},
    )


def check_model(
    make: Callable[[], Model], *, failing: Callable[[], Model] | None = None, seconds: float = 60.0
) -> None:
    """Ask a model in the ways a session does; raise AssertionError that lists the promises it breaks.

    ::

        def test_the_house_model():
            check_model(lambda: create("small", ModelSetup({}, server.url)))

    ``make`` makes a fresh model each time, which answers any request (a real server, or a fake at the network's far
    end); ``failing`` makes one that gets no answer. ``seconds`` bounds each of about ten requests. Not for use inside
    a running event loop.
    """
    checks: list[Check] = [
        _it_has_a_name_and_a_size,
        _a_plain_request_is_answered,
        _tools_may_be_offered,
        _everything_a_request_may_hold_is_borne,
        _a_reader_may_leave,
        _cancelling_goes_through,
    ]
    again = make()  # a kernel asks on its own loop, a terminal on another: one model serves both
    with asyncio.Runner() as first, asyncio.Runner() as second:
        problems = [_try(first, check, make, seconds) for check in checks]
        problems += [_try(loop, _a_plain_request_is_answered, lambda: again, seconds) for loop in (first, second)]
        if failing is not None:
            problems.append(_try(first, _failures_are_told, failing, seconds))
    found = [problem for problem in dict.fromkeys(problems) if problem]
    if found:
        raise AssertionError("\n".join(found))


def _try(loop: asyncio.Runner, check: Check, make: Callable[[], Model], seconds: float) -> str:
    """What is wrong, as one line; "" for nothing."""

    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await check(make)

    name = check.__name__.strip("_").replace("_", " ")
    try:
        loop.run(bounded())
    except AssertionError as error:
        return f"{name}: {error}"
    except TimeoutError:
        return f"{name}: not within {seconds:g} s"
    except Exception as error:  # noqa: BLE001 - a model is someone else's code: whatever it raises is the finding
        return f"{name}: {type(error).__name__}: {error}"
    return ""


# -- the promises ----------------------------------------------------------------------------------------------------


async def _it_has_a_name_and_a_size(make: Callable[[], Model]) -> None:
    model = make()
    assert _NAME.fullmatch(model.name), f"the name {model.name!r} is not of the form provider:model"
    if model.name.partition(":")[0] in provider_names():
        found = resolve(model.name).name
        assert found == model.name, f"{model.name!r} resolves to {found!r}, so that a run can't be gone on with"
    assert model.context_tokens > 0, f"context_tokens is {model.context_tokens}"
    for usage in (Usage(), Usage(1_000, 300, 200, 100)):
        price = model.price(usage)
        assert price is None or price >= 0, f"the price of {usage} is {price}"


async def _a_plain_request_is_answered(make: Callable[[], Model]) -> None:
    done = await _ask(make(), _plain())
    assert not done.message.calls, "a tool was called though none was offered"
    assert done.message.text.strip(), "the answer is empty"


async def _tools_may_be_offered(make: Callable[[], Model]) -> None:
    await _ask(make(), _plain(_look()))


async def _everything_a_request_may_hold_is_borne(make: Callable[[], Model]) -> None:
    """A refusal in order counts too: not every server takes pictures, or a form."""
    try:
        await _ask(make(), _rich())
    except ModelError as error:
        check_failure(error)


async def _a_reader_may_leave(make: Callable[[], Model]) -> None:
    model = make()
    stream = model.stream(_plain())
    await anext(stream)
    await _close(stream)
    await _ask(model, _plain())


async def _cancelling_goes_through(make: Callable[[], Model]) -> None:
    model = make()

    async def read() -> None:
        task = asyncio.current_task()
        assert task is not None
        stream = model.stream(_plain())
        try:
            async for _ in stream:
                if not task.cancelling():
                    task.cancel()
        finally:
            await _close(stream)
        await asyncio.sleep(0)  # a model that was done before it could notice is cancelled here

    reading = asyncio.create_task(read())
    await asyncio.wait([reading])
    if not reading.cancelled():
        error = reading.exception()
        raise AssertionError(f"a cancelled stream {f'raised {error!r}' if error else 'went on to its end'}")


async def _failures_are_told(failing: Callable[[], Model]) -> None:
    try:
        events = [event async for event in failing().stream(_plain())]
    except ModelError as error:
        check_failure(error)
    else:
        raise AssertionError(f"a model that was to fail gave {events[-1:]}")


async def _ask(model: Model, request: ModelRequest) -> Completion:
    before = copy.deepcopy(request)
    done = check_completion([event async for event in model.stream(request)])
    assert before == request, "the request was changed"
    return done


# -- what events and errors must be ----------------------------------------------------------------------------------


def check_completion(events: list[ModelEvent]) -> Completion:
    """The one `Completion` that a stream's events must end with. Raises AssertionError for what is not in order."""
    strange = [event for event in events if not isinstance(event, TextDelta | ReasoningDelta | Metered | Completion)]
    assert not strange, f"{strange[:1]} is no event of a model"
    count = sum(isinstance(event, Completion) for event in events)
    assert count == 1, f"the stream has {count} Completions, not one"
    done = events[-1]
    assert isinstance(done, Completion), "events came after the Completion"
    assert done.message.role == "assistant", f"the answer's role is {done.message.role!r}"
    streamed = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert streamed == done.message.text, f"the deltas make {streamed!r}, and the answer is {done.message.text!r}"
    assert done.stop in get_args(StopReason), f"the stop reason is {done.stop!r}"
    assert bool(done.message.calls) == (done.stop == "tool_calls") or done.stop in {"length", "refusal"}, (
        f"the stop reason is {done.stop!r}, with {len(done.message.calls)} tool calls"
    )
    _check_calls(done.message.calls)
    _check_usage(done.usage)
    assert done.dollars is None or done.dollars >= 0, f"it cost {done.dollars} dollars"
    return done


def _check_calls(calls: tuple[ToolCall, ...]) -> None:
    ids = [call.id for call in calls]
    assert all(ids), "a tool call has no id"
    assert len(set(ids)) == len(ids), f"tool calls share ids: {ids}"
    for call in calls:
        assert call.name, "a tool call has no name"
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            arguments = None
        assert isinstance(arguments, dict), f"the arguments of {call.name} are no JSON object: {call.arguments!r}"


def _check_usage(usage: Usage) -> None:
    counts = (usage.input, usage.cached, usage.output, usage.reasoning, usage.written)
    assert all(isinstance(count, int) and count >= 0 for count in counts), f"{usage} holds what is no count"
    assert usage.cached <= usage.input, f"{usage}: more was cached than sent"
    assert usage.reasoning <= usage.output, f"{usage}: more was reasoned than written"


def check_failure(error: ModelError) -> None:
    """Raise AssertionError unless a failure is one line, of a known kind and without a wait that can't be waited."""
    assert error.message, "a failure says nothing"
    assert "\n" not in str(error), f"a failure has more than one line: {error}"
    assert error.fault in get_args(Fault), f"{error.fault!r} is no fault"
    assert error.wait is None or error.wait >= 0, f"a failure asks to wait {error.wait} s"


async def _close(stream: AsyncIterator[ModelEvent]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
