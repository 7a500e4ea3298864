"""Random lives of a notebook in which a person goes back and forth, on a recorded disk; what moved is noted outside.

Run as a program under the recorder: ``python going_back.py FOLDER COUNT SEED [BROKEN]``, with tests/chaos on the path.

A line is noted before each act and after it: ``acting``; or ``moving`` with the state of all parts before a move, and
``moved`` with the state after it. ``kept`` is what a checkpoint before had kept of the variables: what ordinary cells
do is kept with the next one. ``careless`` names the files that were written without asking the disk to keep them.
"""

import os
import sys
from pathlib import Path
from typing import ClassVar

import simulated
from book import WORK, Book, files_in
from crash import lay_out
from faults import FAULTS
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from lives import begin, end
from statebook.errors import StatebookError
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.events import GrantGiven
from statebook.session.rewinding.move import fork, redo
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import head, point
from statebook.session.rewinding.scope import parse_scope
from statebook.store.journal import Place
from statebook.store.reading.checkpoints import Checkpoints

PATHS = ("a.txt", "b.txt", "sub/a.txt", "sub/deep/c.txt")
NAMES = ("x", "y", "z")
SIZES = (3, 900, 20_000)
SCOPES = ("all", "all", "all", "conversation", "+memory", "memory", "variables", "files", "files+variables")


def content(path, number, size):
    """What an act writes: unlike anything else."""
    return f"{path} {number}\n" * (1 + size // (len(path) + 5))


def written(path, number, size):
    """Python code of the agent that writes a file, as most programs do: without a sync."""
    return f"""import os; os.makedirs(os.path.dirname({path!r}) or '.', exist_ok=True)
with open({path!r}, 'w') as file: file.write({content(path, number, size)!r})
del file, os"""


STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(NAMES), st.sampled_from(SIZES)),
    st.tuples(st.just("share"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("append"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("drop"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from(SIZES)),
    st.tuples(st.just("open"), st.sampled_from(PATHS), st.sampled_from(SIZES)),
    st.tuples(st.just("delete"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("remember"), st.just(""), st.just(0)),
    st.tuples(st.just("send"), st.just(""), st.just(0)),
)

RICH = st.tuples(
    st.tuples(st.just("set"), st.sampled_from(NAMES), st.sampled_from(SIZES)),
    st.tuples(st.sampled_from(["write", "open"]), st.sampled_from(PATHS), st.sampled_from(SIZES)),
    STEPS,
    STEPS,
)
"""Runs that change all that a move is to take back."""


def call_of(step, number):
    """(tool, arguments) of a step."""
    what, name, other = step
    if what == "write":
        return "write_file", {"path": name, "text": content(name, number, other)}
    if what == "remember":
        return "remember", {"text": f"Fact {number} is known."}
    if what == "send":
        return "send", {"word": f"w{number}"}
    code = {
        "set": f"{name} = [{number}] * {other}",
        "share": f"{name} = globals().get({other!r}, [])",
        "append": f"{name} = globals().get({name!r}, []); {name}.append({number})",
        "drop": f"globals().pop({name!r}, None)",
        "open": written(name, number, other or 1) if what == "open" else "",
        "delete": f"import os; os.path.exists({name!r}) and os.unlink({name!r}); del os",
    }[what]
    return "python", {"code": code}


class GoingBack(RuleBasedStateMachine):
    """One life without crashes; they come later, from the record."""

    folder = Path()
    found: ClassVar[dict] = {}
    lived = 0
    name = ""

    def __init__(self):
        super().__init__()
        GoingBack.lived += 1
        begin(self.folder, f"{self.name}b{GoingBack.lived}", self.found)
        self.book = Book(self.folder)
        self.number, self.moves, self.careless, self.kept = 0, 0, set(), {}

    def teardown(self):
        self.book.close()
        end(self.folder)

    def note(self, what, **said):
        self.book.outside.note("acknowledged", what=what, careless=sorted(self.careless), **said)

    # -- what changes the parts ------------------------------------------------------------------------------------

    @initialize(runs=st.tuples(RICH, RICH))
    def begin(self, runs):
        for steps in runs:
            self.work(steps)

    @rule(steps=st.lists(STEPS, min_size=1, max_size=3))
    def work(self, steps):
        """A run of the agent."""
        self.number += 1
        self.note("acting")
        self.careless |= {name for what, name, _ in steps if what in ("open", "delete", "write")}
        self.book.ask(self.number, [call_of(step, self.number * 10 + n) for n, step in enumerate(steps)])
        self._noted("calm")

    @rule(path=st.sampled_from(PATHS), size=st.sampled_from(SIZES))
    def edit(self, path, size):
        """The person writes a file, with an editor that asks the disk to keep it."""
        self.number += 1
        self.note("acting")
        target = self.book.folder / path
        for folder in [*target.relative_to(self.book.folder).parents][-2::-1]:
            (self.book.folder / folder).mkdir(exist_ok=True)
        with target.open("w") as file:
            file.write("by hand: " + content(path, self.number, size))
            file.flush()
            os.fsync(file.fileno())
        for folder in target.relative_to(self.book.folder).parents:
            handle = os.open(self.book.folder / folder, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        self.careless.discard(path)

    @rule(name=st.sampled_from(NAMES))
    def cell(self, name):
        """An ordinary cell."""
        self.number += 1
        self.note("acting")
        self.book.namespace[name] = [f"by hand {self.number}"] * 5

    @rule(verdict=st.sampled_from(["allow", "deny"]), grant=st.booleans())
    def permit(self, verdict, grant):
        self.note("acting")
        if grant:
            self.book.store.commit([(Place(), GrantGiven(Grant("send")))])
        else:
            self.book.session.permissions.set(Rule("send", verdict))

    @rule(name=st.sampled_from(["", "side"]), back=st.integers(0, 30))
    def fork(self, name, back):
        self.note("acting")
        target = self._point(back)
        if target is not None and not self.book.store.journal.find_branch(name or "nothing"):
            fork(self.book.session, target, name)

    @rule()
    def restart(self):
        """Another kernel, which is given the variables of the head."""
        self.note("acting")
        self.book.close()
        self.book = Book(self.folder)
        self.book.bring_back()

    # -- moves -----------------------------------------------------------------------------------------------------

    @rule(back=st.integers(0, 30), scope=st.sampled_from(SCOPES), overwrite=st.booleans())
    def rewind(self, back, scope, overwrite):
        target = self._point(back)
        over = PATHS if overwrite else ()
        if target is not None:
            self._move(lambda session, parts: foresee(session, parts, target, parse_scope(scope), overwrite=over))

    @rule(back=st.integers(2, 12), overwrite=st.booleans())
    def rewind_all(self, back, overwrite):
        self.rewind(back, "all", overwrite)

    @rule(overwrite=st.booleans())
    def redo(self, overwrite):
        self._move(lambda session, parts: redo(session, parts, overwrite=PATHS if overwrite else ()))

    @rule(place=st.integers(0, 5), scope=st.sampled_from(SCOPES))
    def switch(self, place, scope):
        journal = self.book.store.journal
        branches = [each for each in journal.branches.values() if each.number != journal.current]
        if branches:
            target = head(self.book.store, branches[place % len(branches)])
            self._move(lambda session, parts: foresee(session, parts, target, parse_scope(scope), how="switch"))

    def _move(self, foresee):
        """A move, which may be refused."""
        before = self.book.state()
        self.moves += 1
        self.note("moving", move=self.moves, state=before, kept=self.kept)
        if self.book.move(foresee) is None:
            self.note("acting")
            return
        after = files_in(self.book.folder)
        changed = {path for path in PATHS if before["files"].get(path) != after.get(path)}
        self.careless -= changed  # whoever moves a file asks the disk to keep it
        self._noted("moved", move=self.moves)

    def _noted(self, what, **said):
        """All there is now is kept at a checkpoint."""
        state = self.book.state()
        self.kept = {part: state[part] for part in ("variables", "same")}
        self.note(what, state=state, **said)

    def _point(self, back):
        """One of the last points: a checkpoint, or where a run or its second step began."""
        store = self.book.store
        marks = [str(n) for n in range(1, store.journal.head_checkpoint() + 1) if Checkpoints(store).find(n)]
        names = [*marks, *(f"r{n}" for n in store.run_numbers()), *(f"r{n}.2" for n in store.run_numbers())]
        try:
            return point(store, names[-1 - back % len(names)]) if names else None
        except StatebookError:  # there may be no such step
            return None


def opened_once(folder):
    """An empty session's files, with which each life begins."""
    lay_out({}, folder)
    simulated.begin("template")
    book = Book(folder)
    book.close()
    return {str(path): path.read_bytes() for path in (folder / WORK).iterdir() if path.is_file()}


def main(folder, count, number, fault="nothing"):
    simulated.install()
    GoingBack.folder, GoingBack.name, GoingBack.found = folder, f"{number}.", opened_once(folder)
    made = settings(
        max_examples=count,
        stateful_step_count=8,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with FAULTS[fault].made():
        run_state_machine_as_test(seed(number)(GoingBack), settings=made)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
