"""A process that goes back and is killed at one of the moments of the move: ``python crashing.py FOLDER MOMENT``.

``MOMENT`` counts commits and changes of files, before and after each; -1 is none. It prints how many there were, when
it lives.
"""

import asyncio
import os
import signal
import sys
import types
from pathlib import Path

from statebook.protocol.approvals import Rule
from statebook.protocol.code import CodeOutcome
from statebook.session.rewinding.move import move
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import point
from statebook.session.rewinding.scope import PARTS
from statebook.state.files.moving import Mover
from statebook.store.journal import Journal
from statebook.testing import ScriptedModel, TemporarySession, call, say

CODE = "count = 2; open('made.txt', 'w').write('new'); open('old.txt', 'w').write('changed')"


class Runner:
    def __init__(self, namespace):
        self.namespace = namespace

    async def run(self, code):
        exec(compile(code, "<agent>", "exec"), self.namespace)
        return CodeOutcome("", "", "", (), "", "", False, ())


def opened(folder, namespace):
    steps = [say("one"), call("python", {"code": CODE}), call("remember", {"text": "red"}), say("two")]
    return TemporarySession(
        model=ScriptedModel(steps), folder=folder, namespace=namespace, runner=Runner(namespace), sources=()
    )


def work(folder):
    """Two runs, the second of which changes everything."""
    (folder / "old.txt").write_text("old")
    namespace = sys.modules["__main__"].__dict__
    namespace["count"] = 1
    session = opened(folder, namespace)
    session.session.permissions.set(Rule("*", "allow"))
    asyncio.run(session.ask("first"))
    asyncio.run(session.ask("second"))
    return session


def counted(moment):
    """Kill this process at that moment."""
    passed = 0

    def tick():
        nonlocal passed
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    def around(owner, name):
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            tick()
            result = original(*args, **kwargs)
            tick()
            return result

        setattr(owner, name, wrapped)

    around(Journal, "append")
    around(Mover, "_stage")
    around(Mover, "_put")
    return lambda: passed


def main():
    folder, moment = Path(sys.argv[1]), int(sys.argv[2])
    os.chdir(folder)
    sys.modules["__main__"] = types.ModuleType("__main__")
    session = work(folder)
    parts = parts_of(session.session)
    preview = foresee(session.session, parts, point(session.store, "r2"), PARTS)
    passed = counted(moment)
    move(session.session, parts, preview)
    print(passed())


if __name__ == "__main__":
    main()
