"""Runs built from journal entries, as the store would tell them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from statebook.protocol.approvals import Question
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import (
    ApprovalAsked,
    ApprovalDecided,
    Entry,
    Event,
    ModelAnswered,
    ModelFailed,
    ModelInterrupted,
    ModelRequested,
    RunEnded,
    RunPaused,
    RunStarted,
    ToolFinished,
    ToolIntended,
)
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import Message, Reasoning, Text, ToolCall, ToolResult
from statebook.protocol.models import Usage
from statebook.protocol.passages import Passage

START = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)

DURABLE = Passage(3, 7, "Durable execution, in brief", "briefs/03-durable.md", "lines 12-20", 400, 900)
SAVER = Passage(4, 2, "What a checkpoint saver costs", "briefs/04-savers.html", "part 2", 100, 500)
LEASES = Passage(9, 1, "Leases and zombies", "briefs/09-leases.pdf", "p. 4", 0, 300)

TEXTS = {
    "S3.7": "A durable runtime records the result of every step before the next one begins. After a crash the finished "
    "steps are read back from the journal, so that no model call is paid for twice.\n\nWhat it cannot know is whether "
    "a call that had begun also ended: that is why the intent is written down first.",
    "S4.2": "One popular saver writes the whole state with every step. After 500 runs of 4 KB the file held 1.1 GB, "
    "which is 563 times the content. At $0.023 per GB and month nobody notices; at open time everybody does.",
    "S9.1": "A lease that is not fenced lets a paused process wake up and write over its successor's work.",
}

ANSWER = """Agent runtimes lose work in **three** places, and the sources agree on two of them.

1. *Between the call and its result.* A journal that records the intent first can say that a call is in doubt [S3.7].
2. *In the file.* Writing the whole state with each step makes the store grow far beyond its content [S4.2][S3.7].
3. *Between two processes.* A lease without fencing lets a zombie write [S9.1].

| saver | bytes on disk | ratio |
|---|---:|---:|
| whole state each step | 1.1 GB | 563 |
| append-only journal | 2.9 MB | 1.4 |

With $n$ steps of $b$ bytes the first grows as $$O(n^2 b)$$ and the second as \\(O(n b)\\); storage at $5 and
$10 a month hides that for a while.

```python
journal.append(intent)      # [S3.7] is not a citation here
result = tool(**arguments)
journal.append(result)
```

> One source puts the ratio at 563, another does not measure it [S9.9].
"""


def soup_of(html: str) -> Any:
    """The HTML as a tree."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "html.parser")


def texts(passages: Sequence[Passage]) -> dict[str, str]:
    """The session's part: passage texts by mark."""
    return {passage.mark: TEXTS[passage.mark] for passage in passages if passage.mark in TEXTS}


class Journal:
    """Builds the entries of one run."""

    def __init__(self, number: int = 3, prompt: str = "How do agent runtimes lose work?") -> None:
        self.number = number
        self.entries: list[Entry] = []
        self.step = 0
        self.add(RunStarted(prompt, f"%%agent\n{prompt}", "c1", "key", "scripted:", Limits()))

    def add(self, event: Event, step: int = 0) -> Journal:
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq, 1, self.number, step, START + timedelta(seconds=seq), event))
        return self

    def model(
        self,
        text: str = "",
        calls: Sequence[ToolCall] = (),
        *,
        thoughts: str = "",
        usage: Usage | None = None,
        dollars: float | None = 0.02105,
    ) -> Journal:
        self.step += 1
        self.add(ModelRequested("openai:gpt-5", "d", "s", "t", 1, 100), self.step)
        parts = [Reasoning(thoughts)] if thoughts else []
        message = Message("assistant", (*parts, *([Text(text)] if text else []), *calls))
        stop = "tool_calls" if calls else "end"
        counted = usage or Usage(15_000, 12_700, 400)
        self.add(ModelAnswered(message, counted, stop, 1.2, dollars=dollars), self.step)
        return self

    def stopped(self, partial: str, error: str = "") -> Journal:
        self.step += 1
        self.add(ModelRequested("openai:gpt-5", "d", "s", "t", 1, 100), self.step)
        self.add(ModelFailed(error, True, partial) if error else ModelInterrupted(partial, "interrupt"), self.step)
        return self

    def intend(self, wanted: ToolCall, effect: Any = "read") -> Journal:
        self.step += 1
        return self.add(ToolIntended(wanted, effect, "k"), self.step)

    def finish(
        self, wanted: ToolCall, text: str = "done", status: Any = "ok", passages: Sequence[Passage] = ()
    ) -> Journal:
        result = ToolResult(wanted.id, wanted.name, text, status)
        return self.add(ToolFinished(result, 0.01, tuple(p.reference() for p in passages)), self.step)

    def ask(self, wanted: ToolCall, reason: str = "it writes") -> Journal:
        return self.add(ApprovalAsked("approval", wanted, "write", reason), self.step + 1)

    def decide(self, wanted: ToolCall, choice: Any = "allow", word: str = "") -> Journal:
        return self.add(ApprovalDecided("approval", wanted.id, choice, "card", word), self.step + 1)

    def run(self) -> Run:
        return Run.fold(self.entries)


def call(number: int, name: str, **arguments: Any) -> ToolCall:
    return ToolCall(f"call_{number}", name, json.dumps(arguments))


def research(answer: str = ANSWER) -> Journal:
    """Search, read three sources, answer with citations; not ended yet."""
    search = call(1, "search_sources", query="how agent runtimes lose work", limit=8)
    reads = [call(n + 2, "read_source", source=p.path) for n, p in enumerate((DURABLE, SAVER, LEASES))]
    journal = Journal().model("I look at what the sources say.", [search], thoughts="Search first, then read.")
    journal.intend(search).finish(search, f"[S3.7] ...\n{TEXTS['S3.7']}", passages=[DURABLE])
    journal.model(calls=reads)
    for wanted, passage in zip(reads, (DURABLE, SAVER, LEASES), strict=True):
        journal.intend(wanted).finish(
            wanted, f"[{passage.mark}] {passage.title}\n{TEXTS[passage.mark]}", "ok", [passage]
        )
    note = call(9, "remember", text="Whole-state savers grow quadratically.", mark="S4.2")
    journal.model(calls=[note]).ask(note).decide(note, word="good")
    journal.intend(note, "write").finish(note, "kept as memory 1")
    return journal.model(answer)


def done(answer: str = ANSWER) -> Run:
    cited = (DURABLE.reference(), SAVER.reference(), LEASES.reference())
    run = research(answer).add(RunEnded("done", "", cited, ("S9.9",))).run()
    run.checkpoint = 12
    return run


def paused() -> Run:
    wanted = call(1, "write_file", path="report.md", text="# Report\n\nThree places.")
    journal = Journal().model("The report is ready to be written.", [wanted]).ask(wanted, "it changes files")
    return journal.add(RunPaused("approval", "nobody is there to decide on write_file")).run()


def failed() -> Run:
    journal = Journal().stopped("Agent runtimes lose", "The server closed the connection.")
    return journal.add(RunEnded("failed", "The server closed the connection. Try again.")).run()


def interrupted() -> Run:
    return Journal().stopped("Agent runtimes lose work in **three").add(RunEnded("interrupted")).run()


def question(kind: Any = "approval") -> Question:
    wanted = call(1, "write_file", path="report.md", text="# Report\n\nThree places, <b>one</b> reason.")
    return Question(kind, 3, 4, wanted, "write", "builtin", "it changes files in the workspace")
