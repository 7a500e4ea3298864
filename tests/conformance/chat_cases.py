"""What chat servers send: frames of a stream by quirk, and what must come out of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

Call = tuple[str, str, dict]


@dataclass(frozen=True)
class Case:
    """``frames`` are chunks, or bytes that stand between them; the rest is the answer they must grow into."""

    frames: list[dict | bytes]
    text: str = ""
    calls: list[Call] = field(default_factory=list)
    reasoning: str = ""
    stop: str = "end"
    usage: tuple[int, int, int, int] = (0, 0, 0, 0)
    dollars: float | None = None
    whole: bool = False
    """Sent as one JSON object instead of a stream."""


def chunk(delta: dict | None = None, finish: str | None = None, **more: object) -> dict:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **more}


def say(text: str) -> dict:
    return chunk({"content": text})


def entry(written: object = None, name: str | None = None, key: str | None = None, **more: object) -> dict:
    """One of ``tool_calls``; what is None is left out."""
    function = {k: v for k, v in (("name", name), ("arguments", written)) if v is not None}
    made = {"index": 0, "id": key, "type": "function", "function": function, **more}
    return {k: v for k, v in made.items() if v is not None}


def calls(*entries: dict, **more: object) -> dict:
    return chunk({"tool_calls": list(entries), **more})


def whole(message: dict, finish: str = "stop", **more: object) -> dict:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **more}


def args(number: int) -> str:
    return json.dumps({"a": number})


STOP = chunk(finish="stop")
CALLED = chunk(finish="tool_calls")
ONE: list[Call] = [("c1", "add", {"a": 1})]
TWO: list[Call] = [("c1", "add", {"a": 1}), ("c2", "add", {"a": 2})]
OWN: list[Call] = [("call_0", "add", {"a": 1}), ("call_1", "add", {"a": 2})]
COUNTS = {
    "prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59,
    "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 4},
}  # fmt: skip
COUNTED = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": COUNTS}
ROLE = chunk({"role": "assistant", "content": ""})

# -- text, frames and ends -----------------------------------------------------------------------------------------

TEXTS = {
    "as documented": Case([ROLE, say("Hel"), say("lo."), STOP, COUNTED], "Hello.", usage=(50, 30, 9, 4)),
    "role on every frame": Case(
        [chunk({"role": "assistant", "content": each}) for each in ("Hel", "lo.")] + [STOP], "Hello."
    ),
    "empty deltas between": Case([chunk(), say(""), say("Hel"), chunk({"content": None}), say("lo."), STOP], "Hello."),
    "null delta and null choice": Case(
        [say("Hello."), {"choices": [{"index": 0, "delta": None}]}, {"choices": [None]}, STOP], "Hello."
    ),
    "an empty message at the end": Case(
        [say("Hello."), STOP, {"choices": [{"index": 0, "message": {"content": ""}}]}], "Hello."
    ),
    "the whole message repeated at the end": Case(
        [say("Hel"), say("lo."), {"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}], "Hello."
    ),
    "empty choices first": Case([{"choices": [], "prompt_filter_results": []}, say("Hello."), STOP], "Hello."),
    "null choices": Case(
        [{"choices": None}, say("Hello."), STOP, {"choices": None, "usage": COUNTS}], "Hello.", usage=(50, 30, 9, 4)
    ),
    "no choices at all": Case([{"id": "x"}, say("Hello."), STOP], "Hello."),
    "comments between frames": Case(
        [b": OPENROUTER PROCESSING\n\n", say("Hel"), b": ping\n\n", say("lo."), b":\n\n", STOP], "Hello."
    ),
    "empty finish_reason until the end": Case([chunk({"content": "Hello."}, ""), STOP], "Hello."),
    "another finish_reason": Case([say("Hello."), chunk(finish="eos")], "Hello."),
    "finish_reason beside the last text": Case([chunk({"content": "Hello."}, "stop")], "Hello."),
    "content as blocks": Case(
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
            chunk({"content": [{"type": "text", "text": "Hello."}]}),
            STOP,
        ],
        "Hello.",
        reasoning="Hm.",
    ),
    "a second answer is not ours": Case(
        [{"choices": [{"index": 1, "delta": {"content": "No."}, "finish_reason": "length"}]}, say("Hello."), STOP],
        "Hello.",
    ),
    "one object instead of a stream": Case(
        [whole({"content": "Hello."}, usage=COUNTS)], "Hello.", usage=(50, 30, 9, 4), whole=True
    ),
    "one object as the only frame": Case([whole({"content": "Hello."})], "Hello."),
    "json text as asked": Case([say('{"n"'), say(": 1}"), STOP], '{"n": 1}'),
}

# -- token counts and money ----------------------------------------------------------------------------------------

COUNTINGS = {
    "counts after the end": Case([say("x"), STOP, COUNTED], "x", usage=(50, 30, 9, 4)),
    "counts after the end beside an empty delta": Case(
        [say("x"), STOP, chunk({"role": "assistant", "content": ""}, usage=COUNTS)], "x", usage=(50, 30, 9, 4)
    ),
    "counts beside the end": Case([say("x"), chunk(finish="stop", usage=COUNTS)], "x", usage=(50, 30, 9, 4)),
    "counts on every frame": Case(
        [
            chunk({"content": "x"}, usage={"prompt_tokens": 50, "completion_tokens": 1}),
            chunk({"content": "y"}, usage={"prompt_tokens": 50, "completion_tokens": 2}),
            chunk(finish="stop", usage=COUNTS),
        ],
        "xy",
        usage=(50, 30, 9, 4),
    ),
    "null counts until the end": Case([chunk({"content": "x"}, usage=None), STOP, COUNTED], "x", usage=(50, 30, 9, 4)),
    "null details": Case(
        [
            say("x"),
            STOP,
            {**COUNTED, "usage": {**COUNTS, "prompt_tokens_details": None, "completion_tokens_details": None}},
        ],
        "x",
        usage=(50, 0, 9, 0),
    ),
    "cache hits in DeepSeek's words": Case(
        [
            say("x"),
            chunk(
                finish="stop",
                usage={
                    "prompt_tokens": 50,
                    "completion_tokens": 9,
                    "prompt_cache_hit_tokens": 30,
                    "prompt_cache_miss_tokens": 20,
                },
            ),
        ],
        "x",
        usage=(50, 30, 9, 0),
    ),
    "reasoning counted in the total only": Case(
        [
            say("x"),
            STOP,
            {
                **COUNTED,
                "usage": {
                    "prompt_tokens": 50,
                    "completion_tokens": 5,
                    "total_tokens": 59,
                    "completion_tokens_details": {"reasoning_tokens": 4},
                },
            },
        ],
        "x",
        usage=(50, 0, 9, 4),
    ),
    "the server's own price": Case(
        [say("x"), STOP, {**COUNTED, "usage": {**COUNTS, "cost": 0.0125}}], "x", usage=(50, 30, 9, 4), dollars=0.0125
    ),
    "no counts at all": Case([say("x"), STOP], "x"),
}

# -- tool calls ----------------------------------------------------------------------------------------------------


def _pieces(**more: object) -> list[dict]:
    """One call in three pieces; ``more`` goes onto the later two."""
    return [calls(entry("", "add", "c1")), calls(entry('{"a"', **more)), calls(entry(": 1}", **more)), CALLED]


TOOLS = {
    "a call as documented": Case([ROLE, *_pieces()], calls=ONE, stop="tool_calls"),
    "no index": Case(
        [
            calls(entry("", "add", "c1", index=None)),
            calls(entry('{"a"', index=None)),
            calls(entry(": 1}", index=None)),
            CALLED,
        ],
        calls=ONE,
        stop="tool_calls",
    ),
    "no index, two calls in one frame": Case(
        [calls(entry(args(1), "add", "c1", index=None), entry(args(2), "add", "c2", index=None)), CALLED],
        calls=TWO,
        stop="tool_calls",
    ),
    "no index and no id, two calls": Case(
        [calls(entry(args(1), "add", index=None)), calls(entry(args(2), "add", index=None)), CALLED],
        calls=OWN,
        stop="tool_calls",
    ),
    "no index, pieces of two calls": Case(
        [
            calls(entry(piece, name, key, index=None))
            for n in (1, 2)
            for piece, name, key in (("", "add", f"c{n}"), ('{"a"', None, None), (f": {n}}}", None, None))
        ]
        + [CALLED],
        calls=TWO,
        stop="tool_calls",
    ),
    "an index that comes later": Case(
        [calls(entry("", "add", "c1", index=None)), calls(entry(args(1))), CALLED], calls=ONE, stop="tool_calls"
    ),
    "every call with index 0": Case(
        [calls(entry(args(1), "add", "c1")), calls(entry(args(2), "add", "c2")), CALLED], calls=TWO, stop="tool_calls"
    ),
    "every call with index 0, in one frame": Case(
        [calls(entry(args(1), "add", "c1"), entry(args(2), "add", "c2")), CALLED], calls=TWO, stop="tool_calls"
    ),
    "every call with index 0 and no id": Case(
        [calls(entry(args(1), "add")), calls(entry(args(2), "add")), CALLED], calls=OWN, stop="tool_calls"
    ),
    "every call with index 0, in pieces": Case(
        [
            calls(entry(piece, name, key))
            for n in (1, 2)
            for piece, name, key in (("", "add", f"c{n}"), ('{"a"', None, None), (f": {n}}}", None, None))
        ]
        + [CALLED],
        calls=TWO,
        stop="tool_calls",
    ),
    "two calls in pieces that alternate": Case(
        [calls(entry("", "add", f"c{n}", index=n - 1)) for n in (1, 2)]
        + [calls(entry('{"a": ', index=n - 1)) for n in (1, 2)]
        + [calls(entry(f"{n}}}", index=n - 1)) for n in (1, 2)]
        + [CALLED],
        calls=TWO,
        stop="tool_calls",
    ),
    "alternating pieces with ids and index 0": Case(
        [calls(entry(piece.replace("N", str(n)), "add", f"c{n}")) for piece in ("", '{"a": ', "N}") for n in (1, 2)]
        + [CALLED],
        calls=TWO,
        stop="tool_calls",
    ),
    "no id": Case(
        [calls(entry("", "add")), calls(entry('{"a": ')), calls(entry("1}")), CALLED],
        calls=OWN[:1],
        stop="tool_calls",
    ),
    "an empty id": Case([calls(entry(args(1), "add", "")), CALLED], calls=OWN[:1], stop="tool_calls"),
    "the same id twice": Case(
        [calls(entry(args(n), "add", "c1", index=n - 1)) for n in (1, 2)] + [CALLED],
        calls=[ONE[0], ("call_1", "add", {"a": 2})],
        stop="tool_calls",
    ),
    "another id on every piece": Case(
        [calls(entry("", "add", "c1")), calls(entry('{"a": ', key="x2")), calls(entry("1}", key="x3")), CALLED],
        calls=ONE,
        stop="tool_calls",
    ),
    "whole arguments in one frame": Case([calls(entry(args(1), "add", "c1")), CALLED], calls=ONE, stop="tool_calls"),
    "arguments as an object": Case([calls(entry({"a": 1}, "add", "c1")), CALLED], calls=ONE, stop="tool_calls"),
    "arguments as an empty object, then pieces": Case(
        [calls(entry({}, "add", "c1")), calls(entry('{"a": ')), calls(entry("1}")), CALLED],
        calls=ONE,
        stop="tool_calls",
    ),
    "no arguments": Case([calls(entry(None, "add", "c1")), CALLED], calls=[("c1", "add", {})], stop="tool_calls"),
    "no arguments, twice in one frame": Case(
        [calls(entry(None, "add"), entry(None, "add")), CALLED],
        calls=[("call_0", "add", {}), ("call_1", "add", {})],
        stop="tool_calls",
    ),
    "id and name on every piece": Case(_pieces(name="add", key="c1"), calls=ONE, stop="tool_calls"),
    "the name on every piece and no id": Case(
        [calls(entry(piece, "add")) for piece in ("", '{"a"', ": 1}")] + [CALLED], calls=OWN[:1], stop="tool_calls"
    ),
    "the whole call repeated at the end": Case(
        [*_pieces()[:-1], calls(entry(args(1), "add", "c1")), CALLED], calls=ONE, stop="tool_calls"
    ),
    "null names and ids on later pieces": Case(
        [
            calls(entry("", "add", "c1")),
            calls({"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": args(1)}}),
            CALLED,
        ],
        calls=ONE,
        stop="tool_calls",
    ),
    "an empty entry at the end": Case(
        [
            calls(entry(args(1), "add", "c1")),
            calls({"index": 1, "id": "", "function": {"name": "", "arguments": ""}}),
            calls({}),
            CALLED,
        ],
        calls=ONE,
        stop="tool_calls",
    ),
    "finish_reason stop with calls": Case([calls(entry(args(1), "add", "c1")), STOP], calls=ONE, stop="tool_calls"),
    "a finish_reason with each call": Case(
        [
            chunk({"tool_calls": [entry(args(n), "add", f"c{n}", index=n - 1)]}, "tool_calls", usage=COUNTS)
            for n in (1, 2)
        ],
        calls=TWO,
        stop="tool_calls",
        usage=(50, 30, 9, 4),
    ),
    "finish_reason tool_calls without calls": Case([say("Hello."), CALLED], "Hello."),
    "text before a call": Case([say("I look."), *_pieces()], "I look.", calls=ONE, stop="tool_calls"),
    "calls in one object": Case(
        [
            whole(
                {"content": None, "tool_calls": [entry(args(n), "add", f"c{n}", index=None) for n in (1, 2)]},
                "tool_calls",
            )
        ],
        calls=TWO,
        stop="tool_calls",
        whole=True,
    ),
}

# -- reasoning, refusals, cuts -------------------------------------------------------------------------------------


def _thinks(*deltas: dict) -> list[dict | bytes]:
    return [ROLE, *map(chunk, deltas), say("Hello."), STOP]


def _detail(text: str | None = None, **more: object) -> dict:
    return {"type": "reasoning.text", "index": 0, **({} if text is None else {"text": text}), **more}


ENDS = {
    "reasoning_content": Case(
        _thinks({"reasoning_content": "Hm"}, {"reasoning_content": "."}), "Hello.", reasoning="Hm."
    ),
    "reasoning": Case(_thinks({"reasoning": "Hm"}, {"reasoning": "."}), "Hello.", reasoning="Hm."),
    "reasoning_details": Case(
        _thinks(*({"reasoning_details": [_detail(each)]} for each in ("Hm", "."))), "Hello.", reasoning="Hm."
    ),
    "reasoning in two places at once": Case(
        _thinks(*({"reasoning": each, "reasoning_details": [_detail(each)]} for each in ("Hm", "."))),
        "Hello.",
        reasoning="Hm.",
    ),
    "reasoning under both names": Case(
        _thinks({"reasoning": "Hm.", "reasoning_content": "Hm."}), "Hello.", reasoning="Hm."
    ),
    "null reasoning beside text": Case(
        [chunk({"content": "Hello.", "reasoning_content": None, "reasoning_details": None}), STOP], "Hello."
    ),
    "a refusal": Case([chunk({"refusal": "I "}), chunk({"refusal": "can't."}), STOP], "I can't.", stop="refusal"),
    "a refusal that ends by the filter": Case(
        [chunk({"refusal": "No."}), calls(entry('{"a', "add")), chunk(finish="content_filter")], "No.", stop="refusal"
    ),
    "a filter after some words": Case(
        [say("Well"), *_pieces()[:-1], chunk(finish="content_filter")], "Well", stop="refusal"
    ),
    "an empty answer": Case([ROLE, STOP, COUNTED], usage=(50, 30, 9, 4)),
    "only reasoning": Case([*_thinks({"reasoning": "Hm."})[:2], STOP], reasoning="Hm."),
    "a length reached": Case([say("Well"), chunk(finish="length")], "Well", stop="length"),
    "a length reached before a word": Case(
        [*_thinks({"reasoning": "Hm"})[:2], chunk(finish="length")], reasoning="Hm", stop="length"
    ),
    "a length reached inside a call": Case(
        [
            say("So"),
            calls(entry(args(1), "add", "c1")),
            calls(entry('{"a": ', "add", "c2", index=1)),
            chunk(finish="length"),
        ],
        "So",
        calls=ONE,
        stop="length",
    ),
}

CASES: dict[str, Case] = {**TEXTS, **COUNTINGS, **TOOLS, **ENDS}
