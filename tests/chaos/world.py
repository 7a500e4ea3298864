"""Sessions in a folder, with everything they touch: what a notebook's owner can do to them, and what was promised."""

import asyncio
from contextlib import suppress

import simulated
from actors import TOOLS, Person, Seeded, Tools
from outside import Outside
from statebook.errors import StatebookError
from statebook.protocol.calls import AgentCall, Limits
from statebook.testing import TemporarySession

UNFINISHED = ("running", "paused", "failed", "interrupted")
ENOUGH = Limits(200, 10**9, 10**6, 10**6)
"""Limits that end no run."""


class World:
    """Sessions beside each other; what is done is done to the one whose ``turn`` it is."""

    def __init__(self, folder, names=("test",), *, steady=False):
        self.outside = Outside(folder)
        self.person = Person(self.outside, self._key)
        self._steady = steady
        Tools.outside = self.outside
        self.sessions = {}
        for name in names:
            self.turn(name)
        self.turn(names[0])

    def turn(self, name):
        """Act on the session of this name from now on; it is made where there is none."""
        if name not in self.sessions:
            self.sessions[name] = TemporarySession(
                model=Seeded(steady=self._steady),
                folder=self.outside.folder,
                tools=TOOLS,
                sources=(),
                limits=Limits(60),
                notebook=f"{name}.ipynb",
                snapshots="off",  # then equal lives ask the same of a disk; `packs` and `rewinds` crash the rest
            )
            self.sessions[name].sink = _Eye(self, self.sessions[name])
            self._listen(name)
        self.name = name

    @property
    def temporary(self):
        """The `TemporarySession` whose turn it is."""
        return self.sessions[self.name]

    @property
    def session(self):
        """The session whose turn it is."""
        return self.temporary.session

    @property
    def store(self):
        """Its store."""
        return self.session.store

    def _key(self, run, step):
        calls = (call for call in run.calls if call.step == step)
        return next((call.key for call in calls if call.key), f"{self.store.session_id}:{run.number}.{step}")

    def _listen(self, name):
        store = self.sessions[name].store
        commit = store.commit

        def promised(events, **options):
            entries = commit(events, **options)
            if entries:
                digest = store.journal._digest.hex()
                self.outside.note("acknowledged", store=name, seq=entries[-1].seq, digest=digest)
            return entries

        store.commit = promised

    # -- what a person may do ------------------------------------------------------------------------------------

    def ask(self, prompt, *, stop=None, **fields):
        """Run a cell, and stop it after so many seconds; what the person is told instead of an answer is given back."""
        call = AgentCall(f"ask: {prompt}", prompt, **fields)
        return self.go(lambda: self.session.execute(call, self.temporary.sink, self.person), stop)

    def resume(self, number, limits=Limits(), stop=None):
        """`%agent resume`, after a switch to the branch that the run stands on: elsewhere it is refused."""
        with suppress(StatebookError):  # a run that is not there is told of by what resumes it
            self.store.journal.switch(self.store.journal.branches[self.session.run(number).branch])
        return self.go(lambda: self.session.resume(number, limits, self.temporary.sink, self.person), stop)

    def compact(self):
        """`%agent compact`."""
        from statebook.session.conversation.compact import compact

        return self.go(lambda: compact(self.session, self.temporary.sink, self.person))

    def undo(self):
        """`%agent compact --undo`."""
        from statebook.session.conversation.compact import undo

        with suppress(StatebookError):
            undo(self.session)

    def rewind(self, back):
        """A branch that leaves so many entries before the head."""
        journal = self.store.journal
        at = max(journal.last_seq - back, 0)
        name = journal.free_name("rewound")
        journal.start_branch(name, at, checkpoint=journal.checkpoint_at(at), why="rewound by the test")

    def switch(self, place):
        """Another branch becomes the current one."""
        branches = list(self.store.journal.branches.values())
        self.store.journal.switch(branches[place % len(branches)])

    def restart(self):
        """As a new kernel would."""
        for name, session in self.sessions.items():
            session.restart()
            self._listen(name)

    @staticmethod
    def go(work, stop=None):
        """Bring some work to its end on simulated time; the error where it has none."""

        async def bounded():
            task = asyncio.ensure_future(work())
            done, _ = await asyncio.wait([task], timeout=3_600 if stop is None else stop)
            if not done:
                task.cancel()
            return await task

        try:
            return simulated.run(bounded())
        except (StatebookError, asyncio.CancelledError) as told:
            return told

    def unfinished(self):
        """Numbers of all runs, on any branch, that have no answer yet."""
        numbers = self.store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0 ORDER BY run")
        return [n for (n,) in numbers if self.session.run(n).status in UNFINISHED]

    def close(self):
        """Let go of the files."""
        for session in self.sessions.values():
            session.close()


class _Eye:
    """A sink: text that it is shown of an unfinished answer has been seen, so it must be on disk."""

    def __init__(self, world, session):
        self._world, self._session = world, session
        self._seen = ""

    def update(self, run):
        if run.draft and run.draft != self._seen:
            said = {"store": self._session.notebook.stem, "run": run.number, "step": run.models[-1].step}
            self._world.outside.note("drawn", **said, text=run.draft)
        self._seen = run.draft

    def progress(self, run, text):
        """Not part of the journal."""

    def close(self, run):
        """The run's own end is in the journal."""
