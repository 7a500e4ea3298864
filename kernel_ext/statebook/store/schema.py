"""The tables, as numbered migrations that are only ever added to."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from statebook.errors import StoreDamaged, StoreError, StoreTooNew
from statebook.ids import new_session_id

from .file.database import Database
from .file.faults import explain
from .file.syncing import sync
from .views import VIEWS

MIGRATIONS: tuple[str, ...] = (
    # 1: the journal is the truth; artifacts hold bytes by content; drafts hold text of an unfinished model step;
    #    documents and passages are the corpus that answers cite. No primary keys: one writer numbers the rows, and an
    #    index would have to be loaded on opening. Text is packed by zstd: a fold rewrites the newest rows, so it is
    #    shorter by what they shrink.
    """
    CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
    CREATE TABLE journal (
        seq BIGINT NOT NULL, branch INTEGER NOT NULL, run INTEGER NOT NULL, step INTEGER NOT NULL,
        kind VARCHAR NOT NULL, time TIMESTAMP NOT NULL, body JSON NOT NULL USING COMPRESSION zstd, digest BLOB NOT NULL
    );
    CREATE TABLE artifact (
        digest VARCHAR NOT NULL, media_type VARCHAR NOT NULL, name VARCHAR NOT NULL, size BIGINT NOT NULL,
        bytes BLOB, time TIMESTAMP NOT NULL
    );
    CREATE TABLE draft (
        run INTEGER NOT NULL, step INTEGER NOT NULL, part INTEGER NOT NULL,
        text VARCHAR NOT NULL USING COMPRESSION zstd
    );
    CREATE TABLE document (
        number INTEGER NOT NULL, path VARCHAR NOT NULL, title VARCHAR NOT NULL, digest VARCHAR NOT NULL,
        size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL, status VARCHAR NOT NULL, error VARCHAR NOT NULL,
        passages INTEGER NOT NULL
    );
    CREATE TABLE passage (
        document INTEGER NOT NULL, ordinal INTEGER NOT NULL, place VARCHAR NOT NULL,
        first BIGINT NOT NULL, last BIGINT NOT NULL, text VARCHAR NOT NULL USING COMPRESSION zstd
    );
    """,
    # 2: where the chunks of snapshots lie in the packs beside the file, and the snapshots themselves. A row is
    #    committed when its chunks are on disk. One that was let go of keeps its name, which no other may get, and has
    #    no document.
    """
    CREATE TABLE chunk (
        digest VARCHAR NOT NULL, pack VARCHAR NOT NULL, place BIGINT NOT NULL, size BIGINT NOT NULL,
        stored BIGINT NOT NULL, codec VARCHAR NOT NULL
    );
    CREATE TABLE snapshot (
        name VARCHAR NOT NULL, kind VARCHAR NOT NULL, parent VARCHAR NOT NULL,
        document JSON USING COMPRESSION zstd, signature VARCHAR NOT NULL, chunks VARCHAR[] NOT NULL,
        new_bytes BIGINT NOT NULL, time TIMESTAMP NOT NULL
    );
    """,
)

VERSION = len(MIGRATIONS)


def prepare(database: Database) -> None:
    """Bring the file to this version; a newer file is refused, an older one is copied before it is changed.

    Raises StoreTooNew, StoreDamaged (a DuckDB file that is no statebook store).
    """
    found = version_of(database)
    if found > VERSION:
        raise StoreTooNew(
            f"{database.path.name} was written by a newer statebook (store version {found}, this one knows {VERSION}).",
            "Upgrade it: pip install --upgrade statebook.",
        )
    if found == VERSION:
        _refresh_views(database)
        return
    if database.read_only:
        raise StoreError(
            f"{database.path.name} has store version {found}, this statebook reads version {VERSION}.",
            "Open it once in a notebook (`%agent open PATH`), which brings it up to date.",
        )
    if found:
        keep_backup(database, found)
    with database.transaction():
        for statements in MIGRATIONS[found:]:
            database.write(statements)
        if not found:
            database.write("INSERT INTO meta VALUES ('session', ?), ('version', '0')", [new_session_id()])
        database.write("UPDATE meta SET value = ? WHERE key = 'version'", [str(VERSION)])
        _create_views(database)


def version_of(database: Database) -> int:
    """The store version in the file; 0 for an empty file. StoreDamaged when the tables are someone else's."""
    found = _noted_version(database)
    if found is None and _is_empty(database):
        return 0
    if not found or not found[0][0].isdigit():
        raise StoreDamaged(f"{database.path.name} has no store version.", "Restore a copy of the file.")
    return int(found[0][0])


def _noted_version(database: Database) -> list[tuple[str]] | None:
    """The version that our tables note; None where they are not both there. Only a table has a ``rowid``.

    They are asked themselves: DuckDB's list of tables costs 9 ms on its first use, a third of opening a file.
    """
    try:
        database.rows("SELECT rowid FROM journal LIMIT 0")
        return database.rows("SELECT value FROM meta WHERE key = 'version' AND rowid >= 0")
    except StoreError:
        return None


def _is_empty(database: Database) -> bool:
    """Whether there is nothing in the file. StoreDamaged when there is, and it is not ours."""
    tables = {name for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")}
    if not tables and not database.rows("SELECT 1 FROM duckdb_views() WHERE NOT internal LIMIT 1"):
        return True
    if not {"meta", "journal"} <= tables:
        raise StoreDamaged(
            f"{database.path.name} is a DuckDB file but no statebook store.",
            "Name another file: `%agent open PATH`.",
        )
    return False


def keep_backup(database: Database, version: int) -> Path:
    """Copy the file (its log folded in) beside itself before a migration changes it.

    The file is closed meanwhile: a process that opens and closes a file loses its POSIX lock on it (fcntl(2)), and
    with that DuckDB's protection against a second writer. The next use opens it again. A copy that was cut off
    never has the backup's name. Raises StoreError subclasses.
    """
    database.close()
    backup = database.path.with_name(f"{database.path.name}.v{version}.bak")
    part = backup.with_name(f"{backup.name}.part")
    try:
        shutil.copy2(database.path, part)
        with part.open("r+b") as file:
            sync(file.fileno())
        part.replace(backup)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise explain(error, backup) from error
    return backup


def _create_views(database: Database) -> None:
    for name, query in VIEWS.items():
        database.write(f"CREATE OR REPLACE VIEW {name} AS {query}")
    database.write("DELETE FROM meta WHERE key = 'views'")
    database.write("INSERT INTO meta VALUES ('views', ?)", [_views_version()])


def _refresh_views(database: Database) -> None:
    """Views are code of this version, not data: write them again when another version left other ones."""
    if database.read_only:
        return
    found = database.rows("SELECT value FROM meta WHERE key = 'views'")
    if found != [(_views_version(),)]:
        with database.transaction():
            _create_views(database)


def _views_version() -> str:
    from statebook.protocol.journal.codec import canonical, digest

    return digest(canonical(VIEWS))[:16]
