"""What the model says and wants at each stage of a task: from the task's name alone, so that any kernel gets the same.

A task is named ``s7p2``: prompt 2 of scenario 7. Every word of an answer (``s7p2a0w5``) and of a wish (``s7p2c0x1``)
is unlike every other, so that it can be looked for in outputs, in the journal and in the ledger.
"""

import json
import random
import re
from dataclasses import dataclass

TASK = re.compile(r"\bs\d+p\d+\b")
WORD = re.compile(r"\bs\d+p\d+[ac]\d+[wx]\d+\b")
WISH = re.compile(r"\bs\d+p\d+c\d+x\d+\b")
TOOLS = ("look", "look", "put", "send", "send", "tell", "python")
WRITES = frozenset({"send", "tell", "python", "spawn"})
"""Tools whose acts must never be repeated under one wish."""
BLIND = WRITES - {"tell"}
"""Those of them that can't tell afterwards whether they acted."""
TROUBLES = (429, 500, "reset")
MAKES = "2"
"""The last digit of tasks whose python calls write a file, too, and one of which comes first."""


@dataclass(frozen=True)
class Stage:
    """One answer: pieces of text, tool calls (name, arguments), and what goes wrong when it is first asked for."""

    pieces: tuple[str, ...]
    calls: tuple[tuple[str, dict], ...]
    trouble: object = None

    @property
    def wishes(self):
        """{word: tool} of the calls."""
        return {WISH.search(json.dumps(arguments))[0]: name for name, arguments in self.calls}


def stage_of(task, number):
    """The stage of a task; the last one wants nothing more."""
    dice = random.Random(f"{task}/{number}")
    text = [f"{task}a{number}w{place} " for place in range(dice.randint(5, 12))]
    calls = ()
    if number < random.Random(task).randint(1, 3):
        kinds = (*TOOLS, "spawn") if task.endswith("0") else TOOLS
        wanted = [dice.choice(kinds) for _ in range(dice.randint(1, 3))]
        makes = task.endswith(MAKES)
        wanted = ["python", *wanted[1:]] if makes and number == 0 else wanted
        calls = tuple(_call(name, f"{task}c{number}x{place}", makes=makes) for place, name in enumerate(wanted))
    return Stage(tuple(text), calls, dice.choice(TROUBLES) if dice.random() < 0.12 else None)


def wishes_of(task):
    """{word: tool} of everything a task wants done until it has its answer."""
    number, found = 0, {}
    while stage := stage_of(task, number).wishes:
        found |= stage
        number += 1
    return found


def _call(name, word, *, makes):
    if name == "python":
        code = f"acts = globals().get('acts', 0) + 1\nact('python', '{word}')\ntime.sleep(0.03)"
        return name, {
            "code": f"{code}\nwith open('made.txt', 'a') as made:\n    made.write('{word} ')" if makes else code
        }
    return name, {"word": word}
