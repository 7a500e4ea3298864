"""Runs one workflow in a process of its own, kills it with SIGKILL at one place, and resumes it until it is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model_server import Killed, ModelServer

Signal = Literal["before", "acted", "returning", "request", "answering"]

BESIDE = 0.5
"""Seconds that a finished call beside the one that is killed is given to be recorded."""
PATIENCE = 45.0
"""Seconds for a process to reach its place, or to finish."""
TRIES = 3
"""How often a killed workflow is resumed before it counts as stuck."""


@dataclass(frozen=True)
class Place:
    """Where to kill: when ``signal`` comes from the call of the word ``at``, or from the model request of that stage.

    ``delay`` in seconds: how long after the signal, unless the next model request arrives first.
    """

    key: str
    name: str
    signal: Signal
    at: str
    delay: float = 0.0


PLACES = (
    Place("before-beside", "before the act, a call beside it finished", "before", "second"),
    Place("before", "before the act", "before", "third"),
    Place("in-beside", "in the act, a call beside it finished", "acted", "second"),
    Place("in", "in the act", "acted", "third"),
    Place("returned", "just returned", "returning", "third"),
    Place("sent-pair", "the model has been sent two results", "request", "third"),
    Place("sent", "the model has been sent the last result", "request", "answer"),
    Place("wishing", "the model streams a call", "answering", "third"),
    Place("answering", "the model streams the answer", "answering", "answer"),
)


@dataclass
class Workflow:
    """What is seen of one workflow from outside; told by the model server's threads."""

    folder: Path
    place: Place | None
    events: list[dict[str, Any]] = field(default_factory=list)
    life: int = 0
    _process: int = 0
    _started: threading.Event = field(default_factory=threading.Event)
    _dying: bool = False
    _dead: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _first_returned: threading.Event = field(default_factory=threading.Event)

    # -- what the model server tells ---------------------------------------------------------------------------------

    def outside(self, said: dict[str, str]) -> str:
        """See `model_server.Watcher`."""
        what, word = said["what"], said["word"]
        if what == "question":
            reply = self._reply(said["kind"], word)
            self._note(said | {"reply": reply})
            return reply
        if what == "before" and word == "second" and self.life == 1 and self._first_returned.wait(2):
            time.sleep(BESIDE)
        self._note(said)
        if (what, word) == ("returning", "first"):
            self._first_returned.set()
        if self._is(what, word):
            if what != "returning":
                self._kill()
            self._dying = True
            threading.Timer(self.place.delay if self.place else 0, self._kill, [False]).start()
        return ""

    def request(self, stage: str, done: list[str]) -> bool:
        """See `model_server.Watcher`."""
        self._note({"what": "request", "stage": stage, "done": done})
        if self._is("request", stage) or (self._dying and not self._dead):
            self._kill()
        return self._is("answering", stage)

    def refused(self, why: str) -> None:
        """See `model_server.Watcher`."""
        self._note({"what": "refused", "why": why})

    def half(self) -> None:
        """See `model_server.Watcher`."""
        time.sleep(0.05)  # so that the half arrives
        self._kill()

    def ledger(self) -> list[dict[str, str]]:
        """What was done outside, in order."""
        path = self.folder / "ledger"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def answer(self) -> str:
        """The workflow's answer, or "" while there is none."""
        path = self.folder / "answer"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def questions(self) -> list[dict[str, Any]]:
        """What the person was asked, in order."""
        return [event for event in self.events if event["what"] == "question"]

    def log(self) -> str:
        """The end of what its last process wrote to stdout and stderr."""
        path = self.folder / f"life{self.life}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-1500:] if path.exists() else ""

    # -- lives -------------------------------------------------------------------------------------------------------

    def expect(self) -> None:
        """A process of this workflow is about to start."""
        self._started.clear()
        self.life += 1

    def begin(self, process: int) -> None:
        """It has started."""
        self._process = process
        self._started.set()

    def over(self) -> None:
        """It is gone."""
        with self._lock:
            self._process = 0

    def hung(self) -> None:
        """It does not end: it is killed, and that counts."""
        self._note({"what": "hung"})
        with self._lock:
            if self._process:
                os.kill(self._process, signal.SIGKILL)

    @property
    def died(self) -> bool:
        """Whether the kill has happened."""
        return self._dead

    def _is(self, what: str, at: str) -> bool:
        place = self.place
        return place is not None and not self._dead and self.life == 1 and (place.signal, place.at) == (what, at)

    def _kill(self, tell: bool = True) -> None:
        self._started.wait(PATIENCE)
        with self._lock:
            if not self._dead and self._process and self.life == 1:
                self._dead = True
                os.kill(self._process, signal.SIGKILL)
        if tell:
            raise Killed

    def _note(self, event: dict[str, Any]) -> None:
        with self._lock:
            if self._dead and self.life == 1:
                raise Killed  # what a dead process still had on its way was never said
            self.events.append({"life": self.life, **event})

    def _reply(self, kind: str, word: str) -> str:
        """The person looks outside where the question is whether it happened, and lets do what was wanted."""
        if kind == "in_doubt":
            return "happened" if any(line["word"] == word for line in self.ledger()) else "retry"
        return "allow"


class Peer:
    """An adapter with its framework imported, which forks a process for each life."""

    def __init__(self, server: ModelServer, interpreter: Path, adapter: Path) -> None:
        self._server = server
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "STATEBOOK_"))}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the peer
        self._forks = subprocess.Popen(
            [str(interpreter), str(adapter)],
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def run(self, name: str, folder: Path, place: Place | None) -> Workflow:
        """The workflow, killed at ``place`` (None: not at all) and resumed until it is done, or `TRIES` times.

        Raises RuntimeError when no process came to that place: then nothing was measured.
        """
        folder.mkdir(parents=True)
        workflow = Workflow(folder, place)
        self._server.watchers[name] = workflow
        self._live(workflow, "start", self._server.url(name))
        if place is not None and not workflow.died:
            raise RuntimeError(f"{name} never came to {place.name!r}: {workflow.log()}")
        while not workflow.answer() and workflow.life <= TRIES:
            self._live(workflow, "resume", self._server.url(name))
        del self._server.watchers[name]
        return workflow

    def _live(self, workflow: Workflow, mode: str, url: str) -> None:
        forks = self._forks
        assert forks.stdin
        assert forks.stdout
        workflow.expect()
        log = workflow.folder / f"life{workflow.life}.log"
        life = {"mode": mode, "folder": str(workflow.folder), "url": url, "log": str(log)}
        forks.stdin.write(json.dumps(life) + "\n")
        forks.stdin.flush()
        process = forks.stdout.readline()
        if not process:
            raise RuntimeError(f"The adapter can't be imported: {self._said()}")
        workflow.begin(int(process))
        watch = threading.Timer(PATIENCE, workflow.hung)
        watch.start()
        forks.stdout.readline()
        watch.cancel()
        workflow.over()

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-1500:]

    def close(self) -> None:
        """End the process that forks."""
        assert self._forks.stdin
        self._forks.stdin.close()
        self._forks.wait(10)
        self._log.close()
