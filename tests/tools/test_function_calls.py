"""Calls of a `@tool`: context, state, errors, threads, cancellation, and what becomes of the result."""

import asyncio
import contextvars
import dataclasses
import enum
import json
import threading
import time
from typing import Any

import pydantic
import pytest
from statebook.errors import ToolError
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ToolOutcome
from statebook.tools.base import ToolContext
from statebook.tools.function import tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Person(pydantic.BaseModel):
    name: str
    title: str = ""


def context(state=None, **more):
    return ToolContext(1, 2, "call_1", "key-1", {} if state is None else state, **more)


def call(wanted, state=None, **arguments):
    return asyncio.run(wanted.call(arguments, context(state)))


def test_the_context_is_injected_and_not_in_the_schema():
    notes: list[str] = []

    @tool
    def by_name(word: str, ctx):
        """A."""
        ctx.progress("half")
        return f"{word} {ctx.idempotency_key} {ctx.run} {ctx.step} {ctx.call_id}"

    @tool
    async def by_type(where: ToolContext, word: str) -> str:
        """B."""
        return f"{word} {where.idempotency_key}"

    for made in (by_name, by_type):
        assert list(made.spec.parameters["properties"]) == ["word"]
    outcome = asyncio.run(by_name.call({"word": "w"}, context(progress=notes.append)))
    assert outcome.text == "w key-1 1 2 call_1"
    assert notes == ["half"]
    assert call(by_type, word="w").text == "w key-1"


def test_changed_state_is_in_the_outcome():
    @tool
    def count(ctx: ToolContext) -> int:
        """Count."""
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        ctx.state["seen"].append({"n": ctx.state["n"]})
        ctx.state["pair"] = (1, 2)
        ctx.state.pop("old")
        return ctx.state["n"]

    before = {"n": 4, "seen": [], "old": 1, "same": [1]}
    outcome = call(count, before)
    assert outcome.state == {"n": 5, "seen": [{"n": 5}], "pair": [1, 2], "old": None}
    assert before == {"n": 4, "seen": [], "old": 1, "same": [1]}


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
def test_state_that_is_not_json_is_refused_by_its_key(value):
    @tool
    def keep(ctx):
        """Keep."""
        ctx.state["odd"] = value

    with pytest.raises(ToolError, match=r"ctx\.state\['odd'\] can't be kept"):
        call(keep)


def test_exceptions_show_the_users_frames():
    def inner(text):
        return json.loads(text)

    @tool
    def parse(text: str) -> Any:
        """Parse."""
        return inner(text)

    with pytest.raises(ToolError) as caught:
        call(parse, text="{")
    text = str(caught.value)
    assert text.startswith("parse failed.\nTraceback (most recent call last):\n")
    assert text.count("test_function_calls.py") == 2
    assert "in inner\n    return json.loads(text)" in text
    assert text.count("File") + text.count(", line ") == 3
    assert "JSONDecodeError: Expecting property name" in text.splitlines()[-1]


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), StopIteration("x"), asyncio.CancelledError()])
def test_exceptions_that_end_programs_end_the_call_only(error):
    @tool
    def fail() -> None:
        """Fail."""
        raise error

    with pytest.raises(ToolError, match=type(error).__name__):
        call(fail)


def test_a_tool_error_of_the_function_passes_as_it_is():
    @tool
    async def fail() -> None:
        """Fail."""
        raise ToolError("The shop is closed.", "Try tomorrow.")

    with pytest.raises(ToolError, match=r"^The shop is closed\. Try tomorrow\.$"):
        call(fail)


def test_sync_functions_run_on_their_own_thread_with_the_context():
    variable = contextvars.ContextVar("variable", default="unset")

    @tool
    def where() -> dict[str, str]:
        """Where."""
        return {"thread": threading.current_thread().name, "variable": variable.get()}

    variable.set("set")
    assert json.loads(call(where).text) == {"thread": "tool where", "variable": "set"}


def test_cancelling_leaves_at_once_and_stops_python_code_in_the_thread():
    started, stopped = threading.Event(), threading.Event()

    @tool
    def spin() -> None:
        """Spin."""
        started.set()
        try:
            while True:
                time.sleep(0.001)
        finally:
            stopped.set()

    async def cancel():
        running = asyncio.ensure_future(spin.call({}, context()))
        await asyncio.to_thread(started.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel())
    assert stopped.wait(10)


def test_cancelling_an_async_function_cancels_it():
    events: list[str] = []

    @tool
    async def wait() -> None:
        """Wait."""
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    async def cancel():
        running = asyncio.ensure_future(wait.call({}, context()))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel())
    assert events == ["cancelled"]


def returning(value):
    @tool
    def give() -> Any:
        """Give."""
        return value

    return call(give)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as is", "as is"),
        (None, "done"),
        (3, "3"),
        ({"é": [1, None]}, '{"é": [1, null]}'),
        (Point(1, 2), '{"x": 1, "y": 2}'),
        ([Person(name="A")], '[{"name": "A", "title": ""}]'),
        (Colour.RED, '"red"'),
    ],
)
def test_results_as_text(value, text):
    assert returning(value).text == text


def test_results_that_json_has_no_form_for_are_still_text():
    cycle: list[Any] = []
    cycle.append(cycle)
    assert returning(cycle).text == "[[...]]"
    assert "lambda" in returning({"f": lambda: 1}).text


def test_tables_show_their_shape():
    import pandas as pd

    text = returning(pd.DataFrame({"a": range(1000), "b": "x"})).text
    assert text.startswith("1,000 rows x 2 columns\n")
    assert "999" in text
    assert len(text.splitlines()) < 40
    assert returning(pd.Series([1, 2], name="s")).text.startswith("2 rows x 1 columns\n")


def test_pictures_and_bytes_become_artifacts():
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure()
    figure.add_subplot().plot([1, 2])
    for picture in (figure, Image.new("RGB", (4, 3))):
        outcome = returning(picture)
        assert outcome.artifacts[0].media_type == "image/png"
        assert outcome.artifacts[0].data.startswith(b"\x89PNG")
        assert outcome.text.startswith("[image/png, ")
    assert returning(b"%PDF-1.7 x").artifacts[0].media_type == "application/pdf"
    assert returning(b"\0\1").artifacts[0].media_type == "application/octet-stream"


def test_an_outcome_passes_through_with_state_added():
    passage = Passage(1, 2, "T", "t.md", "", 0, 4, "text")

    @tool
    def give(ctx):
        """Give."""
        ctx.state["a"] = 1
        return ToolOutcome("x", passages=(passage,), state={"b": 2})

    outcome = call(give)
    assert outcome == ToolOutcome("x", passages=(passage,), state={"a": 1, "b": 2})


def test_long_results_keep_head_and_tail():
    text = returning("H" + "x" * 50_000 + "T").text
    assert len(text) < 20_100
    assert text.startswith("Hx")
    assert text.endswith("xT")
    assert "[... 30,002 characters cut ...]" in text
