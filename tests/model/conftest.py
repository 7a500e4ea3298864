"""What stands around a model in a run: a small library with search, memory and files, and a loop that uses it."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from dataclasses import dataclass, field

import pytest
from statebook.model.base import ModelSetup
from statebook.model.offline import create
from statebook.protocol.messages import Message, ToolResult, assistant, user
from statebook.protocol.models import Completion, ModelRequest, TextDelta
from statebook.protocol.passages import Passage, show_passages
from statebook.protocol.tools import ToolSpec

PARAMETERS = {
    "search_sources": {"query": "string", "limit": "integer"},
    "read_source": {"source": "string", "start": "integer", "limit": "integer"},
    "list_sources": {},
    "remember": {"text": "string", "tags": "array", "mark": "string"},
    "recall": {"query": "string", "limit": "integer"},
    "forget": {"memory": "integer"},
    "sql": {"query": "string"},
    "python": {"code": "string"},
    "read_file": {"path": "string"},
    "list_files": {"pattern": "string"},
    "write_file": {"path": "string", "text": "string"},
    "add": {"a": "number", "b": "number"},
}


def spec(name: str) -> ToolSpec:
    properties = {key: {"type": kind} for key, kind in PARAMETERS[name].items()}
    return ToolSpec(name, f"The tool {name}.", {"type": "object", "properties": properties})


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]{2,}", text.lower())


@dataclass
class Library:
    """Documents (path -> (title, text)) cut into passages at empty lines, searched by BM25."""

    documents: dict[str, tuple[str, str]]
    size: int = 700
    passages: list[Passage] = field(default_factory=list)
    memories: dict[int, tuple[str, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, dict]] = field(default_factory=list)
    broken: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, (path, (title, text)) in enumerate(self.documents.items(), start=1):
            for ordinal, body in enumerate(self._cut(text), start=1):
                place = f"part {ordinal}"
                self.passages.append(Passage(number, ordinal, title, path, place, 0, 0, body))
        self._bags = [Counter(_words(f"{each.title} {each.text}")) for each in self.passages]

    def _cut(self, text: str) -> list[str]:
        pieces: list[str] = []
        for block in re.split(r"\n\s*\n", text):
            if pieces and len(pieces[-1]) + len(block) < self.size:
                pieces[-1] += "\n\n" + block
            else:
                pieces.append(block)
        return [piece.strip("\n") for piece in pieces if piece.strip()]

    def search(self, query: str, limit: int = 8) -> list[Passage]:
        wanted = set(_words(query))
        frequency = {word: sum(word in bag for bag in self._bags) for word in wanted}
        scores = []
        for passage, bag in zip(self.passages, self._bags, strict=True):
            score = sum(
                math.log(1 + len(self._bags) / frequency[word]) * bag[word] * 2.2 / (bag[word] + 1.2)
                for word in wanted
                if bag[word]
            )
            if score:
                scores.append((-score, passage.document, passage.ordinal, passage))
        return [each[-1] for each in sorted(scores)[:limit]]

    def call(self, name: str, arguments: dict) -> ToolResult:
        self.calls.append((name, arguments))
        if name in self.broken:
            status, text = self.broken[name]
            return ToolResult("", name, text, status)
        return ToolResult("", name, getattr(self, f"_{name}")(**arguments))

    def _search_sources(self, query: str, limit: int = 8) -> str:
        return show_passages(self.search(query, limit)) or f"No passage matches {query!r}."

    def _read_source(self, source: str, start: int = 1, limit: int = 20) -> str:
        number = int(source[1:]) if re.fullmatch(r"S\d+", source) else list(self.documents).index(source) + 1
        found = [each for each in self.passages if each.document == number and start <= each.ordinal < start + limit]
        return f"# {found[0].title}\n\n{show_passages(found)}" if found else "No passages there."

    def _list_sources(self) -> str:
        counts = Counter(each.document for each in self.passages)
        return "\n".join(
            f"S{number} {path} · {title} · {counts[number]} passages"
            for number, (path, (title, _)) in enumerate(self.documents.items(), start=1)
        )

    def _remember(self, text: str, tags: list[str] = (), mark: str = "") -> str:
        number = len(self.memories) + 1
        self.memories[number] = (text, mark)
        return f"Remembered as M{number}."

    def _recall(self, query: str, limit: int = 8) -> str:
        wanted = set(_words(query))
        lines = [
            f"M{number} (2026-11-20{', ' + mark if mark else ''}): {text}"
            for number, (text, mark) in self.memories.items()
            if wanted & set(_words(text)) or not query
        ]
        return "\n".join(lines[:limit]) or "Nothing is remembered about that."

    def _forget(self, memory: int) -> str:
        del self.memories[memory]
        return f"Forgot M{memory}."

    def _sql(self, query: str) -> str:
        return "name\n----\nsales" if "SHOW TABLES" in query else "n\n--\n42"

    def _python(self, code: str) -> str:
        return "4"

    def _read_file(self, path: str) -> str:
        return self.files[path]

    def _list_files(self, pattern: str) -> str:
        return "\n".join(self.files)

    def _write_file(self, path: str, text: str) -> str:
        self.files[path] = text
        return f"Wrote {path}."

    def _add(self, a: float, b: float) -> str:
        return str(a + b)


@dataclass
class Talk:
    """A conversation of the offline model with a library; each answer keeps its calls by batch."""

    library: Library
    tools: tuple[str, ...] = tuple(PARAMETERS)
    messages: list[Message] = field(default_factory=list)
    batches: list[list[tuple[str, str]]] = field(default_factory=list)

    def ask(self, prompt: str) -> str:
        self.batches = []
        start = len(self.messages)
        self.messages.append(user(prompt))
        answer = asyncio.run(self._run())
        self.messages[start + 1 :] = [*self.messages[start + 1 :], assistant(answer)]
        return answer

    def request(self) -> ModelRequest:
        return ModelRequest("You are an agent.", tuple(self.messages), tuple(spec(name) for name in self.tools))

    async def step(self) -> tuple[str, Completion]:
        text = ""
        async for event in create("", ModelSetup({})).stream(self.request()):
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Completion):
                return text, event
        raise AssertionError("no completion")

    async def _run(self) -> str:
        for _ in range(40):
            text, completion = await self.step()
            if not completion.message.calls:
                assert text == completion.message.text
                return text
            self.apply(completion)
        raise AssertionError("the model never answers")

    def apply(self, completion: Completion) -> None:
        import json

        self.batches.append([(call.name, call.arguments) for call in completion.message.calls])
        results = []
        for call in completion.message.calls:
            result = self.library.call(call.name, json.loads(call.arguments))
            results.append(ToolResult(call.id, call.name, result.text, result.status))
        self.messages += [completion.message, Message("tool", tuple(results))]

    @property
    def called(self) -> list[str]:
        return [name for batch in self.batches for name, _ in batch]


@pytest.fixture
def make_library():
    return Library


@pytest.fixture
def make_talk():
    return Talk
