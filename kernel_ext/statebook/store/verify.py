"""Walk a store's hashes and references and report damage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from statebook.errors import StoreDamaged
from statebook.protocol.journal.codec import KINDS, decode_event

from .artifacts import Artifacts
from .file.database import Database
from .journal import chain
from .packs.checking import check_packs
from .packs.chunks import PackedChunks

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found: counts of what was walked, and one line per damage (empty: the store is whole).

    ``chunks`` are those of snapshots, by their rows.
    """

    entries: int
    artifacts: int
    damage: tuple[str, ...]
    chunks: int = 0

    @property
    def whole(self) -> bool:
        """Nothing is damaged."""
        return not self.damage


def verify(database: Database, artifacts: Artifacts, chunks: PackedChunks) -> Report:
    """Read everything once. Raises StoreDamaged only when the file itself can't be read."""
    entries, damage = _walk_journal(database)
    damage += _check_branches(database)
    count = 0
    for (key,) in database.rows("SELECT digest FROM artifact"):
        count += 1
        try:
            artifacts.get(key)
        except StoreDamaged as error:
            damage.append(error.message)
    damage += _missing(database)
    walked, found = check_packs(database, chunks)
    return Report(entries, count, tuple(damage + found), walked)


def _walk_journal(database: Database) -> tuple[int, list[str]]:
    damage: list[str] = []
    digest, expected = b"", 1
    for row in _rows(database):
        seq, branch, run, step, kind, time, body, stored = row
        if seq != expected:
            damage.append(
                f"Entries {expected} to {seq - 1} are missing." if seq > expected else f"Entry {seq} repeats."
            )
        digest = chain(digest, seq, branch, run, step, kind, time, body)
        if digest != bytes(stored):
            damage.append(f"Entry {seq} ({kind}) does not match its digest.")
            digest = bytes(stored)
        if kind in KINDS:
            try:
                decode_event(kind, body)
            except ValueError as error:
                damage.append(f"Entry {seq} can't be read: {error}.")
        else:
            damage.append(f"Entry {seq} is of an unknown kind: {kind}.")
        expected = seq + 1
    return expected - 1, damage


def _rows(database: Database) -> Iterator[tuple[Any, ...]]:
    last = 0
    while True:
        rows = database.rows(
            "SELECT seq, branch, run, step, kind, time, body, digest FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
            [last, _BATCH],
        )
        yield from rows
        if len(rows) < _BATCH:
            return
        last = rows[-1][0]


def _check_branches(database: Database) -> list[str]:
    rows = database.rows(
        "SELECT j.branch, count(*) FROM journal j WHERE j.branch NOT IN"
        " (SELECT branch FROM journal WHERE kind = 'branch_started') GROUP BY j.branch"
    )
    return [f"{count} entries belong to branch {branch}, which was never started." for branch, count in rows]


def _missing(database: Database) -> list[str]:
    known = {key for (key,) in database.rows("SELECT digest FROM artifact")}
    damage = []
    kinds = "('model_requested', 'tool_finished', 'run_started')"
    for seq, body in database.rows(f"SELECT seq, body FROM journal WHERE kind IN {kinds}"):
        try:
            data = json.loads(body)
        except ValueError:
            continue
        wanted = [data.get("system"), data.get("tools"), *data.get("result", {}).get("artifacts", ())]
        wanted += [(attachment.get("file") or {}).get("digest") for attachment in data.get("attachments", ())]
        damage += [  # a run's own "tools" are names
            f"Entry {seq} names artifact {key[:12]}, which is missing."
            for key in wanted
            if isinstance(key, str) and key and key not in known
        ]
    return damage
