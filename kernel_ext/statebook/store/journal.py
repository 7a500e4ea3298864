"""The append-only truth: events on branches, chained by digest, read back along a lineage.

Every entry carries ``digest = BLAKE2b-128(previous digest, the row)``, so that a lost, changed or reordered row is
found by `statebook.store.verify`. A branch is a segment of entries; its lineage is a few (branch, last seq) ranges.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from statebook.errors import StoreDamaged, UsageError
from statebook.protocol.journal.codec import decode_event, encode_event
from statebook.protocol.journal.events import Entry, Event
from statebook.protocol.journal.lines import BranchNamed, BranchStarted, BranchSwitched, CheckpointMade

from .file.database import Database, utc_now

_END = 2**62
"""A position after every entry."""

_INSERT = "INSERT INTO journal VALUES "
_VALUES = "(?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Branch:
    """A named line: ``parent`` (0 for none), the entry ``at`` which it left, and the checkpoint there."""

    number: int
    name: str
    parent: int
    at: int
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event belongs: a run and a step, 0 where none applies."""

    run: int = 0
    step: int = 0


class Journal:
    """Reads and appends entries; keeps the counters that one writer may keep."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.branches: dict[int, Branch] = {}
        self.current = 0
        self._heads: dict[int, int] = {}
        self._stale = False
        self.load()

    def load(self) -> None:
        """Read the counters and branches from the file."""
        counts = self._database.row(
            "SELECT coalesce(max(seq), 0), coalesce(max(run), 0), arg_max(digest, seq) FROM journal"
        )
        self._last_seq: int = counts[0]
        self._last_run: int = counts[1]
        self._digest: bytes = bytes(counts[2] or b"")
        self._checkpoints: list[tuple[int, int, int]] = self._database.rows(
            "SELECT seq, branch, (body->>'$.checkpoint')::INTEGER FROM journal WHERE kind = 'checkpoint_made'"
            " ORDER BY seq"
        )
        """Of each its place, its branch and its number: looked up here, which reading bodies would take far longer."""
        self._last_checkpoint = max((number for *_, number in self._checkpoints), default=0)
        self._last_memory = self._largest("memory_kept", "memory")
        self._heads.clear()
        for entry in self._read("true", [], (), ("branch_started", "branch_switched", "branch_named"), 0):
            event = entry.event
            if isinstance(event, BranchNamed):
                self._name(entry.branch, event.name)
                continue
            if isinstance(event, BranchStarted):
                if event.parent and not (event.parent < entry.branch and event.parent in self.branches):
                    raise StoreDamaged(
                        f"Branch {event.name!r} leaves a branch that is not there.", "Restore a copy of the file."
                    )
                self.branches[entry.branch] = Branch(entry.branch, event.name, event.parent, event.at, event.checkpoint)
            if not (isinstance(event, BranchStarted) and event.aside):
                self.current = entry.branch
        if self.branches and self.current not in self.branches:
            raise StoreDamaged("The current branch was never started.", "Restore a copy of the file.")
        self._stale = False

    def _largest(self, kind: str, field: str) -> int:
        query = f"SELECT coalesce(max((body->>'$.{field}')::INTEGER), 0) FROM journal WHERE kind = ?"
        return int(self._database.row(query, [kind])[0])

    def _fresh(self) -> None:
        """After a commit that failed nobody knows what the counters should say: read them again before they count."""
        if self._stale:
            with self._database.lock:  # where another thread's commit is on its way, wait for it and believe it
                if self._stale:
                    self.load()

    @property
    def last_seq(self) -> int:
        """The position of the newest entry; 0 when there is none."""
        self._fresh()
        return self._last_seq

    # -- writing -------------------------------------------------------------------------------------------------

    def append(self, events: Iterable[tuple[Place, Event]], branch: int | None = None) -> list[Entry]:
        """Append events in one commit and return their entries; they are on disk when this returns.

        Raises StoreError subclasses; then nothing was appended.
        """
        with self._database.lock:
            self._fresh()
            line = self.current if branch is None else branch
            now = utc_now()
            entries: list[Entry] = []
            values, digest = [], self._digest
            for seq, (place, given) in enumerate(events, start=self._last_seq + 1):
                event = self._numbered(given, line, entries)
                body = encode_event(event)
                digest = chain(digest, seq, line, place.run, place.step, event.kind, now, body)
                entries.append(Entry(seq, line, place.run, place.step, now, event))
                values += [seq, line, place.run, place.step, event.kind, now, body, digest]
            if entries:
                self._stale = True  # until the commit is known to have worked
                self._database.write(_INSERT + ", ".join([_VALUES] * len(entries)), values)
                self._stale = False
                self._took(entries, digest)
            return entries

    def _numbered(self, event: Event, line: int, before: Sequence[Entry]) -> Event:
        """The event; a checkpoint whose number is taken by another thread's commit with the next one."""
        if not isinstance(event, CheckpointMade):
            return event
        made = [entry.event.checkpoint for entry in before if isinstance(entry.event, CheckpointMade)]
        last = max(self._last_checkpoint, *made, 0)
        if event.checkpoint > last:
            return event
        return replace(event, checkpoint=last + 1, parent=made[-1] if made else self.head_checkpoint(line))

    def distrust(self) -> None:
        """A transaction around an append failed: read the counters again before the next one."""
        self._stale = True

    def _took(self, entries: Sequence[Entry], digest: bytes) -> None:
        self._last_seq, self._digest = entries[-1].seq, digest
        for entry in entries:
            self._last_run = max(self._last_run, entry.run)
            if isinstance(entry.event, CheckpointMade):
                self._last_checkpoint = max(self._last_checkpoint, entry.event.checkpoint)
                self._heads[entry.branch] = entry.event.checkpoint
                self._checkpoints.append((entry.seq, entry.branch, entry.event.checkpoint))

    def checkpoint(self, reason: str, *, label: str = "", branch: int | None = None) -> CheckpointMade:
        """The event for the next checkpoint on a branch; it exists once it is appended."""
        self._fresh()
        line = self.current if branch is None else branch
        number = self._last_checkpoint + 1
        return CheckpointMade(number, self.head_checkpoint(line), reason, label)  # type: ignore[arg-type]  # reasons are checked at the callers

    def next_memory(self) -> int:
        """The number of the next memory."""
        with self._database.lock:
            self._fresh()
            self._last_memory += 1
            return self._last_memory

    def next_run(self) -> int:
        """The number of the next run; it exists once its first event is appended."""
        self._fresh()
        return self._last_run + 1

    def start_branch(
        self,
        name: str,
        at: int,
        *,
        checkpoint: int,
        why: str,
        line: int | None = None,
        then: Sequence[tuple[Place, Event]] = (),
        aside: bool = False,
    ) -> Branch:
        """Start a branch after entry ``at`` of a lineage (``line``'s, else the current one's), and go there.

        ``at`` 0 starts from nothing. ``then`` are its next events, in the same commit. ``aside`` leaves the current
        branch current. Raises UsageError when the name is taken.
        """
        with self._database.lock:
            self._fresh()
            self.check_name(name)
            parent = self._segment_of(at, line)
            number = max(self.branches, default=0) + 1
            self.branches[number] = Branch(number, name, parent, at, checkpoint)
            try:
                self.append([(Place(), BranchStarted(name, parent, at, checkpoint, why, aside)), *then], branch=number)
            except BaseException:
                del self.branches[number]
                raise
            self.current = self.current if aside else number
            return self.branches[number]

    def switch(self, branch: Branch, then: Sequence[tuple[Place, Event]] = ()) -> None:
        """Make another branch the current one; ``then`` are its next events, in the same commit."""
        with self._database.lock:
            switched = [(Place(), BranchSwitched())] if branch.number != self.current else []
            self.append([*switched, *then], branch=branch.number)
            self.current = branch.number

    def rename(self, branch: Branch, name: str) -> None:
        """Call a branch so from now on. Raises UsageError when the name is taken."""
        with self._database.lock:
            self._fresh()
            self.check_name(name)
            self.append([(Place(), BranchNamed(name))], branch=branch.number)
            self._name(branch.number, name)

    def check_name(self, name: str) -> None:
        """UsageError for the name of a branch that there is."""
        if self.find_branch(name) is not None:
            raise UsageError(f"There is a branch {name!r} already.", "Choose another name.")

    def _name(self, branch: int, name: str) -> None:
        if branch in self.branches:
            self.branches[branch] = replace(self.branches[branch], name=name)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def branch(self) -> Branch:
        """The current branch."""
        return self.branches[self.current]

    def find_branch(self, name: str) -> Branch | None:
        """The branch of that name."""
        return next((branch for branch in self.branches.values() if branch.name == name), None)

    def free_name(self, name: str) -> str:
        """For ``main`` and ``main-2`` the first of ``main-2``, ``main-3``, ... that no branch has."""
        taken = {branch.name for branch in self.branches.values()}
        stem = re.sub(r"(?<=.)-\d+$", "", name)
        return next(f"{stem}-{n}" for n in range(2, len(taken) + 3) if f"{stem}-{n}" not in taken)

    def lineage(self, branch: int | None = None, upto: int = _END) -> list[tuple[int, int]]:
        """The ranges that make up a branch's past: (branch, last seq), from the newest segment to the oldest.

        ``upto`` is an entry of it that nothing after counts from.
        """
        number = self.current if branch is None else branch
        ranges: list[tuple[int, int]] = []
        while number:
            ranges.append((number, upto))
            line = self.branches[number]
            number, upto = line.parent, min(line.at, upto)
        return ranges

    def on_lineage(self, branch: int | None = None, upto: int = _END) -> tuple[str, list[int]]:
        """An SQL condition over journal columns that selects a lineage, and its values."""
        ranges = self.lineage(branch, upto)
        if not ranges:
            return "false", []
        condition = " OR ".join("(branch = ? AND seq <= ?)" for _ in ranges)
        return f"({condition})", [value for pair in ranges for value in pair]

    def entries(
        self,
        *,
        branch: int | None = None,
        runs: Sequence[int] = (),
        kinds: Sequence[str] = (),
        after: int = 0,
        upto: int = _END,
    ) -> list[Entry]:
        """Entries of a lineage in order, narrowed to runs, kinds, and those after a position and up to another.

        Raises StoreDamaged for an entry that can't be read.
        """
        condition, values = self.on_lineage(branch, upto)
        return self._read(condition, list(values), runs, kinds, after)

    def entries_anywhere(self, kinds: Sequence[str], *, after: int = 0) -> list[Entry]:
        """Entries of these kinds on all branches, in order, after a position."""
        return self._read("true", [], (), kinds, after)

    def entries_of_run(self, *runs: int) -> list[Entry]:
        """All entries of a run, or of several, on whichever branch they are; in order."""
        return self._read("true", [], runs, (), 0)

    def beyond(self, one: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int, int]]:
        """What a line (branch, upto) has and another has not: (branch, after this entry, up to this one)."""
        there = dict(self.lineage(*other))
        here = [(line, max(there.get(line, 0), self.branches[line].at), upto) for line, upto in self.lineage(*one)]
        return [(line, after, upto) for line, after, upto in here if after < upto]

    def asked(self, run: int, prompt: str, model: str) -> tuple[str, int]:
        """The model last asked for a run, and its context; ("", 0) where that is not recorded.

        A run that has asked none yet goes by the newest request of a run of the same prompt. ``model`` is the one that
        it must be; "" for any.
        """
        rows = self._database.rows(
            "SELECT r.body->>'$.model', (r.body->>'$.context_tokens')::BIGINT FROM journal r"
            " JOIN journal s ON s.kind = 'run_started' AND s.run = r.run"
            " WHERE r.kind = 'model_requested' AND coalesce((r.body->>'$.context_tokens')::BIGINT, 0) > 0"
            " AND (r.run = ? OR (s.body->>'$.prompt') = ?) AND (? = '' OR (r.body->>'$.model') = ?)"
            " ORDER BY r.run = ? DESC, r.seq DESC LIMIT 1",
            [run, prompt, model, model, run],
        )
        return (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)

    def _read(
        self, condition: str, values: list[object], runs: Sequence[int], kinds: Sequence[str], after: int
    ) -> list[Entry]:
        if runs:
            condition += f" AND run IN ({', '.join('?' * len(runs))})"
            values += runs
        if kinds:
            condition += f" AND kind IN ({', '.join('?' * len(kinds))})"
            values += kinds
        if after:
            condition += " AND seq > ?"
            values.append(after)
        rows = self._database.rows(
            f"SELECT seq, branch, run, step, time, kind, body FROM journal WHERE {condition} ORDER BY seq",
            values,
        )
        return [_entry(*row) for row in rows]

    def head_checkpoint(self, branch: int | None = None) -> int:
        """The newest checkpoint of a lineage; 0 when there is none."""
        self._fresh()
        line = self.current if branch is None else branch
        if line not in self._heads:
            self._heads[line] = self.checkpoint_at(_END, line)
        return self._heads[line]

    def checkpoint_at(self, seq: int, branch: int | None = None) -> int:
        """The newest checkpoint of a lineage that is no newer than an entry; 0 when there is none."""
        self._fresh()
        ends = dict(self.lineage(branch, seq))
        return next((number for at, line, number in reversed(self._checkpoints) if at <= ends.get(line, 0)), 0)

    def place_of(self, checkpoint: int) -> tuple[int, int]:
        """The branch of a checkpoint, and the entry that it is; (0, 0) where there is none of that number."""
        self._fresh()
        return next(((line, at) for at, line, number in reversed(self._checkpoints) if number == checkpoint), (0, 0))

    def _segment_of(self, seq: int, branch: int | None = None) -> int:
        for number, upto in self.lineage(branch):
            first = self.branches[number].at
            if first < seq <= upto:
                return number
        return 0


def _entry(seq: int, branch: int, run: int, step: int, time: datetime, kind: str, body: str) -> Entry:
    try:
        return Entry(seq, branch, run, step, time, decode_event(kind, body))
    except (KeyError, ValueError) as error:
        raise StoreDamaged(
            f"Entry {seq} of the journal ({kind}) can't be read: {error}.",
            "`%agent verify` lists all damage; the rest of the session stays readable in SQL.",
        ) from error


def chain(previous: bytes, seq: int, branch: int, run: int, step: int, kind: str, time: datetime, body: str) -> bytes:
    """The digest of one row, given the digest of the row before it: 16 bytes."""
    row = f"{seq}|{branch}|{run}|{step}|{kind}|{time.isoformat()}|{body}"
    return hashlib.blake2b(previous + row.encode(), digest_size=16).digest()
