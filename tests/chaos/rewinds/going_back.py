"""Random lives of a notebook in which a person goes back and forth, on a recorded disk; what moved is noted outside.

Run as a program under the recorder: ``python going_back.py FOLDER COUNT SEED [BROKEN]``, with tests/chaos on the path.

A line is noted before each act and after it: ``acting``; or ``moving`` with the state of all parts before a move, and
``moved`` with the state after it. ``kept`` is what a checkpoint before had kept of the variables: what ordinary cells
do is kept with the next one. ``careless`` names the files that were written without asking the disk to keep them.
"""

import os
import random
import sys
from pathlib import Path

import simulated
from book import WORK, Book, files_in
from crash import lay_out
from faults import FAULTS, SOUND
from lives import begin, end
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
MOVES = 5
"""Of a life."""
SCOPES = (
    "all",
    "all",
    "all",
    "all",
    "all",
    "all",
    "conversation",
    "+memory",
    "memory",
    "variables",
    "files",
    "files+variables",
)


def content(path, number, size):
    """What an act writes: unlike anything else."""
    return f"{path} {number}\n" * (1 + size // (len(path) + 5))


def written(path, number, size):
    """Python code of the agent that writes a file, as most programs do: without a sync."""
    return f"""import os; os.makedirs(os.path.dirname({path!r}) or '.', exist_ok=True)
with open({path!r}, 'w') as file: file.write({content(path, number, size)!r})
del file, os"""


def steps_of(dice):
    """What the agent does in one run: (what, name, more); it changes variables and files, and mostly more."""
    some = [
        ("share", dice.choice(NAMES), dice.choice(NAMES)),
        ("append", dice.choice(NAMES), 0),
        ("drop", dice.choice(NAMES), 0),
        ("delete", dice.choice(PATHS), 0),
        ("open", dice.choice(PATHS), dice.choice(SIZES)),
        ("remember", "", 0),
        ("send", "", 0),
    ]
    one, other = dice.sample(PATHS, 2)
    return [
        ("set", dice.choice(NAMES), dice.choice(SIZES)),
        (dice.choice(("write", "open")), one, dice.choice(SIZES)),
        (dice.choice(("write", "open", "delete")), other, dice.choice(SIZES)),
        *dice.sample(some, dice.randint(1, 2)),
    ]


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


class Life:
    """One life without crashes; they come later, from the record."""

    def __init__(self, folder, name, found):
        self.dice = random.Random(name)
        begin(folder, name, found)
        self.folder, self.book = folder, Book(folder)
        self.number, self.moves, self.careless, self.kept = 0, 0, set(), {}

    def live(self):
        """Two runs; then moves, and other acts between them."""
        acts = (self.work, self.work, self.work, self.edit, self.cell, self.permit, self.fork, self.restart)
        ways = (self.rewind, self.rewind, self.rewind, self.redo, self.redo, self.switch)
        self.work()
        self.work()
        for _ in range(MOVES):
            for act in self.dice.sample(acts, self.dice.choice((0, 1, 1, 2))):
                act()
            any(self._move(way) for way in self.dice.sample(ways, 3))
        self.book.close()
        end(self.folder)

    def note(self, what, **said):
        self.book.outside.note("acknowledged", what=what, careless=sorted(self.careless), **said)

    # -- what changes the parts ------------------------------------------------------------------------------------

    def work(self):
        """A run of the agent."""
        steps = steps_of(self.dice)
        self.number += 1
        self.note("acting")
        self.careless |= {name for what, name, _ in steps if what in ("open", "delete", "write")}
        self.book.ask(self.number, [call_of(step, self.number * 10 + n) for n, step in enumerate(steps)])
        self._noted("calm")

    def edit(self):
        """The person writes a file, with an editor that asks the disk to keep it."""
        path, size = self.dice.choice(PATHS), self.dice.choice(SIZES)
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

    def cell(self):
        """An ordinary cell."""
        self.number += 1
        self.note("acting")
        self.book.namespace[self.dice.choice(NAMES)] = [f"by hand {self.number}"] * 5

    def permit(self):
        """Something is allowed, or not."""
        self.note("acting")
        if self.dice.random() < 0.5:
            self.book.store.commit([(Place(), GrantGiven(Grant("send")))])
        else:
            self.book.session.permissions.set(Rule("send", self.dice.choice(("allow", "deny"))))

    def fork(self):
        """A branch that is left alone for now."""
        self.note("acting")
        fork(self.book.session, self._point())

    def restart(self):
        """Another kernel, which is given the variables of the head."""
        self.note("acting")
        self.book.close()
        self.book = Book(self.folder)
        self.book.bring_back()

    # -- moves -----------------------------------------------------------------------------------------------------

    def rewind(self):
        """What going to some point would do."""
        target, scope, overwrite = self._point(), parse_scope(self.dice.choice(SCOPES)), self._overwritten()
        return lambda session, parts: foresee(session, parts, target, scope, overwrite=overwrite)

    def redo(self):
        """What returning from the last move would do."""
        overwrite = self._overwritten()
        return lambda session, parts: redo(session, parts, overwrite=overwrite)

    def switch(self):
        """What going to another branch would do; None where there is none."""
        journal, scope = self.book.store.journal, parse_scope(self.dice.choice(SCOPES))
        branches = [each for each in journal.branches.values() if each.number != journal.current]
        if not branches:
            return None
        target = head(self.book.store, self.dice.choice(branches))
        return lambda session, parts: foresee(session, parts, target, scope, how="switch")

    def _overwritten(self):
        return PATHS if self.dice.random() < 0.5 else ()

    def _move(self, way):
        """Whether it moved: there may be nothing to do."""
        wanted, before = way(), self.book.state()
        self.moves += 1
        self.note("moving", move=self.moves, how=way.__name__, state=before, kept=self.kept)
        if wanted is None or self.book.move(wanted) is None:
            self.note("acting")
            return False
        after = files_in(self.book.folder)
        changed = {path for path in PATHS if before["files"].get(path) != after.get(path)}
        self.careless -= changed  # whoever moves a file asks the disk to keep it
        self._noted("moved", move=self.moves)
        return True

    def _noted(self, what, **said):
        """All there is now is kept at a checkpoint."""
        state = self.book.state()
        self.kept = {part: state[part] for part in ("variables", "same")}
        self.note(what, state=state, **said)

    def _point(self):
        """A checkpoint, or where a run or one of its steps began."""
        store = self.book.store
        marks = [str(n) for n in range(1, store.journal.head_checkpoint() + 1) if Checkpoints(store).find(n)]
        runs = [f"r{n}" for n in store.run_numbers()]
        return point(store, self.dice.choice([self.dice.choice(marks), *runs, *(f"{run}.2" for run in runs)]))


def opened_once(folder):
    """An empty session's files, with which each life begins."""
    lay_out({}, folder)
    simulated.begin("template")
    book = Book(folder)
    book.close()
    return {str(path): path.read_bytes() for path in (folder / WORK).iterdir() if path.is_file()}


def main(folder, count, number, fault=SOUND):
    simulated.install()
    found = opened_once(folder)
    with FAULTS[fault].made():
        for life in range(int(count)):
            Life(folder, f"{number}.b{life}", found).live()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
