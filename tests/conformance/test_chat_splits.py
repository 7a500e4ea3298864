"""However an answer is cut into chunks, and whatever habits a server mixes, it is the same answer."""

from __future__ import annotations

import json
import random

import pytest
from statebook.model.openai.chat.accumulate import Accumulator
from statebook.protocol.messages import Reasoning
from statebook.protocol.models import Completion, ReasoningDelta, TextDelta

ODD = 'Ünï 🎈 {"brace": [1}] \\" \\\\ back\n\n```json'
COUNTS = {"prompt_tokens": 50, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 30}}


def cut(text: str, chance: random.Random) -> list[str]:
    """``text`` in pieces, some of them empty; a piece may end inside a number, an escape or a word."""
    places = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(6)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def some_answer(chance: random.Random) -> dict:
    words = "".join(chance.choice([ODD, "word ", "12", "\n", '"', "\\"]) for _ in range(chance.randrange(1, 9)))
    values = [None, 1.5, ODD, "\\", '"}', ["x", {}], {"deep": [{"q": '"'}]}]
    calls = [
        (
            f"id-{n}",
            chance.choice(["add", "look"]),
            json.dumps({"v": chance.choice(values)}, ensure_ascii=chance.random() < 0.5),
        )
        for n in range(chance.randrange(4))
    ]
    return {"text": words, "thought": chance.choice(["", ODD, "Hm."]), "calls": calls}


def call_entries(answer: dict, chance: random.Random, habits: set[str]) -> list[list[dict]]:
    """The ``tool_calls`` of each delta, by the habits of a server."""
    streams: list[list[dict]] = []
    for place, (key, name, written) in enumerate(answer["calls"]):
        pieces: list[object] = [written] if "whole" in habits else cut(written, chance)
        if "object" in habits:
            pieces = [json.loads(written)]
        if "repeats" in habits:
            pieces = [piece for piece in pieces if piece]  # a bare name after the end would announce another call
        entries = []
        for number, piece in enumerate(pieces):
            head = number == 0 or "repeats" in habits
            function = {"arguments": piece, **({"name": name} if head else chance.choice([{}, {"name": None}]))}
            entry: dict = {"function": function, "type": "function"}
            if head and "no id" not in habits:
                entry["id"] = key
            if "no index" not in habits:
                entry["index"] = 0 if "index 0" in habits else place
            entries.append(entry)
        streams.append(entries)
    if "mixed" in habits and not habits & {"no index", "index 0"}:
        return [[stream.pop(0)] for stream in _interleaved(streams, chance)]
    if "together" in habits and habits & {"whole", "object"}:
        return [[stream[0] for stream in streams]] if streams else []
    return [[entry] for stream in streams for entry in stream]


def _interleaved(streams: list[list[dict]], chance: random.Random):
    """The streams, each as often as it has entries, its first ones in order."""
    yield from streams
    while waiting := [stream for stream in streams if stream]:
        yield chance.choice(waiting)


def frames(answer: dict, chance: random.Random, habits: set[str]) -> list[object]:
    field = chance.choice(["reasoning", "reasoning_content"])
    deltas: list[dict] = [{field: piece} for piece in cut(answer["thought"], chance)]
    deltas += [{"content": piece} for piece in cut(answer["text"], chance)]
    deltas += [{"tool_calls": entries} for entries in call_entries(answer, chance, habits)]
    if "roles" in habits:
        deltas = [{"role": "assistant", **delta} for delta in deltas]
    made: list[object] = []
    for delta in deltas:
        made.append({"id": "r1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None})
        if "noise" in habits:
            made.append(chance.choice([
                {"choices": []}, {"choices": None}, {"choices": [{"delta": None}]}, {}, [], "ping",
                {"choices": [{"index": 0, "delta": {"content": "", "tool_calls": []}, "finish_reason": ""}]},
            ]))  # fmt: skip
    reason = "tool_calls" if answer["calls"] and "says stop" not in habits else "stop"
    ending: dict = {"id": "r1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if "counts beside" in habits:
        return [*made, {**ending, "usage": COUNTS}]
    return [*made, ending, {"id": "r1", "choices": [], "usage": COUNTS}]


def grow(chunks: list[object]) -> tuple[Completion, str, str]:
    grown = Accumulator()
    seen = [delta for chunk in chunks for delta in grown.feed(chunk)]
    text = "".join(each.text for each in seen if isinstance(each, TextDelta))
    return grown.completion(), text, "".join(each.text for each in seen if isinstance(each, ReasoningDelta))


HABITS = ("whole", "object", "repeats", "no id", "no index", "index 0", "mixed", "together", "roles", "noise",
          "says stop", "counts beside")  # fmt: skip


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_any_cut_and_any_mix_of_habits_is_the_same_answer(seed):
    for number in range(seed, seed + 100):
        chance = random.Random(number)
        answer = some_answer(chance)
        habits = {habit for habit in HABITS if chance.random() < 0.3}
        done, text, thought = grow(frames(answer, chance, habits))
        told = f"seed {number}, habits {sorted(habits)}"
        assert (done.message.text, text) == (answer["text"], answer["text"]), told
        thoughts = [part.text for part in done.message.parts if isinstance(part, Reasoning)]
        assert ("".join(thoughts), thought) == (answer["thought"], answer["thought"]), told
        keys = [f"call_{n}" if "no id" in habits else key for n, (key, _, _) in enumerate(answer["calls"])]
        assert [(call.id, call.name) for call in done.message.calls] == [
            (key, name) for key, (_, name, _) in zip(keys, answer["calls"], strict=True)
        ], told
        assert [json.loads(call.arguments) for call in done.message.calls] == [
            json.loads(written) for _, _, written in answer["calls"]
        ], told
        assert done.stop == ("tool_calls" if answer["calls"] else "end"), told
        assert (done.usage.input, done.usage.cached, done.usage.output, done.response_id) == (50, 30, 9, "r1"), told
