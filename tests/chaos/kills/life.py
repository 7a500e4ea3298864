"""One scenario: kernels on one notebook that are killed one after another, each going on where the last one died."""

import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain

from .cells import PARTS, SETUP, prompt
from .instants import Instant, Killer, Outside, instant_of_a_move, instants
from .kernels import Kernel, Zygote
from .script import MAKES, WISH, WORD, stage_of
from .server import ModelServer
from .verdict import Death, acts_in, copy_store, judge, look

KINDS = ("plain", "waiting", "group", "moving", "plain", "plain")
"""``group``: Jupyter's own start, and the whole process group is killed, with what its tools have started.
``waiting``: the next kernel waits for the session before this one is killed. ``moving``: each kernel is killed while
the session is moved from one point to another, variables and files and all."""
LAST_DIGIT = {"group": 0, "moving": int(MAKES)}
"""Of a task's number: see `script`."""
MOVES = 3
"""How often the person goes back or forth after a task."""
TRIES = 60
"""Cells after which a task that is still not answered never will be."""
LOCKED = "SessionLocked"
DONE = re.compile(r'class="sb-call sb-ok">(.*?)</(?:div|summary)>', re.DOTALL)
"""A call that is drawn as done."""
WAITS = re.compile(r"%agent (settle|approve) (r\d+\.\d+)")
"""What a paused run says to type."""


@dataclass
class Scenario:
    """What is to happen: ``kills`` deaths from ``seed``. ``sabotage`` is put into the set-up cell."""

    number: int
    seed: int
    kills: int
    kind: str = "plain"
    sabotage: str = ""
    instants: tuple = ()
    """Instants to use first, instead of random ones."""


@dataclass
class Life:
    """A scenario as it happens."""

    scenario: Scenario
    folder: object
    server: ModelServer
    zygote: Zygote
    deaths: list[Death] = field(default_factory=list)
    asked_first: list[tuple[str, str]] = field(default_factory=list)
    locked: int = 0
    broken: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.name = f"s{self.scenario.number}"
        self.dice = random.Random(f"{self.scenario.seed}/{self.name}")
        self.traffic = self.server.traffic[self.name]
        self.outside = Outside(self.folder, self.traffic)
        self.instants = chain(self.scenario.instants, instants(self.dice))
        self.tasks = []
        self.points = {}
        self._pool = ThreadPoolExecutor(2)

    def live(self):
        """Go through all deaths and to the last answer; (broken promises, counts)."""
        self.folder.mkdir()
        book = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / "book.ipynb").write_text(json.dumps(book))
        (self.folder / "ledger").touch()
        (self.folder / ".gitignore").write_text("ledger\nkernel*\nown-*\nstuck\n")  # what is outside does not go back
        self.kernel = self._start()
        self._spare = self._pool.submit(self._start)
        try:
            self._set_rules()
            while self._left > 0:
                assert len(self.tasks) < 10 * self.scenario.kills + 10, "kills never land"
                self.tasks.append(f"{self.name}p{10 * len(self.tasks) + LAST_DIGIT.get(self.scenario.kind, 1)}")
                ways = {"waiting": self._handed_over, "moving": self._back_and_forth}
                ways.get(self.scenario.kind, self._one_by_one)(self.tasks[-1])
        finally:
            self.kernel.close()
            self._spare.result().close()
            self._pool.shutdown()
        broken, counts = judge(self.folder, self.deaths, self.traffic, self.tasks, self.asked_first)
        return [*self.broken, *broken], counts

    @property
    def _left(self):
        return self.scenario.kills - len(self.deaths)

    # -- kernels -------------------------------------------------------------------------------------------------

    def _start(self):
        model = {
            "STATEBOOK_MODEL": "openai:gpt-5.5",
            "OPENAI_BASE_URL": self.server.url,
            "OPENAI_API_KEY": "sk-of-nobody",
        }
        environment = model | {"JPY_SESSION_NAME": str(self.folder / "book.ipynb"), "STATEBOOK_LOCAL_SERVERS": "none"}
        if self.scenario.kind == "group":
            kernel = Kernel.as_jupyter_does(self.folder, environment)
            kernel.group = True
        else:
            kernel = self.zygote.start(self.folder, environment)
        shown = kernel.cell(SETUP + PARTS + self.scenario.sabotage)
        assert shown.ended, f"kernel {kernel.pid} died on the set-up cell"
        assert not shown.error, shown.error
        return kernel

    def _replace(self):
        self.kernel.close()
        self.kernel = self._spare.result()
        self._spare = self._pool.submit(self._start)

    def _set_rules(self):
        """Everything is allowed; in some scenarios a person has to approve what is sent."""
        for rule in ("allow *", "ask send") if self.dice.random() < 0.3 else ("allow *",):
            shown = self.kernel.cell(f"%agent tools {rule}")
            assert not shown.error, shown.error

    # -- tasks ---------------------------------------------------------------------------------------------------

    def _one_by_one(self, task):
        """Run a task's cell, and go on in the next kernel after each kill, until there is the answer."""
        code = prompt(task)
        for _ in range(TRIES):
            shown, saw = self._run(code, task)
            if not shown.ended:
                self._died(shown, saw)
                code = self.dice.choice((prompt(task), "%agent resume"))
            elif not self.kernel.alive:
                self._replace()  # killed when it had ended the cell: that does not count
            if shown.ended and self._answered(shown, task):
                return
            if shown.ended:
                code = self._way_on(shown, task)
        raise AssertionError(f"{task} gets no answer: {shown}")

    def _way_on(self, shown, task):
        """What a person types after a pause: a word on the call that waits, or that the run is to ask again."""
        waits = WAITS.findall(shown.error or shown.text)
        if not waits or self.dice.random() < 0.3:
            return prompt(task) if "No run waits" in shown.error else "%agent resume"
        command, call = waits[0]
        if command == "approve":
            return f"%agent approve {call}"
        word = self.deaths[-1].found.names[call]
        self._asked("in_doubt", word)
        return f"%agent settle {call} {'happened' if self._happened(word) else 'retry'}"

    def _run(self, code, task):
        instant = self._instant() if self._left > 0 and self.scenario.kind != "moving" else None
        person = self._person if self.dice.random() < 0.75 else None
        with Killer(self.kernel, instant, self.outside) as killer:
            shown = self.kernel.cell(code, cell_id=task, person=person)
        return shown, killer.saw

    def _instant(self):
        if self.scenario.kind == "waiting":  # longer than a kernel waits before it says that the session is locked
            return Instant("clock", 0, self.dice.uniform(0.3, 2.0))
        return next(self.instants)

    def _died(self, shown, saw):
        """Lay aside what is on disk, before the next kernel touches it."""
        found, damage = look(copy_store(self.folder, self.folder / f"death-{len(self.deaths)}"))
        self.broken += [f"kill {len(self.deaths)}: damaged: {line}" for line in damage]
        self._note(shown, saw, found)
        self._replace()

    def _note(self, shown, saw, found=None, heir=0):
        if saw is None:
            self.broken.append(f"the kernel died by itself: {shown.text[-500:]}")
        drawn, done = set(WORD.findall(shown.text)), set()
        for line in DONE.findall(shown.text):
            done |= set(WISH.findall(line))
        acts, requests = len(acts_in(self.folder)), len(self.traffic.asked)
        self.deaths.append(Death(saw or "", drawn, done, acts, requests, found, heir))

    def _answered(self, shown, task):
        """Whether the task has its answer; anything but a pause and the answer is a broken promise."""
        if not shown.error and "still waits" not in shown.text:
            last = 0
            while stage_of(task, last).calls:
                last += 1
            missing = set(WORD.findall("".join(stage_of(task, last).pieces))) - set(WORD.findall(shown.text))
            self.broken += [f"{task}: the answer that was drawn lacks {sorted(missing)}"] if missing else []
            return True
        if not re.search("RunPaused|No run waits|^$", shown.error):
            self.broken.append(f"{task}: {shown.error}")
        return False

    # -- going back and forth ------------------------------------------------------------------------------------

    def _back_and_forth(self, task):
        """Do a task in peace, then go to other points, and be killed on the way."""
        if not self.points:
            self._mark("begun")
        self._one_by_one(task)
        self._mark(task)
        for _ in range(MOVES):
            if self._left > 0:
                self._go(self.dice.choice([each for each in self.points if each != self._here]))

    def _mark(self, label):
        """Make this a point to go to."""
        shown = self.kernel.cell(f"%agent checkpoint {label}")
        assert not shown.error, shown.error
        self.points[label] = self._parts()
        self._here = label

    def _go(self, label):
        """Move; where a kill cuts it off, all parts are as before or as after it."""
        sides = self.points[self._here], self.points[label]
        with Killer(self.kernel, instant_of_a_move(self.dice), self.outside) as killer:
            shown = self.kernel.cell(f"%agent rewind {label} --yes")
        if not shown.ended:
            self._died(shown, killer.saw if killer.saw is None else "in a move")
            shown = self._opened()
        elif not self.kernel.alive:
            self._replace()  # killed when it had ended the cell: that does not count
            sides, shown = sides[1:], self._opened()
        else:
            sides = sides[1:]
        if shown.error and "nothing to move" not in shown.error:
            self.broken.append(f"{label}: {shown.error}")
        parts = self._parts()
        if parts not in sides:
            self.broken.append(f"{label}: a mix: {parts} is none of {sides}")
        self._here = label if parts == self.points[label] else self._here

    def _opened(self):
        """The next kernel, with the variables of the head."""
        self.kernel.cell("%agent checkpoints")
        return self.kernel.cell("%agent rewind head --scope variables --yes")

    def _parts(self):
        """All parts of the state, as the kernel tells them."""
        shown = self.kernel.cell("tell_parts()")
        assert not shown.error, shown.error
        return json.loads(shown.text.partition("PARTS ")[2])

    # -- handing over --------------------------------------------------------------------------------------------

    def _handed_over(self, task):
        """Kill the kernel while the next one is already trying to open the session."""
        heir = self._spare.result()
        going_on = self.dice.choice((prompt(task), "%agent resume"))
        waiting = self._pool.submit(self._until_open, heir, going_on, task)
        shown, saw = self._run(prompt(task), task)
        self.kernel.kill()  # where it had ended the cell: only its end gives the session free
        if not shown.ended:
            self._note(shown, saw, heir=heir.pid)
        self.kernel.close()
        self.kernel = heir
        then = waiting.result()
        self._spare = self._pool.submit(self._start)
        for _ in range(TRIES):
            if self._answered(then, task):
                return
            then = heir.cell(prompt(task), cell_id=task, person=self._person)
        raise AssertionError(f"{task} gets no answer: {then}")

    def _until_open(self, heir, code, task):
        end = time.monotonic() + 60
        while LOCKED in (shown := heir.cell(code, cell_id=task, person=self._person)).error:
            assert time.monotonic() < end, shown.error
            self.locked += 1
        return shown

    # -- the person ----------------------------------------------------------------------------------------------

    def _person(self, text, menu):
        """Allows everything, and says truthfully what happened: they look it up in the ledger."""
        word = WISH.findall(text)[-1]
        kind = "in_doubt" if "[h]" in menu else "approval"
        self._asked(kind, word)
        if kind == "approval":
            return "y"
        return "h" if self._happened(word) else "r"

    def _asked(self, kind, word):
        (self.deaths[-1].asked if self.deaths else self.asked_first).append((kind, word))

    def _happened(self, word):
        return any(act["word"] == word for act in acts_in(self.folder))
