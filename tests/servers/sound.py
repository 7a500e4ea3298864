"""What must be true of every request that a session sends, and of its journal, whatever happened before."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from statebook.protocol.journal.events import Entry, ModelAnswered, ModelFailed
from statebook.testing import TemporarySession

from .relay import Asked


def check_requests(asked: list[Asked]) -> None:
    """Every tool call has its result after it, every result its call, ids are each used once, arguments are JSON."""
    assert asked
    for request in asked:
        body = request.body
        said = _responses(body["input"]) if "input" in body else _chat(body["messages"])
        open_calls: dict[str, str] = {}
        seen: set[str] = set()
        for kind, key, text in said:
            if kind == "call":
                assert key not in seen, f"the id {key} is used twice"
                assert isinstance(json.loads(text), dict)
                seen.add(key)
                open_calls[key] = text
            elif kind == "result":
                assert key in open_calls, f"a result without its call: {key}"
                assert text
                del open_calls[key]
            else:
                assert not open_calls, f"calls without results before the next message: {sorted(open_calls)}"
        assert not open_calls, f"calls without results: {sorted(open_calls)}"


def _responses(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    said = []
    for item in items:
        if item["type"] == "function_call":
            said.append(("call", item["call_id"], item["arguments"]))
        elif item["type"] == "function_call_output":
            said.append(("result", item["call_id"], item["output"]))
        elif item["type"] == "message":
            said.append(("message", "", ""))
    return said


def _chat(messages: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    said = []
    for message in messages:
        if message["role"] == "tool":
            said.append(("result", message["tool_call_id"], message["content"]))
            continue
        said.append(("message", "", ""))
        said += [("call", each["id"], each["function"]["arguments"]) for each in message.get("tool_calls") or []]
    return said


def check_prefix(asked: list[Asked]) -> None:
    """Each request begins with the bytes of the one before, up to where its list of messages ends."""
    assert len(asked) > 1
    for before, after in pairwise(asked):
        assert before.raw.endswith(b"]}")
        assert after.raw.startswith(before.raw.removesuffix(b"]}"))


def check_journal(session: TemporarySession) -> None:
    """Hashes and references agree, also after closing and opening the file again."""
    for _ in range(2):
        report = session.store.verify()
        assert report.whole, report
        session.restart()


def entries(session: TemporarySession, run: int = 1) -> list[Entry]:
    return session.store.journal.entries_of_run(run)


def outcomes(session: TemporarySession, run: int = 1) -> list[str]:
    """How each model call of a run ended: ``answered``, or its fault."""
    ends = [entry.event for entry in entries(session, run) if isinstance(entry.event, ModelAnswered | ModelFailed)]
    return ["answered" if isinstance(end, ModelAnswered) else end.fault for end in ends]
