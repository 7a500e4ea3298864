"""The session's file, opened: everything a session writes goes through here, one commit at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from statebook.errors import StoreError, StoreReadOnly, UsageError
from statebook.protocol.journal.codec import encodable
from statebook.protocol.journal.events import Entry, Event
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Cost, Spent
from statebook.protocol.tools import ArtifactData

from .artifacts import Artifacts
from .documents import Documents
from .file.database import PATIENCE, Database
from .journal import Journal, Place
from .packs.chunks import PackedChunks
from .packs.snapshots import KeptSnapshots
from .projections.head import Projection
from .projections.runs import Runs
from .schema import prepare
from .upkeep.sizes import StoreSize, size_of
from .verify import Report, verify
from .views import VIEWS

if TYPE_CHECKING:
    import pandas as pd

MAIN = "main"
"""The name of a session's first branch."""

_READS = frozenset({"SELECT", "EXPLAIN", "RELATION"})


class Store:
    """One ``NAME.statebook.duckdb``, held by this process until `close`."""

    def __init__(self, path: Path, *, read_only: bool = False, patience: float = PATIENCE) -> None:
        """Open or create the file, waiting ``patience`` seconds for another process that holds it.

        Raises SessionLocked, StoreTooNew, StoreDamaged, StoreReadOnly, StoreFull.
        """
        try:
            place, found = path.parent.is_dir(), path.exists()
        except PermissionError as error:
            raise StoreReadOnly(f"{path.parent} may not be entered.", "Choose another place, or change it.") from error
        if read_only and not found:
            raise UsageError(f"There is no {path.name} in {path.parent}.", "Run an %%agent cell first.")
        if not place:
            raise StoreReadOnly(f"There is no folder {path.parent}.", "Make it first, or choose another place.")
        if _undecodable(path):
            raise StoreError(
                f"The name {os.fsencode(path).decode(errors='replace')} is not UTF-8 here, and DuckDB takes no other.",
                "Rename it, or start Jupyter with PYTHONUTF8=1.",
            )
        self.path = path
        self._meta: dict[str, str] | None = None
        self.database = Database(path, read_only=read_only, patience=patience)
        try:
            prepare(self.database)
            self.artifacts = Artifacts(self.database)
            self.chunks = PackedChunks(self.database)
            self.snapshots = KeptSnapshots(self.database, self.chunks)
            self.documents = Documents(self.database)
            self.journal = Journal(self.database)
            if not self.journal.branches and not read_only:
                self.journal.start_branch(MAIN, 0, checkpoint=0, why="the session's first branch")
            self.as_of_head = Projection(self.journal)
            self.runs = Runs(self.journal, self.database)
        except BaseException:
            self.database.close()
            raise

    @property
    def session_id(self) -> str:
        """The session's id, made with the file."""
        return self.get_meta("session")

    def get_meta(self, key: str) -> str:
        """A named value of the file itself; "" when it was never set."""
        return self._metas().get(key, "")

    def metas(self, prefix: str) -> dict[str, str]:
        """The named values whose names begin with ``prefix``."""
        return {key: value for key, value in self._metas().items() if key.startswith(prefix)}

    def _metas(self) -> dict[str, str]:
        """All of them: one process writes the file, and a run's end asks for several."""
        if self._meta is None:
            self._meta = dict(self.database.rows("SELECT key, value FROM meta"))
        return self._meta

    def set_meta(self, **values: str) -> None:
        """Set named values of the file itself, in one commit."""
        try:
            with self.database.transaction():
                for key, value in values.items():
                    self.database.write("DELETE FROM meta WHERE key = ?", [key])
                    self.database.write("INSERT INTO meta VALUES (?, ?)", [key, value])
        finally:
            self._meta = None

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(
        self,
        events: Sequence[tuple[Place, Event]],
        *,
        branch: int | None = None,
        artifacts: Iterable[ArtifactData] = (),
        snapshots: Sequence[SnapshotRow] = (),
    ) -> list[Entry]:
        """Events, and the artifacts and snapshots they name, in one commit: all on disk when this returns, or none.

        What was put into `chunks` is synced first. For any thread: a `CheckpointMade` whose number another commit took
        meanwhile gets the next one, so read numbers from the entries. Raises StoreError subclasses.
        """
        kept = list(artifacts)
        if snapshots:
            self.chunks.sync()  # before the lock: others may commit while the disk is busy with it
        if kept or snapshots:
            entries = self._commit_with(kept, snapshots, events, branch)
        else:
            entries = self.journal.append(events, branch)
        self.as_of_head.skip(entries)
        self.runs.feed(entries)
        return entries

    def _commit_with(
        self,
        artifacts: Sequence[ArtifactData],
        snapshots: Sequence[SnapshotRow],
        events: Sequence[tuple[Place, Event]],
        branch: int | None,
    ) -> list[Entry]:
        with self.database.lock:
            try:
                with self.database.transaction():
                    self.artifacts.put(artifacts)
                    placed = self.chunks.insert() if snapshots else {}
                    self.snapshots.insert(snapshots)
                    entries = self.journal.append(events, branch)
            except BaseException:
                self.journal.distrust()
                self.chunks.distrust()
                self.snapshots.distrust()
                raise
            self.chunks.named(placed)
            self.snapshots.committed(snapshots)
            return entries

    def draft(self, run: int, step: int, part: int, text: str) -> None:
        """Keep a piece of an unfinished model step's text, before it is drawn."""
        self.database.write("INSERT INTO draft VALUES (?, ?, ?, ?)", [run, step, part, encodable(text)])

    def drafted(self, run: int, step: int) -> str:
        """The text that was kept of an unfinished model step."""
        rows = self.database.rows("SELECT text FROM draft WHERE run = ? AND step = ? ORDER BY part", [run, step])
        return "".join(text for (text,) in rows)

    def settle(self, run: int) -> None:
        """At a run's end: drop its drafts, which its steps have made superfluous, and fold the log into the file."""
        with suppress(StoreError):  # drafts of a run that has ended are never read
            self.database.write("DELETE FROM draft WHERE run = ?", [run])
        self.fold()

    def fold(self) -> None:
        """Fold the log into the file, so that a copied file is a whole one."""
        with suppress(StoreError):  # all is committed; what could not be folded now is folded the next time
            self.database.fold()

    def close(self) -> None:
        """Fold and let go of the files. Chunks that no committed snapshot names are dropped."""
        self.chunks.close()
        self.database.close()

    # -- reading -------------------------------------------------------------------------------------------------

    def run(self, number: int) -> Run:
        """A run as its entries tell it. UsageError when there is none of that number."""
        entries = self.journal.entries_of_run(number)
        if not entries:
            raise UsageError(f"There is no run r{number}.", "`%agent list` shows the runs.")
        return Run.fold(entries)

    def run_numbers(self, branch: int | None = None) -> list[int]:
        """Numbers of the runs on a lineage, oldest first."""
        return [each.run for each in self.runs.begun(branch)]

    def newest(self, limit: int) -> list[tuple[int, str, str]]:
        """The newest runs on any branch, newest first: (number, model, the first 60 characters of the prompt)."""
        return self.database.rows(
            "SELECT run, body->>'$.model', left(body->>'$.prompt', 60) FROM journal WHERE kind = 'run_started'"
            " ORDER BY seq DESC LIMIT ?",
            [limit],
        )

    def open_runs(self) -> list[int]:
        """Runs on any branch that started or resumed and neither ended nor paused: their kernel died."""
        return [run for run, paused, _ in self.runs.unfinished() if not paused]

    def runs_with_key(self, key: str) -> list[tuple[int, str]]:
        """Runs of the current lineage that an unchanged cell made: (number, cell id), oldest first."""
        return [(each.run, each.cell_id) for each in self.runs.begun() if each.key == key]

    def models_asked(self) -> list[str]:
        """The names of the models that runs of the current lineage were begun with."""
        condition, values = self.journal.on_lineage()
        rows = self.database.rows(
            f"SELECT DISTINCT body->>'$.model' AS model FROM journal WHERE kind = 'run_started' AND {condition}"
            " ORDER BY model",
            values,
        )
        return [model for (model,) in rows if model]

    def spent(self) -> Spent:
        """Tokens that count against limits, and dollars, of all model calls on all branches; no steps and no time.

        Asked with our own query, not with the file's view of that name, which another version may have left.
        """
        counted, estimated, dollars, unknown = self.database.row(
            "SELECT coalesce(sum(input_tokens + output_tokens), 0)::BIGINT,"
            " coalesce(sum(estimated_tokens) FILTER (WHERE input_tokens + output_tokens = 0 AND dollars IS NULL), 0)"
            "::BIGINT,"
            f" coalesce(sum(dollars), 0)::DOUBLE, count(*) FILTER (WHERE dollars IS NULL) FROM ({VIEWS['spend']})"
        )
        cost = Cost(float(dollars), int(unknown))
        return Spent(int(counted) + int(estimated), int(estimated), cost=cost)

    def worked(self, after: int = 0) -> Spent:
        """The steps that were finished after an entry, and the seconds they took, on all branches."""
        steps, seconds = self.database.row(
            "SELECT count(*) FILTER (WHERE kind IN ('model_answered', 'tool_finished')),"
            " coalesce(sum((body->>'$.seconds')::DOUBLE), 0)::DOUBLE FROM journal WHERE seq > ?"
            " AND kind IN ('model_answered', 'model_failed', 'model_interrupted', 'tool_finished')",
            [after],
        )
        return Spent(steps=int(steps), seconds=float(seconds))

    def sql(self, query: str) -> pd.DataFrame:
        """The rows of a reading query over the views. UsageError for anything that would write, or does not run."""
        import duckdb

        cursor = self.database.cursor()
        try:
            cursor.execute("BEGIN TRANSACTION READ ONLY")  # EXPLAIN ANALYZE runs what it explains
            statements = cursor.extract_statements(query)
            if len(statements) != 1 or statements[0].type.name not in _READS:
                raise UsageError("Only one SELECT at a time.", "The journal is append-only; the views are in docs.")
            frame: pd.DataFrame = cursor.execute(statements[0]).df()
        except duckdb.Error as error:
            raise UsageError(f"The query failed: {str(error).strip().splitlines()[0]}", _VIEWS_HINT) from error
        finally:
            cursor.close()  # ends its transaction too
        return frame

    def verify(self) -> Report:
        """Walk hashes and references."""
        return verify(self.database, self.artifacts, self.chunks)

    def size(self) -> StoreSize:
        """How many bytes the file, the artifacts beside it and the packs of snapshots take on disk."""
        return size_of(self.path)


def _undecodable(path: Path) -> bool:
    """Whether a name holds bytes that Python could not read as text in this locale."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return True
    return False


_VIEWS_HINT = (
    "Views: runs, steps, messages, tool_calls, memories, checkpoints, snapshots, spend, sources, citations,"
    " branches, events."
)
