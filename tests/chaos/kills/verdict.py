"""Judges what became of a scenario: nothing lost, silently done twice or paid twice, and no needless question.

What there is to judge by: the store (as a copy made at each death, and as it is in the end), the ledger of what tools
did, the log of what the model server was asked, and what the front end has drawn and was asked.
"""

import json
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from statebook.protocol.journal.events import RunStarted, SessionOpened
from statebook.protocol.journal.runs import Run
from statebook.store.store import Store

from .script import BLIND, TASK, WISH, WORD, WRITES, wishes_of

STORE, OBJECTS = "book.statebook.duckdb", "book.statebook.objects"


@dataclass
class Found:
    """What a journal tells: ``words`` it holds, and how far each call (by its word) and each answer has come.

    ``doubtful`` calls have an intent and no result; of the ``blind`` ones nobody but a person can tell. ``names`` are
    the words of calls by how they are typed (``r3.2``).
    """

    rows: dict[int, str]
    words: set[str]
    settled: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    approved: set[str] = field(default_factory=set)
    answered: set[tuple[str, int]] = field(default_factory=set)
    unfinished: list[int] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


@dataclass
class Death:
    """One kill: what was going on, what was on disk, and how much had happened outside by then.

    ``saw`` is what could be seen from outside. ``drawn`` are the words that had been drawn, ``done`` those of
    calls drawn as done. ``found`` is None where another kernel waited for the file, so that no copy could be made;
    ``heir`` is that one's process. ``asked`` are the questions until the next death: (kind, word).
    """

    saw: str
    drawn: set[str]
    done: set[str]
    acts: int
    requests: int
    found: Found | None = None
    heir: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)


def copy_store(folder, target):
    """What a kill left of the store, laid aside: nobody has opened it yet."""
    target.mkdir()
    for path in folder.glob(f"{STORE}*"):
        shutil.copy(path, target)
    if (folder / OBJECTS).exists():
        shutil.copytree(folder / OBJECTS, target / OBJECTS)
    return target / STORE


def look(path):
    """(What a store holds, its damage). An empty one where no kernel came as far as making it."""
    if not path.exists():
        return Found({}, set()), []
    store = Store(path)
    try:
        numbers = [run for (run,) in store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0 ORDER BY run")]
        entries = [entry for run in numbers for entry in store.journal.entries_of_run(run)]
        rows = dict(store.database.rows("SELECT seq, kind || body::VARCHAR FROM journal ORDER BY seq"))
        drafts = [text for (text,) in store.database.rows("SELECT text FROM draft ORDER BY run, step, part")]
        damage = [str(line) for line in store.verify().damage]
    finally:
        store.close()
    return _found(rows, entries, drafts), damage


def _found(rows, entries, drafts=()):
    found = Found(rows, set(WORD.findall("\n".join([*rows.values(), "".join(drafts)]))))
    by_run = defaultdict(list)
    for entry in entries:
        by_run[entry.run].append(entry)
    for number, told in by_run.items():
        if isinstance(told[0].event, RunStarted):
            _read_run(found, number, Run.fold(told))
    return found


def _read_run(found, number, run):
    task = TASK.search(run.started.prompt)[0]
    answers = [model for model in run.models if model.message is not None]
    found.answered |= {(task, stage) for stage in range(len(answers))}
    if run.status != "done":
        found.unfinished.append(number)
    for call in run.calls:
        word = WISH.search(call.call.arguments)[0]
        found.names[f"r{number}.{call.step}"] = word
        if call.result is not None:
            found.settled.add(word)
        if call.decision is not None:
            found.approved.add(word)
        if call.in_doubt:
            found.doubtful.add(word)
            if call.call.name in BLIND and call.settled is None:
                found.blind.add(word)


def judge(folder, deaths, traffic, tasks, asked_first):
    """The broken promises of a scenario that has come to its end, and counts of what happened.

    ``tasks`` were all asked to the end; ``asked_first`` are the questions before the first death.
    """
    final, damage = look(folder / STORE)
    broken = [f"damaged: {line}" for line in damage]
    broken += [f"no answer: r{number}" for number in final.unfinished]
    broken += [f"asked without need: {word}" for kind, word in asked_first if kind == "in_doubt"]
    counts = Counter(kills=len(deaths))
    acts, later = acts_in(folder), set()
    for number, death in reversed(list(enumerate(deaths))):
        found = death.found or _before(final, folder, death.heir)
        asked = [word for kind, word in death.asked if kind == "in_doubt"]
        told = _lost(death, found, final) + _again(death, found, acts, traffic.asked) + _needless(death, found)
        told += [f"in doubt, and settled without asking: {word}" for word in found.blind - {*asked} - later]
        broken += [f"kill {number}: {line}" for line in told]
        later = found.blind  # still to be asked about when that next kernel died
        shown = len(death.done & found.settled)
        counts.update({"in doubt": len(found.doubtful), "questions": len(asked), "drawn as done": shown})
        counts.update([_where(death, found)])
    drawn = set().union(*(death.drawn for death in deaths))
    broken += [f"lost: {word} was drawn" for word in sorted(drawn - final.words)]
    broken += _acted(acts, tasks)
    broken += _charged(traffic.asked)
    counts["lost"] = sum("lost" in line for line in broken)
    counts["duplicates"] = sum("twice" in line or "again" in line for line in broken)
    return broken, counts


def acts_in(folder):
    """The lines of the ledger."""
    path = folder / "ledger"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _before(final, folder, heir):
    """What was on disk when a kernel that had waited for the file opened it."""
    store = Store(folder / STORE)
    try:
        opened = store.journal.entries_anywhere([SessionOpened.kind])
        until = next(entry.seq for entry in opened if entry.event.pid == heir)
        numbers = [run for (run,) in store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0 ORDER BY run")]
        entries = [e for run in numbers for e in store.journal.entries_of_run(run) if e.seq < until]
    finally:
        store.close()
    found = _found({seq: row for seq, row in final.rows.items() if seq < until}, entries)
    found.words |= final.words  # drafts are no entries: what became of them is what a resumed run says was partial
    return found


def _where(death, found):
    if death.saw in ("at a commit", "in a move"):
        return death.saw
    return "in a tool" if found.doubtful else death.saw or "between"


def _lost(death, found, final):
    lines = [f"lost: {word} was drawn" for word in sorted(death.drawn - found.words)]
    lines += [f"lost: {word} was drawn as done" for word in sorted(death.done - found.settled)]
    return lines + [f"lost: entry {seq}" for seq, row in found.rows.items() if final.rows.get(seq) != row]


def _again(death, found, acts, asked):
    lines = [
        f"{act['word']} was done again after its result" for act in acts[death.acts :] if act["word"] in found.settled
    ]
    paid = [(each.task, each.stage) for each in asked[death.requests :] if (each.task, each.stage) in found.answered]
    return lines + [f"the answer {task} {stage} was paid again" for task, stage in paid]


def _needless(death, found):
    """Questions that need not have been asked, and those that should have been."""
    doubts = Counter(word for kind, word in death.asked if kind == "in_doubt")
    lines = [f"asked without need: {word}" for word, n in doubts.items() if word not in found.blind or n > 1]
    approvals = Counter(word for kind, word in death.asked if kind == "approval")
    return lines + [
        f"asked without need: {w}, allowed before" for w, n in approvals.items() if w in found.approved or n > 1
    ]


def _acted(acts, tasks):
    """What was wished for and not done, and writes that were done twice."""
    done = Counter(act["word"] for act in acts)
    keys = defaultdict(set)
    for act in acts:
        keys[act["word"]].add(act["key"])
    lines = [f"{word} was done under {len(each)} keys" for word, each in keys.items() if len(each) > 1]
    for word, tool in {word: tool for task in tasks for word, tool in wishes_of(task).items()}.items():
        if not done[word]:
            lines.append(f"lost: {tool} {word} was never done")
        elif done[word] > 1 and tool in WRITES:
            lines.append(f"{tool} {word} was done twice")
    return lines


def _charged(asked):
    """Requests for the same answer under another key, or other bytes: a server that keeps keys would charge twice."""
    stages = defaultdict(list)
    for each in asked:
        stages[each.task, each.stage].append(each)
    return [
        f"{before.task} {before.stage} was asked for twice under another key"
        for requests in stages.values()
        for before, after in pairwise(requests)
        if before.ended != "refused" and (before.key, before.digest) != (after.key, after.digest)
    ]
