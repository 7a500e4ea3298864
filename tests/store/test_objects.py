"""Bytes that are kept beside the file are on disk under their name before a row says that they exist."""

import errno
import os

import pytest
from statebook.protocol.journal.events import MemoryKept
from statebook.protocol.tools import ArtifactData
from statebook.store.artifacts import INSIDE
from statebook.store.file.syncing import sync_folder
from statebook.store.journal import Place
from statebook.store.store import Store


@pytest.mark.skipif(os.name != "posix", reason="folders are synced where the system has a way to")
def test_the_folders_of_a_new_object_are_synced_with_it(tmp_path, monkeypatch):
    """A name is on disk when its folder is synced; a folder that was made for it is a new name as well."""
    store = Store(tmp_path / "book.statebook.duckdb")
    synced = []

    def noting(sync):
        def noted(handle):
            synced.append(os.fstat(handle).st_ino)
            sync(handle)

        return noted

    for name in {"fsync", "fdatasync"} & set(dir(os)):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    picture = ArtifactData(b"x" * (INSIDE + 1), "image/png")
    store.commit([(Place(), MemoryKept(1, "There is a picture.", "agent"))], artifacts=[picture])
    (file,) = (found for found in (tmp_path / "book.statebook.objects").rglob("*") if found.is_file())
    way = (file, file.parent, file.parent.parent, tmp_path)
    assert [path.stat().st_ino for path in way] == synced[: len(way)]
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="folders are synced where the system has a way to")
def test_where_folders_cannot_be_synced_names_are_believed_and_faults_are_told(tmp_path, monkeypatch):
    def fails(number):
        def fsync(_handle):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    fails(errno.EINVAL)
    sync_folder(tmp_path)
    fails(errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_folder(tmp_path)
