"""A long answer costs as much per delta as a short one, over both APIs: counted, not timed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

import pytest
from statebook.model.openai.chat.accumulate import Accumulator as ChatAccumulator
from statebook.model.openai.responses.accumulate import Accumulator as ResponsesAccumulator
from statebook.protocol.models import Completion, Metered, ReasoningDelta, TextDelta, Usage

pytestmark = pytest.mark.slow  # answers of a hundred thousand pieces

WORDS = ("word ", "Hm. ", '\\"{x ')
"""What text, reasoning and arguments are made of."""


class Piece(str):
    """Text that counts how often it is joined to other text by ``+``, which copies all that came before."""

    __slots__ = ()
    joined = 0

    def __add__(self, other: str) -> str:
        Piece.joined += 1
        return str.__add__(self, other)

    def __radd__(self, other: str) -> str:
        Piece.joined += 1
        return str.__add__(other, str(self))


def chat(deltas: int) -> list[dict]:
    """Text, reasoning and one call's arguments, each in this many deltas, with counts beside the first few."""
    text, thought, written = map(Piece, WORDS)
    made = [{"content": text}] * deltas + [{"reasoning": thought}] * deltas
    for piece in (Piece('{"a": "'), *[written] * deltas, Piece('"}')):
        entry = {"index": 0, "id": "c", "function": {"name": "add", "arguments": piece}}
        made.append({"tool_calls": [entry]})
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    chunks: list[dict] = [{"choices": [{"delta": delta}]} for delta in made]
    chunks[:5] = [{**chunk, "usage": usage} for chunk in chunks[:5]]
    return [*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]


def responses(deltas: int) -> list[dict]:
    text, thought, written = map(Piece, WORDS)
    say = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": text}
    think = {"type": "response.reasoning_summary_text.delta", "item_id": "r", "output_index": 1, "delta": thought}
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "add", "arguments": ""}
    write = {"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 2}
    pieces = (Piece('{"a": "'), *[written] * deltas, Piece('"}'))
    return [
        *[say] * deltas,
        *[think] * deltas,
        {"type": "response.output_item.added", "output_index": 2, "item": call},
        *({**write, "delta": piece} for piece in pieces),
        {"type": "response.completed", "response": {"usage": {"input_tokens": 1, "output_tokens": 1}}},
    ]


STREAMS = {"chat": (ChatAccumulator, chat), "responses": (ResponsesAccumulator, responses)}


def calls_made(work: Callable[[], object]) -> Counter[str]:
    """How often each function, of Python or C, is called by ``work``."""
    made: Counter[str] = Counter()

    def seen(_: object, event: str, function: object) -> None:
        if event == "c_call":
            made[function.__name__] += 1
        elif event == "call":
            made["(python)"] += 1

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made


def fed(api: str, deltas: int):
    make, stream = STREAMS[api]
    grown, events = make(), stream(deltas)
    return grown, lambda: [delta for event in events[:-1] for delta in grown.feed(event)]


@pytest.mark.parametrize("api", STREAMS)
def test_the_work_grows_with_the_length_and_not_with_its_square(api):
    once, ten = (sum(calls_made(fed(api, deltas)[1]).values()) for deltas in (100, 1000))
    assert ten < 10.5 * once


@pytest.mark.parametrize("api", STREAMS)
def test_nothing_is_joined_before_the_end(api):
    short, long = (calls_made(fed(api, deltas)[1])["join"] for deltas in (10, 500))
    assert short == long


@pytest.mark.parametrize("api", STREAMS)
def test_a_hundred_thousand_deltas_are_never_joined_one_by_one(api):
    Piece.joined, deltas = 0, 33_334
    grown, feed = fed(api, deltas)
    seen = feed()
    list(grown.feed(STREAMS[api][1](0)[-1]))
    done = grown.completion()
    assert Piece.joined == 0
    assert isinstance(done, Completion)
    assert done.message.text == "".join(each.text for each in seen if isinstance(each, TextDelta)) == WORDS[0] * deltas
    assert "".join(each.text for each in seen if isinstance(each, ReasoningDelta)) == WORDS[1] * deltas
    assert done.message.calls[0].arguments == '{"a": "' + WORDS[2] * deltas + '"}'


def test_counts_that_did_not_change_are_told_once():
    seen = fed("chat", 10)[1]()
    assert [event.usage for event in seen if isinstance(event, Metered)] == [Usage(1, 0, 1)]
