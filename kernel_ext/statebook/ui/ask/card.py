"""The approval card in a notebook: an anywidget that a person answers while the cell runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from statebook.ids import run_name
from statebook.protocol.approvals import Answer, Question
from statebook.ui.escape import code, one_line, visible
from statebook.ui.lines import CHOICES, DECISIONS, called, pretty_arguments

HANDSHAKE = 8.0
"""Seconds within which the card must show signs of life; else the front end can't reach a running cell."""
_HEARTBEAT = 0.2


def question_title(question: Question) -> str:
    """``Allow write_file?``, or ``Did write_file happen?``."""
    name = one_line(question.call.name, 80)
    return f"Allow {name}?" if question.kind == "approval" else f"Did {name} happen?"


def question_facts(question: Question) -> str:
    """``r3.4 · effect: write · from: user``."""
    facts = [f"{run_name(question.run)}.{question.step}", f"effect: {question.effect}"]
    if question.origin:
        facts.append(f"from: {one_line(question.origin, 120)}")
    return " · ".join(facts)


def question_call(question: Question) -> str:
    """The tool's name and its whole arguments, indented."""
    return f"{one_line(question.call.name, 80)} {pretty_arguments(question.call)}"


def answered(question: Question, answer: Answer | None) -> str:
    """The line that stays: ``write_file path='x.md': allowed once``."""
    said = DECISIONS[answer.choice] if answer else "not answered"
    word = f" “{one_line(answer.word, 300)}”" if answer and answer.word else ""
    return f"{called(question.call)}: {said}{word}"


async def ask_by_card(question: Question, handshake: float = HANDSHAKE) -> Answer | None:
    """Show the card and wait for an answer; None where the front end does not answer the handshake.

    In the end the widget is replaced by a static line, so that the saved notebook holds no widget. When the task is
    cancelled (the stop button) the line says that nobody answered.
    """
    from IPython.display import display

    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    decided: asyncio.Future[Answer] = loop.create_future()
    widget = _widget(question)

    def take(content: Mapping[str, Any]) -> None:
        if content.get("kind") == "ready" and not ready.done():
            ready.set_result(None)
        elif content.get("kind") == "answer" and content.get("choice") in question.choices and not decided.done():
            word = one_line(str(content.get("word") or ""), 2000)
            decided.set_result(Answer(content["choice"], word, "card"))

    def on_message(sender: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict):
            if content.get("kind") == "ready":
                sender.send({"kind": "heard"})
            # ipykernel 7.0-7.3 calls from a subshell's thread
            loop.call_soon_threadsafe(take, content)

    widget.on_msg(on_message)
    handle = display(widget, display_id=True)  # IPython publishes no types
    answer: Answer | None = None
    reached = False
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(ready), handshake)
            reached = True
        while reached and answer is None:
            # the stop button is noticed only when the loop wakes, and nothing else may wake it while a person thinks
            await asyncio.wait({decided}, timeout=_HEARTBEAT)
            answer = decided.result() if decided.done() else None
    except asyncio.CancelledError:
        reached = True
        raise
    finally:
        line = answered(question, answer) if reached else f"{called(question.call)}: asked below"
        _replace(handle, line)
        widget.close()
    return answer


def _replace(handle: Any, line: str) -> None:
    # a closed front end must not harm the run
    with contextlib.suppress(Exception):
        handle.update({"text/html": f"<div><small>{code(line)}</small></div>", "text/plain": visible(line)}, raw=True)


def _widget(question: Question) -> Any:
    import anywidget
    import traitlets

    room = files(__package__)

    class ApprovalCard(anywidget.AnyWidget):
        """One question, as plain strings."""

        _esm = room.joinpath("card.js").read_text("utf-8")
        _css = room.joinpath("card.css").read_text("utf-8")
        question = traitlets.Dict().tag(sync=True)

    widget = ApprovalCard(
        question={
            "title": question_title(question),
            "reason": visible(question.reason),
            "call": question_call(question),
            "facts": question_facts(question),
            "choices": [[choice, CHOICES[choice]] for choice in question.choices],
        }
    )
    _unpin(widget.comm)
    return widget


def _unpin(comm: Any) -> None:
    """Let the front end choose the subshell for its messages.

    ipykernel 7.4 sends what arrives on a comm to the shell that last spoke on it: the one the running cell blocks.
    Other versions have no such attribute.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001  there is no public switch
