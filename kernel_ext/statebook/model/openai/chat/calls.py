"""Tool calls of one chat answer while they stream in, told apart by whatever a server says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from statebook.errors import ModelError
from statebook.model.openai.content.shapes import entries, inner
from statebook.protocol.messages import ToolCall

_SIGNS = re.compile(r'[\\"{}\[\]]')


class Brackets:
    """Whether JSON text that comes in pieces has closed its outermost bracket; each character is looked at once."""

    def __init__(self) -> None:
        self._depth = 0
        self._opened = self._quoted = self._escaped = False

    @property
    def closed(self) -> bool:
        """Whether everything that was opened is closed again."""
        return self._opened and self._depth <= 0 and not self._quoted

    def feed(self, text: str) -> None:
        """Take the next piece."""
        place = 1 if self._escaped and text else 0
        self._escaped = self._escaped and not text
        while found := _SIGNS.search(text, place):
            place, sign = found.end(), found[0]
            if sign == '"':
                self._quoted = not self._quoted
            elif self._quoted:
                if sign == "\\":
                    self._escaped = place == len(text)
                    place += 1
            elif sign in "{[":
                self._depth, self._opened = self._depth + 1, True
            elif sign in "}]":
                self._depth -= 1


@dataclass(slots=True)
class Call:
    """One call as far as it is known; ``written`` are the pieces of its arguments."""

    index: int | None = None
    id: str = ""
    name: str = ""
    extra: dict[str, Any] | None = None
    written: list[str] = field(default_factory=list)
    brackets: Brackets = field(default_factory=Brackets)

    def write(self, value: object) -> None:
        """Take more arguments: a piece of text, or the object itself, which is all of them.

        Text that begins anew after the end is a repetition, or follows an empty ``{}`` sent ahead; it replaces.
        """
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
        whole = value is not None and not isinstance(value, str)
        if whole or (self.brackets.closed and text.lstrip().startswith("{")):
            self.written, self.brackets = [], Brackets()
        if text:
            self.written.append(text)
            self.brackets.feed(text)


class Calls:
    """The calls of one answer, in the order in which they began."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}

    def take(self, told: object) -> None:
        """The ``tool_calls`` of one delta. Two entries of one delta with names are two calls, whatever their index."""
        touched: list[Call] = []
        for entry in entries(told):
            call = self._grow(entry, touched)
            touched += [call] if call else []

    def parts(self, source: str) -> list[ToolCall]:
        """The finished calls. One without an id, or with another's, gets one of its own; ``source`` marks extras.

        Raises ModelError for a call without a name.
        """
        made: list[ToolCall] = []
        seen: set[str] = set()
        for number, call in enumerate(self.all):
            if not call.name:
                raise ModelError(
                    "The server sent a tool call without a name.", "Ask again.", retryable=True, fault="malformed"
                )
            name = call.id if call.id and call.id not in seen else _free(number, {*seen, *self._by_id})
            seen.add(name)
            extra = {"source": source, "extra_content": call.extra} if call.extra else None
            made.append(ToolCall(name, call.name, "".join(call.written).strip() or "{}", extra))
        return made

    def _grow(self, entry: dict[str, Any], touched: Iterable[Call]) -> Call | None:
        function = inner(entry, "function")
        key, name = str(entry.get("id") or ""), str(function.get("name") or "")
        index = entry["index"] if isinstance(entry.get("index"), int) else None
        call = self._known(index, key, named=bool(name))
        if call is None or (name and _is_another(call, key, name, touched)):
            if not (key or name or function.get("arguments")):
                return None  # an empty entry, as some servers append
            call = Call()
            self.all.append(call)
        self._identify(call, index, key, name)
        if isinstance(entry.get("extra_content"), dict):
            call.extra = entry["extra_content"]
        call.write(function.get("arguments"))
        return call

    def _known(self, index: int | None, key: str, *, named: bool) -> Call | None:
        """The call that an entry may go on with: by its id, by its index, else the last one."""
        by_id = self._by_id.get(key) if key else None
        if by_id and (index is None or by_id.index in {None, index}):
            return by_id
        last = self.all[-1] if self.all else None
        if index is not None:
            bare = last if last and last.index is None and not (key or named) else None
            return self._by_index.get(index, bare)
        return last

    def _identify(self, call: Call, index: int | None, key: str, name: str) -> None:
        """The first id and name stay: some servers send another id with every piece."""
        call.index = index if call.index is None else call.index
        call.id, call.name = call.id or key, call.name or name
        if index is not None:
            self._by_index[index] = call
        if key:
            self._by_id.setdefault(key, call)


def _is_another(call: Call, key: str, name: str, touched: Iterable[Call]) -> bool:
    """Whether an entry with a name begins a new call instead of repeating the name of the known one."""
    if any(call is each for each in touched) or (call.name and call.name != name):
        return True
    if key and call.id:
        return key != call.id
    return call.brackets.closed


def _free(number: int, taken: set[str]) -> str:
    name = f"call_{number}"
    while name in taken:
        name += "_"
    return name
