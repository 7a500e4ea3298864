"""What Responses servers send: events of a stream by quirk, and what must come out of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

Call = tuple[str, str, dict]


@dataclass(frozen=True)
class Case:
    """``frames`` are events, or bytes that stand between them; the rest is the answer they must grow into."""

    frames: list[dict | bytes]
    text: str = ""
    calls: list[Call] = field(default_factory=list)
    reasoning: str = ""
    stop: str = "end"
    usage: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    dollars: float | None = None
    phases: tuple[str, ...] = ()
    whole: bool = False
    """Sent as one JSON object instead of a stream."""


def event(kind: str, **more: object) -> dict:
    return {"type": f"response.{kind}", **more}


def say(text: str, **more: object) -> dict:
    return event("output_text.delta", delta=text, **more)


def added(item: dict, **more: object) -> dict:
    return event("output_item.added", item=item, **more)


def done(item: dict, **more: object) -> dict:
    return event("output_item.done", item=item, **more)


def pieces(text: str, **more: object) -> dict:
    return event("function_call_arguments.delta", delta=text, **more)


def message(text: str, **more: object) -> dict:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}], **more}


def called(number: int = 1, written: object = None, **more: object) -> dict:
    arguments = args(number) if written is None else written
    return {"type": "function_call", "name": "add", "call_id": f"c{number}", "arguments": arguments, **more}


def thought(text: str = "Think.", **more: object) -> dict:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA", **more}


def end(*output: dict, usage: dict | None = None, **more: object) -> dict:
    return event(
        "completed", response={"id": "r", "status": "completed", "output": list(output), "usage": usage, **more}
    )


def args(number: int) -> str:
    return json.dumps({"a": number})


END = end()
HELLO = "Hello."
CALLED = "tool_calls"
ONE: list[Call] = [("c1", "add", {"a": 1})]
TWO: list[Call] = [("c1", "add", {"a": 1}), ("c2", "add", {"a": 2})]
COUNTS = {
    "input_tokens": 50, "output_tokens": 9, "total_tokens": 59,
    "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
    "output_tokens_details": {"reasoning_tokens": 4},
}  # fmt: skip
_CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
_FILTER = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}


def _call(number: int, *, index: int | None = None, ids: bool = True) -> list[dict]:
    """One call, streamed whole."""
    place = {} if index is None else {"output_index": index}
    item = called(number, "", **({"id": f"fc{number}"} if ids else {}))
    key = {**place, **({"item_id": f"fc{number}"} if ids else {})}
    return [
        added(item, **place), pieces(args(number)[:4], **key), pieces(args(number)[4:], **key),
        event("function_call_arguments.done", arguments=args(number), **key),
        done({**item, "arguments": args(number)}, **place),
    ]  # fmt: skip


CASES = {
    # -- text
    "as documented": Case(
        [
            event("created", response={"status": "in_progress", "usage": None}),
            added({"type": "message", "id": "m1", "content": []}, output_index=0),
            event("content_part.added", item_id="m1", part={"type": "output_text", "text": ""}),
            say("Hel", item_id="m1", content_index=0), say("lo.", item_id="m1", content_index=0),
            event("output_text.done", item_id="m1", content_index=0, text=HELLO),
            event("content_part.done", item_id="m1", content_index=0, part={"type": "output_text", "text": HELLO}),
            done(message(HELLO, id="m1"), output_index=0), end(message(HELLO, id="m1"), usage=COUNTS),
        ],
        HELLO, usage=(50, 30, 9, 4, 20),
    ),
    "only deltas, no ids": Case([say("Hel"), say("lo."), END], HELLO),
    "only text.done": Case([event("output_text.done", text=HELLO), END], HELLO),
    "only content_part.done": Case(
        [event("content_part.done", part={"type": "output_text", "text": HELLO}), END], HELLO
    ),
    "only item.done": Case([done(message(HELLO), output_index=0), END], HELLO),
    "only the terminal event": Case([end(message(HELLO))], HELLO),
    "a delta is missing": Case([say("Hel"), done(message(HELLO)), END], HELLO),
    "another id at the end": Case([say(HELLO, item_id="a"), end(message(HELLO, id="b"))], HELLO),
    "another id on each event": Case(
        [say("Hel", item_id="a", output_index=0), say("lo.", item_id="b", output_index=0), END], HELLO
    ),
    "null ids": Case([say("Hel", item_id=None, output_index=None), say("lo.", item_id=None), END], HELLO),
    "an extra empty message": Case([say(HELLO), done(message("")), END], HELLO),
    "an extra empty message beside a call": Case([*_call(1), end(message(""), called(1))], "", ONE, stop=CALLED),
    "an announced message that stays empty": Case([added({"type": "message", "content": []}), *_call(1), END], "", ONE,
                                                   stop=CALLED),
    "two messages": Case([done(message("One.", id="m1")), done(message("Two.", id="m2")), END], "One.\n\nTwo."),
    "two messages with their phases": Case(
        [done(message("Look.", id="m1", phase="commentary")), done(message("Two.", id="m2", phase="final_answer")),
         END],
        "Look.\n\nTwo.", phases=("commentary", "final_answer"),
    ),
    "two parts of one message": Case([say("One ", content_index=0), say("two.", content_index=1), END], "One two."),
    "text beside a call": Case([say("Wait."), *_call(1), END], "Wait.", ONE, stop=CALLED),
    # -- calls
    "a call as documented": Case([*_call(1, index=0), end(called(1))], "", ONE, stop=CALLED),
    "whole arguments in one frame": Case([done(called(1, id="f1"), output_index=0), END], "", ONE, stop=CALLED),
    "whole arguments when announced": Case([added(called(1)), END], "", ONE, stop=CALLED),
    "arguments as an object": Case([done(called(1, {"a": 1})), END], "", ONE, stop=CALLED),
    "arguments as an object at the end": Case([end(called(1, {"a": 1}))], "", ONE, stop=CALLED),
    "only arguments.done": Case(
        [added(called(1, "")), event("function_call_arguments.done", arguments=args(1)), END], "", ONE, stop=CALLED
    ),
    "only argument deltas": Case([added(called(1, "")), pieces('{"a"'), pieces(": 1}"), END], "", ONE, stop=CALLED),
    "a call only in the terminal event": Case([end(called(1))], "", ONE, stop=CALLED),
    "no ids, and an empty message at the end": Case(
        [*_call(1, ids=False), end(message(""), called(1))], "", ONE, stop=CALLED
    ),
    "a name that comes with arguments.done": Case(
        [pieces(args(1), item_id="f"),
         event("function_call_arguments.done", item_id="f", name="add", arguments=args(1)), END],
        "", [("call_0", "add", {"a": 1})], stop=CALLED,
    ),
    "no call_id but an id": Case([done({**called(1), "call_id": None, "id": "f9"}), END], "", [("f9", "add", {"a": 1})],
                                 stop=CALLED),
    "no id at all": Case([done({**called(1), "call_id": ""}), END], "", [("call_0", "add", {"a": 1})], stop=CALLED),
    "no arguments": Case([done(called(1, "")), END], "", [("c1", "add", {})], stop=CALLED),
    "two calls, every one with index 0": Case([*_call(1, index=0), *_call(2, index=0), END], "", TWO, stop=CALLED),
    "two calls, index 0 and no item ids": Case(
        [*_call(1, index=0, ids=False), *_call(2, index=0, ids=False), END], "", TWO, stop=CALLED
    ),
    "two calls without index": Case([*_call(1), *_call(2), END], "", TWO, stop=CALLED),
    "two calls in pieces that alternate": Case(
        [
            added(called(1, "", id="fc1"), output_index=0), added(called(2, "", id="fc2"), output_index=1),
            pieces('{"a": ', item_id="fc1"), pieces('{"a": ', item_id="fc2"), pieces("1}", item_id="fc1"),
            pieces("2}", item_id="fc2"), END,
        ],
        "", TWO, stop=CALLED,
    ),
    "two calls that alternate by index alone": Case(
        [
            added(called(1, ""), output_index=0), added(called(2, ""), output_index=1),
            pieces('{"a": ', output_index=0), pieces('{"a": ', output_index=1), pieces("1}", output_index=0),
            pieces("2}", output_index=1), END,
        ],
        "", TWO, stop=CALLED,
    ),
    "the calls repeated at the end": Case([*_call(1), *_call(2), end(called(1), called(2))], "", TWO, stop=CALLED),
    "the name on every piece": Case(
        [added(called(1, "")), pieces('{"a"', name="add"), pieces(": 1}", name="add"), END], "", ONE, stop=CALLED
    ),
    "another order at the end": Case(
        [say("Wait.", item_id="m"), *_call(1), end(called(1), message("Wait.", id="m"))], "Wait.", ONE, stop=CALLED
    ),
    # -- reasoning
    "a summary in deltas": Case(
        [event("reasoning_summary_text.delta", item_id="rs_1", summary_index=0, delta="Think."), done(thought()),
         say("Ok"), END],
        "Ok", reasoning="Think.",
    ),
    "a summary only when done": Case([done(thought()), say("Ok"), END], "Ok", reasoning="Think."),
    "a summary only at the end": Case([say("Ok"), end(thought(), message("Ok"))], "Ok", reasoning="Think."),
    "two summaries": Case(
        [event("reasoning_summary_text.delta", summary_index=n, delta=text) for n, text in enumerate(("One.", "Two."))]
        + [done(thought("")), say("Ok"), END],
        "Ok", reasoning="One.\n\nTwo.",
    ),
    "reasoning text in place of a summary": Case(
        [event("reasoning_text.delta", content_index=0, delta="Think."), say("Ok"), END], "Ok", reasoning="Think."
    ),
    "reasoning text only when done": Case(
        [done(thought("", content=[{"type": "reasoning_text", "text": "Think."}])), say("Ok"), END],
        "Ok", reasoning="Think.",
    ),
    "reasoning text in deltas and when done": Case(
        [event("reasoning_text.delta", content_index=0, delta="Thi"),
         done(thought("", content=[{"type": "reasoning_text", "text": "Think."}])), say("Ok"), END],
        "Ok", reasoning="Think.",
    ),
    "encrypted content that changes until it is done": Case(
        [added(thought("", encrypted_content="early")), done(thought()), say("Ok"), END], "Ok", reasoning="Think."
    ),
    # -- what stands between
    "unknown events": Case([event("brand_new"), {"type": "keepalive"}, {}, say(HELLO), END], HELLO),
    "comments between events": Case([b": keep-alive\n\n", say("Hel"), b":\n\n", say("lo."), END], HELLO),
    "events without names, carriage returns": Case(
        [f"data: {json.dumps(each)}\r\n\r\n".encode() for each in (say(HELLO), END)], HELLO
    ),
    "one event over several data lines": Case(
        [b'event: x\ndata: {"type": "response.output_text.delta",\ndata: "delta": "Hello."}\n\n', END], HELLO
    ),
    "items of other kinds": Case([done({"type": "web_search_call", "id": "w"}), say(HELLO), END], HELLO),
    "a [DONE] at the end": Case([say(HELLO), END, b"data: [DONE]\n\n"], HELLO),
    # -- the end
    "null output and null details": Case(
        [say(HELLO), event("completed", response={"output": None, "usage": {
            "input_tokens": 5, "output_tokens": 2, "input_tokens_details": None, "output_tokens_details": None}})],
        HELLO, usage=(5, 0, 2, 0, 0),
    ),
    "no response in the terminal event": Case([say(HELLO), event("completed")], HELLO),
    "the server's own price": Case([say(HELLO), end(usage={**COUNTS, "cost": 0.25})], HELLO, usage=(50, 30, 9, 4, 20),
                                   dollars=0.25),
    "status stop beside calls": Case([*_call(1), end(called(1), status="stop")], "", ONE, stop=CALLED),
    "one object instead of a stream": Case([{"id": "r", "status": "completed", "output": [message(HELLO)]}], HELLO,
                                           whole=True),
    "a call in one object": Case([{"id": "r", "error": None, "output": [called(1)]}], "", ONE, stop=CALLED,
                                 whole=True),
    "a refusal": Case([event("refusal.delta", delta="I can't."), END], "I can't.", stop="refusal"),
    "a refusal only when done": Case([event("refusal.done", refusal="I can't."), END], "I can't.", stop="refusal"),
    "a refusal only in the item": Case(
        [done({"type": "message", "content": [{"type": "refusal", "refusal": "I can't."}]}), END], "I can't.",
        stop="refusal",
    ),
    "a filter after some words": Case(
        [say("So"), *_call(1), event("incomplete", response=_FILTER)], "So", stop="refusal"
    ),
    "a length reached": Case([say("So"), event("incomplete", response=_CUT)], "So", stop="length"),
    "a length reached, told by status alone": Case([say("So"), event("completed", response=_CUT)], "So", stop="length"),
    "a length reached inside a call": Case(
        [say("So"), added(called(1, '{"a": ')), event("incomplete", response=_CUT)], "So", stop="length"
    ),
    "a schema that is ignored": Case([say("no JSON"), END], "no JSON"),
}  # fmt: skip
