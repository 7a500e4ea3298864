"""The same script over both APIs leaves the same journal: a session does not know which of them its server speaks."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from statebook.errors import RunFailed
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.calls import AnswerForm
from statebook.protocol.journal.codec import encode_event
from statebook.protocol.messages import ToolResult
from statebook.testing import TemporarySession
from statebook.tools.function import tool

pytestmark = pytest.mark.slow  # whole sessions, over and over

COUNTS = (50, 30, 9, 4)
ENDS = {"length": ("length", "max_output_tokens"), "filter": ("content_filter", "content_filter")}
Step = dict


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def step(text: str = "", *calls: tuple[str, str, str], thought: str = "", stop: str = "end") -> Step:
    """What a model says in one answer; a call is its id, tool and arguments."""
    return {"text": text, "calls": calls, "thought": thought, "stop": stop}


def chat(said: Step) -> list[dict]:
    deltas: list[dict] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in halves(said["thought"])]
    deltas += [{"refusal" if said["stop"] == "refusal" else "content": piece} for piece in halves(said["text"])]
    for place, (key, name, written) in enumerate(said["calls"]):
        first, second = halves(written)
        head = {"index": place, "id": key, "type": "function", "function": {"name": name, "arguments": first}}
        deltas += [{"tool_calls": [each]} for each in (head, {"index": place, "function": {"arguments": second}})]
    made = [{"id": "r", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    reason = "tool_calls" if said["calls"] else ENDS.get(said["stop"], ("stop", ""))[0]
    sent, cached, made_tokens, thought = COUNTS
    usage = {
        "prompt_tokens": sent, "completion_tokens": made_tokens, "total_tokens": sent + made_tokens,
        "prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": thought},
    }  # fmt: skip
    ending = {"id": "r", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return [*made, ending, {"id": "r", "choices": [], "usage": usage}]


def responses(said: Step) -> list[dict]:
    made: list[dict] = []
    output: list[dict] = []
    if said["thought"]:
        item = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": said["thought"]}]}
        key = {"item_id": "rs", "output_index": 0, "summary_index": 0}
        made += [
            {"type": "response.reasoning_summary_text.delta", **key, "delta": piece}
            for piece in halves(said["thought"])
        ]
        output.append({**item, "encrypted_content": "gAAA"})
        made.append({"type": "response.output_item.done", "output_index": 0, "item": output[-1]})
    if said["text"]:
        key = {"item_id": "msg", "output_index": len(output), "content_index": 0}
        kind, field = ("refusal", "refusal") if said["stop"] == "refusal" else ("output_text", "text")
        made += [{"type": f"response.{kind}.delta", **key, "delta": piece} for piece in halves(said["text"])]
        output.append({"type": "message", "id": "msg", "content": [{"type": kind, field: said["text"]}]})
        made.append({"type": "response.output_item.done", "output_index": len(output) - 1, "item": output[-1]})
    for call, name, written in said["calls"]:
        item = {"type": "function_call", "id": f"fc_{call}", "call_id": call, "name": name}
        key = {"item_id": f"fc_{call}", "output_index": len(output)}
        made.append(
            {"type": "response.output_item.added", "output_index": len(output), "item": {**item, "arguments": ""}}
        )
        made += [{"type": "response.function_call_arguments.delta", **key, "delta": piece} for piece in halves(written)]
        output.append({**item, "arguments": written})
        made.append({"type": "response.output_item.done", "output_index": key["output_index"], "item": output[-1]})
    sent, cached, made_tokens, thought = COUNTS
    usage = {
        "input_tokens": sent, "output_tokens": made_tokens, "total_tokens": sent + made_tokens,
        "input_tokens_details": {"cached_tokens": cached}, "output_tokens_details": {"reasoning_tokens": thought},
    }  # fmt: skip
    why = {"reason": ENDS[said["stop"]][1]} if said["stop"] in ENDS else None
    status = "incomplete" if why else "completed"
    response = {"id": "r", "status": status, "incomplete_details": why, "output": output, "usage": usage}
    return [*made, {"type": f"response.{status}", "response": response}]


def halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]] if text else []


SCRIPTS: dict[str, list[Step]] = {
    "an answer": [step("Hello there.")],
    "calls in parallel, then one more": [
        step("I add.", ("c1", "add", '{"a": 1, "b": 2}'), ("c2", "add", '{"a": 3, "b": 4}'), thought="Two sums."),
        step("", ("c3", "add", '{"a": 3, "b": 7}')),
        step("It is 10."),
    ],
    "arguments that are no JSON, arguments that do not fit, a tool that is not there": [
        step("", ("c1", "add", '{"a": 1'), ("c2", "add", '{"a": "x"}'), ("c3", "nothing", "{}")),
        step("I could not."),
    ],
    "a refusal": [step("I would rather not.", stop="refusal")],
    "an answer that a filter stopped": [step("I would", stop="filter")],
    "an answer that was cut": [step("It goes on and", stop="length")],
}


def play(server, wire, folder, dialect: str, script: list[Step], *, prompts: int = 1, **fields) -> TemporarySession:
    """A session that has asked as many prompts as the script ends answers; the server's bodies are kept."""
    server.bodies.clear()
    server.replies = [wire.chat(*chat(said)) if dialect == "chat" else wire.stream(*responses(said)) for said in script]
    folder.mkdir()
    model = OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect=dialect), timeout=10)
    session = TemporarySession(model=model, folder=folder, tools=[add])

    async def ask() -> None:
        for number in range(prompts):
            await session.ask(f"Question {number}", cell_id=f"cell-{number}", **fields)

    with session:
        asyncio.run(ask())
        session.told = [told(entry) for entry in session.store.journal.entries()]
    return session


def told(entry) -> tuple:
    """An entry without what differs from one session to the next: ids, digests, times, the provider's own items."""
    body = json.loads(encode_event(entry.event))
    for key in ("seconds", "response_id", "pid", "key", "digest", "notebook"):
        body.pop(key, None)
    for part in (body.get("message") or {}).get("parts", ()):
        if part["type"] == "Reasoning":
            assert part.pop("item")
    text = re.sub(r"\b[0-9a-f]{32,64}\b", "#", json.dumps(body, sort_keys=True))
    return entry.run, entry.step, entry.event.kind, text


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_script_leaves_the_same_journal(name, server, wire, tmp_path):
    left = play(server, wire, tmp_path / "r", "responses", SCRIPTS[name])
    right = play(server, wire, tmp_path / "c", "chat", SCRIPTS[name])
    assert left.told == right.told
    assert sum(kind == "model_answered" for _, _, kind, _ in left.told) == len(SCRIPTS[name])


def results_of(bodies: list[dict]) -> list[list[str]]:
    """The tool results in each request, in order."""
    found = []
    for body in bodies:
        entries = body.get("input") or [each for each in body.get("messages", ()) if each["role"] == "tool"]
        outputs = [each.get("output", each.get("content")) for each in entries
                   if each.get("type", "function_call_output") == "function_call_output"]  # fmt: skip
        found.append(outputs)
    return found


def test_the_same_results_go_back(server, wire, tmp_path):
    script = [*SCRIPTS["calls in parallel, then one more"], step("And more.")]
    play(server, wire, tmp_path / "r", "responses", script, prompts=2)
    left = results_of(server.bodies)
    play(server, wire, tmp_path / "c", "chat", script, prompts=2)
    assert left == results_of(server.bodies) == [[], ["3", "7"], ["3", "7", "10"], ["3", "7", "10"]]
    assert server.bodies[1]["messages"][-3]["reasoning_content"] == "Two sums."
    assert all("reasoning_content" not in each for each in server.bodies[3]["messages"])


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_an_answer_in_the_wrong_form_is_asked_for_once_more(dialect, server, wire, tmp_path):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    script = [step('{"n": "many"}'), step('{"n": 3}')]
    session = play(server, wire, tmp_path / "s", dialect, script, answer=AnswerForm("json", "Count", schema))
    assert [kind for _, _, kind, _ in session.told if kind.startswith("answer") or kind == "model_answered"] == [
        "model_answered", "answer_rejected", "model_answered",
    ]  # fmt: skip
    formats = [
        body["response_format"]["json_schema"] if dialect == "chat" else body["text"]["format"]
        for body in server.bodies
    ]
    assert [(each["name"], each["schema"], each["strict"]) for each in formats] == [("Count", schema, True)] * 2


@pytest.mark.parametrize("dialect", ["responses", "chat"])
@pytest.mark.parametrize("empty", [step(), step(thought="Hm.")], ids=["nothing", "only reasoning"])
def test_an_empty_answer_is_asked_for_again(empty, dialect, server, wire, tmp_path, monkeypatch):  # noqa: PLR0917 - each argument is a fixture
    monkeypatch.setattr("statebook.run.asking.step.RETRIES", (0.0,))
    session = play(server, wire, tmp_path / "s", dialect, [empty, step("Hello.")])
    asked = [json.loads(text) | {"kind": kind} for _, _, kind, text in session.told if kind.startswith("model_")]
    assert [each["kind"] for each in asked] == ["model_requested", "model_failed", "model_requested", "model_answered"]
    assert (asked[1]["fault"], asked[1]["usage"]["input"]) == ("empty", COUNTS[0])


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_a_server_that_fails_poisons_nothing(dialect, server, wire, tmp_path):
    model = OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect=dialect), timeout=10)
    speak = chat if dialect == "chat" else responses
    send = wire.chat if dialect == "chat" else wire.stream
    call = step("", ("c1", "add", '{"a": 1, "b": 2}'))
    server.replies = [send(*speak(call)), wire.error(400, "No."), send(*speak(step("Three.")))]
    with TemporarySession(model=model, folder=tmp_path, tools=[add]) as session:

        async def ask() -> str:
            with pytest.raises(RunFailed):
                await session.ask("What is 1 + 2?")
            return (await session.ask("Go on.")).answer

        assert asyncio.run(ask()) == "Three."
        first = session.store.run(1)
        assert [call.result for call in first.calls] == [ToolResult("c1", "add", "3")]
    assert results_of(server.bodies)[-1] == ["3"]
