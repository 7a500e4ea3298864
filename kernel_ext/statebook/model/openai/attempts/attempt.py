"""One way to put a request, and the next way after a refusal: every change is made once, so that it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from statebook.model.openai.content.attached import note
from statebook.model.openai.errors import Told
from statebook.protocol.messages import File, Message, Reasoning, Text
from statebook.protocol.models import ModelRequest

from .signs import (
    echo_refused,
    files_refused,
    id_refused,
    reasoning_lost,
    refused_option,
    route_missing,
    wants_other_api,
)

Api = Literal["responses", "chat"]
Returned = Literal["whole", "bare", "none"]
"""How reasoning goes back: as it came; without the ids that point into a server's storage; not at all."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a request is put.

    ``without`` are options left out, ``older_files`` says whether files of earlier prompts are sent along. ``keep``
    asks the server to keep the conversation, ``anchored`` sends the id of a response instead of what it covers.
    ``pinned`` says that the other API is not to be tried (any more);
    ``off_route`` that this one was chosen since the other's route is missing.
    """

    api: Api
    without: frozenset[str] = frozenset()
    reasoning: Returned = "whole"
    older_files: bool = True
    keep: bool = False
    anchored: bool = False
    pinned: bool = False
    off_route: bool = False

    def after(
        self, told: Told, request: ModelRequest, body: dict[str, Any], optional: tuple[str, ...]
    ) -> Attempt | None:
        """The attempt to make after this refusal of ``request`` as ``body``; None where nothing is left to change."""
        option = refused_option(told, body, optional)
        missing = route_missing(told)
        if option == "store" and self.keep:
            return replace(self, keep=False, anchored=False)
        less = self._less(told, request, body)
        if less is not None:
            return less
        if option:
            return replace(self, without=self.without | {option})
        if self.anchored and id_refused(told):  # before the route: "response not found" is a 404 too
            return replace(self, anchored=False)
        if not self.pinned and (missing or wants_other_api(told)):
            return Attempt("chat" if self.api == "responses" else "responses", pinned=True, off_route=missing)
        return None

    def _less(self, told: Told, request: ModelRequest, body: dict[str, Any]) -> Attempt | None:
        """With less of what was said before, where the refusal is about it."""
        reasoning = self._less_reasoning(told, body)
        if reasoning is not None:
            return replace(self, reasoning=reasoning)
        if self.older_files and files_refused(told) and any(map(_has_file, _before_last_prompt(request.messages))):
            return replace(self, older_files=False)
        return None

    def _less_reasoning(self, told: Told, body: dict[str, Any]) -> Returned | None:
        """How reasoning is to go back instead; None where the refusal is not about it, or nothing is left of it."""
        if self.reasoning == "none":
            return None
        if echo_refused(told, body):
            return "none"
        if reasoning_lost(told) and _has_reasoning(body):
            return "bare" if self.reasoning == "whole" else "none"
        return None

    def request(self, request: ModelRequest) -> ModelRequest:
        """``request`` as this attempt sends it."""
        messages = request.messages
        if self.reasoning != "whole":
            messages = tuple(_with_less(message, self.reasoning) for message in messages)
        if not self.older_files:
            older = _before_last_prompt(messages)
            messages = (*map(_with_notes, older), *messages[len(older) :])
        return replace(request, messages=messages, anchor=request.anchor if self.anchored else None)


def _before_last_prompt(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """What stands before the prompt that is being answered: what a person hands over now is never left out unsaid."""
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=0)
    return messages[:last]


def _has_file(message: Message) -> bool:
    return any(isinstance(part, File) for part in message.parts)


def _with_notes(message: Message) -> Message:
    if not _has_file(message):
        return message
    parts = tuple(Text(f"\n{note(part)}") if isinstance(part, File) else part for part in message.parts)
    return replace(message, parts=parts)


def _has_reasoning(body: dict[str, Any]) -> bool:
    sent = body.get("input")
    return isinstance(sent, list) and any(item.get("type") == "reasoning" for item in sent)


def _with_less(message: Message, returned: Returned) -> Message:
    if not any(isinstance(part, Reasoning) for part in message.parts):
        return message
    if returned == "none":
        return replace(message, parts=tuple(part for part in message.parts if not isinstance(part, Reasoning)))
    return replace(message, parts=tuple(_bare(part) if isinstance(part, Reasoning) else part for part in message.parts))


def _bare(part: Reasoning) -> Reasoning:
    kept = part.item or {}
    item = kept.get("item")
    if not isinstance(item, dict):
        return part
    return Reasoning(part.text, {**kept, "item": {key: value for key, value in item.items() if key != "id"}})
