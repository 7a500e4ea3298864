"""Content-addressed bytes: small ones in the file, big ones in a folder beside it.

DuckDB takes blobs at a tenth of a plain file's speed and writes them twice (log, then file). So an object over
`INSIDE` bytes is written to ``NAME.statebook.objects/ab/cdef...`` and synced *before* the row that says it exists.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from statebook.errors import StoreDamaged
from statebook.protocol.journal.codec import digest
from statebook.protocol.tools import ArtifactData

from .file.database import Database, utc_now
from .file.faults import explain
from .file.syncing import sync, sync_folder

INSIDE = 256 * 1024
"""Bytes up to which an artifact lives in the DuckDB file."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of an artifact without its bytes."""

    digest: str
    media_type: str
    name: str
    size: int


class Artifacts:
    """Puts and gets bytes by digest."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: dict[str, Artifact] = {}
        self.folder = self.folder_of(database.path)

    @staticmethod
    def folder_of(path: Path) -> Path:
        """Where the objects of a store lie."""
        return path.with_name(f"{path.name.removesuffix('.duckdb')}.objects")

    def put(self, artifacts: Iterable[ArtifactData]) -> list[str]:
        """Keep artifacts, each content once, and return their digests. Call inside the caller's transaction."""
        digests = []
        for artifact in artifacts:
            key = digest(artifact.data)
            known = key in digests or self.find(key) is not None  # the query does not see this transaction's own rows
            digests.append(key)
            inside = len(artifact.data) <= INSIDE
            if known and not inside and not self._object(key).exists():
                self._write_object(key, artifact.data)  # its folder was removed
            if not known:
                if not inside:
                    self._write_object(key, artifact.data)
                self._database.write(
                    "INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        key,
                        artifact.media_type,
                        artifact.name,
                        len(artifact.data),
                        artifact.data if inside else None,
                        utc_now(),
                    ],
                )
        return digests

    def find(self, key: str) -> Artifact | None:
        """What is known of a digest; None when it is not here."""
        if key not in self._found:  # what is here stays here: each model request asks for the same two
            rows = self._database.rows("SELECT digest, media_type, name, size FROM artifact WHERE digest = ?", [key])
            if not rows:
                return None
            self._found[key] = Artifact(*rows[0])
        return self._found[key]

    def get(self, key: str) -> bytes:
        """The bytes of a digest, checked against it. StoreDamaged when they are missing or changed."""
        rows = self._database.rows("SELECT bytes FROM artifact WHERE digest = ?", [key])
        if not rows:
            raise StoreDamaged(f"Artifact {key[:12]} is not in {self._database.path.name}.", "Restore a whole copy.")
        data = rows[0][0]
        found = bytes(data) if data is not None else self._read_object(key)
        if digest(found) != key:
            raise StoreDamaged(f"Artifact {key[:12]} has changed on disk.", "Restore a copy of the objects folder.")
        return found

    def remove(self, keys: Iterable[str]) -> None:
        """Remove the rows of artifacts that nothing names, in the caller's transaction; their files go after it."""
        gone = list(keys)
        for key in gone:
            self._found.pop(key, None)
        self._database.write("DELETE FROM artifact WHERE digest IN (SELECT unnest(?::VARCHAR[]))", [gone])

    def missing(self) -> list[str]:
        """The digests of objects whose files are gone."""
        keys = self._database.rows("SELECT digest FROM artifact WHERE bytes IS NULL")
        return [key for (key,) in keys if not self._object(key).exists()]

    def adopt(self, folder: Path) -> None:
        """Copy the objects that are missing here, from another objects folder that has them."""
        for key in self.missing():
            place = folder / key[:2] / key[2:]
            if place.exists():
                self._write_object(key, place.read_bytes())

    def _object(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]

    def _read_object(self, key: str) -> bytes:
        try:
            return self._object(key).read_bytes()
        except OSError as error:
            raise StoreDamaged(
                f"Artifact {key[:12]} is missing in {self.folder.name}.",
                "Keep that folder beside the store when you copy or move it.",
            ) from error

    def _write_object(self, key: str, data: bytes) -> None:
        target = self._object(key)
        part = target.with_suffix(f".{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                sync(file.fileno())
            part.replace(target)
            for folder in (target.parent, self.folder, self.folder.parent):  # the folders may be new names too
                sync_folder(folder)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise explain(error, self.folder) from error
