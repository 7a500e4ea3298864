"""A model whose answers are written down beforehand, and which fails on unused and on unexpected requests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from statebook.errors import ModelError
from statebook.protocol.messages import Message, Part, Text, ToolCall, ToolResult
from statebook.protocol.models import Completion, ModelEvent, ModelRequest, TextDelta, Usage

Expectation = str | Callable[[ModelRequest], object] | None
"""What a request must hold: a substring of its messages, or a function that returns False or raises otherwise."""

_FREE = Usage()


@dataclass(frozen=True, slots=True)
class Step:
    """One answer. Made by `say`, `call`, `fail` and `hang`."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    error: ModelError | None = None
    hangs: bool = False
    expect: Expectation = None
    usage: Usage = _FREE


def say(text: str, *, expect: Expectation = None, usage: Usage = _FREE) -> Step:
    """Answer with a text and end the run."""
    return Step(text=text, expect=expect, usage=usage)


def call(*names_and_arguments: Any, text: str = "", expect: Expectation = None, usage: Usage = _FREE) -> Step:
    """Ask for tools, in parallel: ``call("add", {"a": 1}, "add", {"a": 2})``, after an optional text.

    Arguments given as a string are sent as they are, so a test may send malformed JSON.
    """
    if len(names_and_arguments) % 2:
        names_and_arguments = (*names_and_arguments, {})
    pairs = zip(names_and_arguments[::2], names_and_arguments[1::2], strict=True)
    written = tuple((name, args if isinstance(args, str) else json.dumps(args)) for name, args in pairs)
    return Step(text=text, calls=written, expect=expect, usage=usage)


def fail(error: ModelError, *, text: str = "", expect: Expectation = None) -> Step:
    """Raise ``error``, after streaming ``text``."""
    return Step(text=text, error=error, expect=expect)


def hang(text: str = "", *, expect: Expectation = None) -> Step:
    """Stream ``text`` and then wait until cancelled, as a model that never ends does."""
    return Step(text=text, hangs=True, expect=expect)


class ScriptedModel:
    """Answers with its steps, in order.

    A request after the last step, or one that does not meet its step's ``expect``, raises AssertionError; `verify`
    (or leaving ``with ScriptedModel(...) as model:``) raises it again, and for steps that were never asked for, so
    that a run which swallows errors can't hide them. ``requests`` keeps what was asked. ``prices`` are US dollars for
    a million input and output tokens; None is not known.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        name: str = "scripted:test",
        context_tokens: int = 1_000_000,
        prices: tuple[float, float] | None = None,
    ) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self.prices = prices
        self.requests: list[ModelRequest] = []
        self._steps = tuple(steps)
        self._problems: list[str] = []

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Stream the next step's text in pieces of a word, then its `Completion`."""
        self.requests.append(request)
        number = len(self.requests)
        step = self._take(number, request)
        for piece in re.findall(r"\S+\s*|\s+", step.text):
            yield TextDelta(piece)
            await asyncio.sleep(0)
        if step.hangs:
            await asyncio.Event().wait()
        if step.error is not None:
            raise step.error
        parts: list[Part] = [Text(step.text)] if step.text else []
        parts += [
            ToolCall(f"call_{number}_{place}", name, arguments)
            for place, (name, arguments) in enumerate(step.calls, start=1)
        ]
        yield Completion(
            Message("assistant", tuple(parts)),
            step.usage,
            stop="tool_calls" if step.calls else "end",
            response_id=f"scripted_{number}",
        )

    def price(self, usage: Usage) -> float | None:
        """See `Model.price`."""
        if self.prices is None:
            return None
        return (usage.input * self.prices[0] + usage.output * self.prices[1]) / 1_000_000

    def verify(self) -> None:
        """Raise AssertionError unless every step was asked for, and nothing else."""
        left = self._steps[len(self.requests) :]
        problems = list(self._problems)
        if left:
            shown = "; ".join(_describe(step) for step in left)
            problems.append(f"{len(left)} of {len(self._steps)} scripted steps were never asked for: {shown}")
        if problems:
            raise AssertionError("\n".join(problems))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:  # an error on its way out tells more than the steps it left unused
            self.verify()

    def _take(self, number: int, request: ModelRequest) -> Step:
        if number > len(self._steps):
            self._reject(f"Request {number} was not expected: the script has {len(self._steps)} steps", request)
        step = self._steps[number - 1]
        if isinstance(step.expect, str) and step.expect not in _words(request):
            self._reject(f"Request {number} does not hold {step.expect!r}", request)
        if callable(step.expect):
            try:
                met = step.expect(request) is not False
            except AssertionError as error:
                self._problems.append(f"Request {number} does not meet its expectation: {error}")
                raise
            if not met:
                self._reject(f"Request {number} does not meet its expectation", request)
        return step

    def _reject(self, problem: str, request: ModelRequest) -> None:
        last = request.messages[-1] if request.messages else Message("user", ())
        shown = _words_of(last).strip()
        message = f"{problem}. Its last message ({last.role}): {shown[:300]!r}"
        self._problems.append(message)
        raise AssertionError(message)


def _describe(step: Step) -> str:
    if step.calls:
        return "call " + ", ".join(f"{name}({arguments})" for name, arguments in step.calls)
    if step.error is not None:
        return f"fail {step.error.message!r}"
    return f"{'hang' if step.hangs else 'say'} {step.text[:60]!r}"


def _words(request: ModelRequest) -> str:
    return "\n".join(_words_of(message) for message in request.messages)


def _words_of(message: Message) -> str:
    texts = [part.text for part in message.parts if isinstance(part, Text | ToolResult)]
    texts += [f"{part.name}({part.arguments})" for part in message.parts if isinstance(part, ToolCall)]
    return "\n".join(texts)
