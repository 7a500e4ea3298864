"""What a request tells: the prompt, what came with it, what was done for it, and what was said before."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from statebook.protocol.messages import File, Message, ToolCall, ToolResult
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

_BLOCK = re.compile(
    r"\s*<(?:(?P<memory>memory)|attachment name=\"(?P<name>[^\"]*)\")>\n?(?P<text>.*?)\n?</(?:memory|attachment)>",
    re.DOTALL,
)
_REWOUND = re.compile(r"\A<rewound>.*?</rewound>\n\n", re.DOTALL)
"""What tells that the person went back: nothing that one who plans by rules would do otherwise."""
_FOLLOWS = re.compile(r"\n?The (?:picture|file) follows\.\s*\Z")
_FORM = re.compile(r"\n*<answer-form>.*?</answer-form>\s*\Z", re.DOTALL)
"""What says in which form the answer is wanted; the request says it too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool call to make."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for equal calls, whatever the order of their arguments."""
        return f"{self.name} {json.dumps(dict(self.arguments), sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls that do not depend on each other; ``thought`` tells why they are made."""

    wishes: tuple[Wish, ...]
    thought: str = ""


Plan = Generator[Batch, list[ToolResult], str]
"""Yields batches, is sent their results in the same order, returns text."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt, and everything since.

    ``attachments`` (by name) and ``memories`` came with the prompt and are data. ``done`` are the calls made since,
    each with its result. ``earlier`` are the prompts and answers before, oldest first. ``unseen`` are the names of
    pictures and other files that came with the prompt as they are.
    """

    prompt: str
    attachments: Mapping[str, str]
    memories: tuple[str, ...]
    done: tuple[tuple[Wish, ToolResult], ...]
    tools: Mapping[str, ToolSpec]
    earlier: tuple[tuple[str, str], ...]
    unseen: tuple[str, ...] = ()

    def offers(self, name: str) -> bool:
        """Whether a tool may be called."""
        return name in self.tools

    def wish(self, name: str, **arguments: Any) -> Wish:
        """A call with those of the arguments that the offered tool takes."""
        properties = self.tools[name].parameters.get("properties") or arguments
        return Wish(name, {key: value for key, value in arguments.items() if key in properties})


def read_turn(request: ModelRequest) -> Turn:
    """The turn that a request asks to continue."""
    starts = [place for place, message in enumerate(request.messages) if message.role == "user"]
    start = starts[-1] if starts else len(request.messages)
    blocks, prompt = split_prompt(request.messages[start].text if starts else "")
    return Turn(
        prompt=prompt,
        attachments={name: _FOLLOWS.sub("", text) for name, text in blocks if name is not None},
        memories=tuple(line.strip(" -") for name, text in blocks if name is None for line in text.splitlines() if line),
        done=tuple(_done(request.messages[start + 1 :])),
        tools={spec.name: spec for spec in request.tools},
        earlier=tuple(_earlier(request.messages[:start])),
        unseen=tuple(part.name for part in request.messages[start].parts if isinstance(part, File)) if starts else (),
    )


def split_prompt(text: str) -> tuple[list[tuple[str | None, str]], str]:
    """The blocks before a prompt, as (attachment name, or None for memory; text), and the prompt alone."""
    blocks: list[tuple[str | None, str]] = []
    rewound = _REWOUND.match(text)
    place = rewound.end() if rewound else 0
    while match := _BLOCK.match(text, place):
        blocks.append((None if match["memory"] else match["name"], match["text"]))
        place = match.end()
    return blocks, _FORM.sub("", text[place:]).strip()


def _done(messages: Sequence[Message]) -> list[tuple[Wish, ToolResult]]:
    results = {part.call_id: part for message in messages for part in message.parts if isinstance(part, ToolResult)}
    made = []
    for message in messages:
        for call in message.calls:
            missing = ToolResult(call.id, call.name, "[No result.]", "interrupted")
            made.append((_wish(call), results.get(call.id, missing)))
    return made


def _wish(call: ToolCall) -> Wish:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    return Wish(call.name, arguments if isinstance(arguments, dict) else {})


def _earlier(messages: Sequence[Message]) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for message in messages:
        if message.role == "user":
            turns.append((split_prompt(message.text)[1], ""))
        elif message.role == "assistant" and message.text and turns:
            turns[-1] = (turns[-1][0], message.text)
    return turns
