"""Writes one checkpoint into a new store of its own: its past, what that names, and its snapshots.

The past is written as one branch, with its numbers of runs and checkpoints and its times; positions are counted anew.
It is made in a folder beside the target and named when it is whole: the objects first, then the file, which is what
makes a store. What a killed export left under the objects' name carries a mark, and is removed by the next one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from statebook.errors import UsageError
from statebook.ids import checkpoint_name, new_session_id
from statebook.protocol.journal.codec import decode_event, encode_event
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import CheckpointMade, Part
from statebook.protocol.tools import ArtifactData
from statebook.store.artifacts import Artifacts
from statebook.store.file.database import utc_now
from statebook.store.file.faults import explain
from statebook.store.file.syncing import sync_folder
from statebook.store.journal import chain
from statebook.store.reading.checkpoints import Checkpoints
from statebook.store.reading.files import FilesAt
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store

from .rewriting import Rewriter

_LINES = frozenset({"branch_started", "branch_switched", "branch_named"})
"""Kinds of entries that make branches; an export has one."""

_MARK = "unfinished-export"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ROWS = 200
"""Rows of one INSERT."""

Row = tuple[Any, ...]
"""An entry: run, step, kind, time, body."""


def export(store: Store, checkpoint: int, target: Path, *, rewriter: Rewriter) -> None:
    """Write a checkpoint, by number, into a new store at ``target``; whole and synced on return.

    It has an id of its own, for which the rewriter signs its snapshots; earlier checkpoints come without theirs.
    Raises UsageError when there is no such checkpoint or ``target`` exists, StoreError when a snapshot of it was let
    go of, StoreDamaged for what can't be read, and StoreError subclasses where nothing can be written; nothing is left
    then.
    """
    _refuse(target)
    mark = Checkpoints(store).find(checkpoint)
    if mark is None:
        raise UsageError(f"There is no checkpoint {checkpoint_name(checkpoint)}.", "`%agent checkpoints` lists them.")
    rows = _past(store, mark.branch, mark.seq)
    variables, files = SnapshotsAt(store).checkpoint(checkpoint), FilesAt(store).checkpoint(checkpoint, past=True)
    names: dict[Part, str] = {"variables": variables, "files": files}
    rows = _with_names(rows, checkpoint, names)
    work = target.with_name(f".{target.name}.{new_session_id()[:8]}.part")
    try:
        work.mkdir()
        _write(store, work / target.name, rows, [name for name in names.values() if name], rewriter)
        _name(work, target)
    except OSError as error:
        raise explain(error, target) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse(target: Path) -> None:
    if not target.name.endswith(".duckdb"):
        raise UsageError(f"{target.name} is no name of a store.", "End it with .statebook.duckdb.")
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", "Make it first, or choose another place.")
    objects = Artifacts.folder_of(target)
    if (objects / _MARK).exists() and not target.exists():
        shutil.rmtree(objects)
    for there in (target, target.with_name(f"{target.name}.wal"), objects):
        if there.exists():
            raise UsageError(f"There is a {there.name} in {target.parent} already.", "Choose another name.")


def _past(store: Store, branch: int, upto: int) -> list[Row]:
    """The entries up to a position on a branch, without what makes branches, and labels that were given later."""
    ranges = [(number, min(last, upto)) for number, last in store.journal.lineage(branch)]
    line = " OR ".join("(branch = ? AND seq <= ?)" for _ in ranges)
    found = store.database.rows(
        f"SELECT run, step, kind, time, body FROM journal WHERE {line} ORDER BY seq",
        [value for pair in ranges for value in pair],
    )
    rows = _sound_moves([row for row in found if row[2] not in _LINES])
    known = _checkpoints(rows)
    later = store.database.rows(
        f"SELECT run, step, kind, time, body FROM journal WHERE kind = 'checkpoint_labelled' AND NOT ({line})"
        " ORDER BY seq",
        [value for pair in ranges for value in pair],
    )
    labels = [(0, 0, *row[2:]) for row in later if json.loads(row[4])["checkpoint"] in known]
    last = next(place for place in range(len(rows) - 1, -1, -1) if rows[place][2] == CheckpointMade.kind)
    return [*rows[: last + 1], *labels]


def _checkpoints(rows: Iterable[Row]) -> set[int]:
    return {int(json.loads(body)["checkpoint"]) for _, _, kind, _, body in rows if kind == CheckpointMade.kind}


def _sound_moves(rows: list[Row]) -> list[Row]:
    """Without moves to checkpoints that do not come along, and one that was cut off, which is not ours to finish."""
    known, open_at = _checkpoints(rows), -1
    kept: list[Row] = []
    for row in rows:
        if row[2] == "move_finished" and open_at < 0:
            continue
        if row[2] == "head_moved":
            if int(json.loads(row[4])["to"]) not in known:
                open_at = -1
                continue
            if open_at >= 0:
                del kept[open_at]
            open_at = len(kept)
        elif row[2] == "move_finished":
            open_at = -1
        kept.append(row)
    if open_at >= 0:
        del kept[open_at]
    return kept


def _with_names(rows: list[Row], checkpoint: int, names: dict[Part, str]) -> list[Row]:
    """The checkpoint names its snapshots itself, also where it went by those of an earlier one."""
    changed = []
    for row in rows:
        event = decode_event(row[2], row[4]) if row[2] == CheckpointMade.kind else None
        if isinstance(event, CheckpointMade) and event.checkpoint == checkpoint:
            named = replace(event, snapshot=names["variables"], files=names["files"])
            changed.append((*row[:4], encode_event(named)))
        else:
            changed.append(row)
    return changed


def _write(store: Store, path: Path, rows: list[Row], names: list[str], rewriter: Rewriter) -> None:
    new = Store(path)
    try:
        whole = [rewriter.whole(store.snapshots.chain(name), new.session_id) for name in names]
        _copy_chunks(store, new, whole)
        new.commit((), snapshots=[replace(row, parent="") for row in whole])
        found = list(_strings(rows))
        _copy_artifacts(store, new, {text for text in found if _DIGEST.fullmatch(text)})
        _copy_rows(new, rows)
        _copy_documents(store, new, rows)
        _note_missing(new, rows, set(names))
    finally:
        new.close()


def _copy_chunks(store: Store, new: Store, rows: Iterable[SnapshotRow]) -> None:
    for digest in sorted({digest for row in rows for digest in row.chunks}):
        new.chunks.put(digest, store.chunks.get(digest))


def _strings(rows: Iterable[Row]) -> Iterator[str]:
    """All texts in the bodies of entries."""
    todo: list[Any] = [json.loads(row[4]) for row in rows]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value


def _copy_artifacts(store: Store, new: Store, digests: Iterable[str]) -> None:
    for digest in sorted(digests):
        found = store.artifacts.find(digest)
        if found is not None:
            with new.database.transaction():
                new.artifacts.put([ArtifactData(store.artifacts.get(digest), found.media_type, found.name)])


def _copy_rows(new: Store, rows: list[Row]) -> None:
    """Behind the first entry of a new store, which starts its branch."""
    seq, digest = new.database.row("SELECT max(seq), arg_max(digest, seq) FROM journal")
    digest, values = bytes(digest), []
    for run, step, kind, time, body in rows:
        seq += 1
        digest = chain(digest, seq, new.journal.current, run, step, kind, time, body)
        values.append([seq, new.journal.current, run, step, kind, time, body, digest])
    with new.database.transaction():
        for start in range(0, len(values), _ROWS):
            part = values[start : start + _ROWS]
            marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
            new.database.write(f"INSERT INTO journal VALUES {marks}", [value for row in part for value in row])


def _copy_documents(store: Store, new: Store, rows: Iterable[Row]) -> None:
    """The documents whose passages the entries cite, with all their passages."""
    numbers = sorted({number for row in rows for number in _cited(json.loads(row[4]))})
    with new.database.transaction():
        for table, column in (("document", "number"), ("passage", "document")):
            query = f"SELECT * FROM {table} WHERE {column} IN (SELECT unnest(?::INTEGER[]))"
            for row in store.database.rows(query, [numbers]):
                new.database.write(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _cited(value: Any) -> Iterator[int]:
    """Numbers of documents, wherever a passage stands in an entry."""
    if isinstance(value, dict):
        if isinstance(value.get("document"), int) and "ordinal" in value:
            yield value["document"]
        for each in value.values():
            yield from _cited(each)
    elif isinstance(value, list):
        for each in value:
            yield from _cited(each)


def _note_missing(new: Store, rows: Iterable[Row], here: set[str]) -> None:
    """Snapshots of earlier checkpoints keep their names, as ones that were let go of."""
    named: dict[str, str] = {}
    for _, _, kind, _, body in rows:
        if kind == CheckpointMade.kind:
            data = json.loads(body)
            named |= {data.get("snapshot") or "": "variables", data.get("files") or "": "files"}
    with new.database.transaction():
        for name in sorted(named.keys() - here - {""}):
            new.database.write(
                "INSERT INTO snapshot VALUES (?, ?, '', NULL, '', [], 0, ?)", [name, named[name], utc_now()]
            )


def _name(work: Path, target: Path) -> None:
    """Give what was made its names; the file gets its own last."""
    made, objects = Artifacts.folder_of(work / target.name), Artifacts.folder_of(target)
    if made.is_dir():
        (made / _MARK).touch()
        sync_folder(made)
        made.rename(objects)
        sync_folder(target.parent)
    (work / target.name).rename(target)
    sync_folder(target.parent)
    with suppress(FileNotFoundError):
        (objects / _MARK).unlink()
