"""Chunks come back as they were put, or the damage is told: never silently wrong."""

import os
import random
import shutil
import threading

import pytest
from statebook.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly
from statebook.protocol.journal.kept import SnapshotRow
from statebook.store.journal import Place
from statebook.store.packs import behind, files
from statebook.store.packs.chunks import PackedChunks

from .shelf import digest_of, got, keep, read, take

pytestmark = pytest.mark.slow  # many files, opened again and again

NOISE = random.Random(1).randbytes(1 << 20)
TEXT = b"a line that comes again and again\n" * 30_000


def packs_of(store):
    return sorted(store.chunks.packs.folder.glob("*.pack"))


@pytest.mark.parametrize("data", [b"", b"x", NOISE, TEXT, TEXT[:600], NOISE[:600]], ids=len)
def test_a_chunk_is_there_before_and_after_it_is_written_and_in_the_next_kernel(open_store, data):
    store = open_store()
    digest = digest_of(data)
    assert not store.chunks.has(digest)
    store.chunks.put(digest, data)
    assert store.chunks.has(digest)
    assert got(store, digest, len(data)) == data
    store.chunks.sync()
    assert got(store, digest, len(data)) == data
    row, _ = keep(store, {"a": data})
    store.close()
    again = open_store(read_only=True)
    assert again.chunks.has(digest)
    assert read(again, row.name) == {"a": data}
    assert again.chunks.get(digest) == data


def test_what_shrinks_is_stored_small_and_what_does_not_as_it_is(store):
    keep(store, {"text": TEXT, "noise": NOISE})
    rows = dict(store.database.rows("SELECT codec, stored FROM chunk"))
    assert rows["zstd"] < len(TEXT) // 20
    assert rows["raw"] == len(NOISE)


def test_a_chunk_is_stored_once(store):
    row, _ = keep(store, {"a": NOISE, "b": NOISE})
    keep(store, {"a": NOISE, "c": b"new"}, row)
    assert sorted(size for (size,) in store.database.rows("SELECT size FROM chunk")) == [3, len(NOISE)]
    assert store.size().packs == len(NOISE) + 3


def test_nothing_is_made_before_a_chunk_is_put(store):
    assert not store.chunks.has(digest_of(b"a"))
    assert not store.chunks.packs.folder.exists()


def test_a_pack_is_followed_by_another_one_and_the_next_kernel_goes_on_with_the_last(open_store):
    store = open_store()
    store.chunks = store.snapshots._chunks = PackedChunks(store.database, pack=2_500)
    for number in range(5):
        keep(store, {str(number): NOISE[number * 1000 :][:1000]})
    assert [path.stat().st_size for path in packs_of(store)].count(3000) == 1
    store.close()
    again = open_store()
    before = packs_of(again)
    keep(again, {"more": NOISE[:900]})
    assert packs_of(again) == before


def test_bytes_that_no_row_names_are_skipped(open_store):
    store = open_store()
    row, _ = keep(store, {"a": NOISE})
    take(store, {"lost": TEXT})  # its kernel dies before the commit
    store.chunks.sync()
    store.close()
    (pack,) = packs_of(store)
    with pack.open("ab") as file:
        file.write(b"torn")
    before = pack.read_bytes()
    again = open_store()
    assert not again.chunks.has(digest_of(TEXT))
    second, _ = keep(again, {"b": TEXT})
    assert pack.read_bytes().startswith(before)
    assert read(again, row.name) == {"a": NOISE}
    assert read(again, second.name) == {"b": TEXT}
    assert again.verify().whole


def damaged(store, how):
    """Damage the pack of a closed store."""
    (pack,) = packs_of(store)
    if how == "gone":
        pack.unlink()
        return
    data = bytearray(pack.read_bytes())
    if how == "cut":
        del data[-10:]
    else:
        data[len(data) // 2] ^= 1
    pack.write_bytes(data)


@pytest.mark.parametrize(
    ("how", "said"), [("gone", "Pack .* is missing"), ("cut", "is cut short"), ("changed", "has changed on disk")]
)
@pytest.mark.parametrize("data", [NOISE, TEXT], ids=["raw", "zstd"])
def test_a_damaged_pack_is_told_by_whoever_reads_it(open_store, how, said, data):
    store = open_store()
    row, _ = keep(store, {"a": data})
    store.close()
    damaged(store, how)
    again = open_store()
    with pytest.raises(StoreDamaged, match=said):
        read(again, row.name)
    (line,) = again.verify().damage
    assert "Pack" in line if how == "gone" else digest_of(data)[:12] in line


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_chunk_whose_pack_is_gone_or_cut_is_written_again(open_store, how):
    store = open_store()
    row, _ = keep(store, {"a": NOISE})
    store.close()
    damaged(store, how)
    again = open_store()
    assert not again.chunks.has(digest_of(NOISE))
    keep(again, {"a": NOISE})
    assert read(again, row.name) == {"a": NOISE}
    assert len(packs_of(again)) == (1 if how == "gone" else 2)  # nothing is written behind a cut
    again.close()
    last = open_store()
    assert read(last, row.name) == {"a": NOISE}
    assert last.verify().whole


def test_a_chunk_that_nobody_wrote_or_of_another_size_is_damage(store):
    keep(store, {"a": NOISE})
    with pytest.raises(StoreDamaged, match="is not in"):
        got(store, digest_of(b"never"), 5)
    with pytest.raises(StoreDamaged, match="bytes, where 3 are expected"):
        got(store, digest_of(NOISE), 3)


@pytest.mark.parametrize(
    "change",
    [
        "pack = '../../etc'",
        "place = -5",
        "place = 3",
        "stored = 1099511627776",
        "size = 7, stored = 7",
        "codec = 'pickle'",
    ],
)
def test_rows_of_a_hostile_store_lead_nowhere(open_store, change):
    store = open_store()
    row, _ = keep(store, {"a": TEXT})
    store.database.write(f"UPDATE chunk SET {change}")
    store.close()
    again = open_store()
    with pytest.raises(StoreDamaged):
        read(again, row.name)
    assert not again.verify().whole


@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
def test_a_pack_that_leads_to_another_file_is_not_written_to(tmp_path, open_store, how):
    """An archive with a link would else have a shell's start file get what a stranger lets the next snapshot hold."""
    store = open_store()
    row, _ = keep(store, {"a": b"small"})
    (pack,) = packs_of(store)
    store.close()
    outside = tmp_path / "outside" / ".bashrc"
    outside.parent.mkdir()
    outside.write_bytes(pack.read_bytes())
    pack.unlink()
    getattr(pack, how)(outside)
    before = outside.read_bytes()
    again = open_store()
    more, _ = keep(again, {"b": b"rm -rf everything"})
    assert read(again, more.name) == {"b": b"rm -rf everything"}
    assert outside.read_bytes() == before
    if how == "symlink_to":
        with pytest.raises(StoreDamaged):
            read(again, row.name)
        assert not again.verify().whole
    else:
        assert read(again, row.name) == {"a": b"small"}


def test_a_pipe_for_a_pack_is_not_waited_for(open_store):
    store = open_store()
    row, _ = keep(store, {"a": b"small"})
    (pack,) = packs_of(store)
    store.close()
    pack.unlink()
    os.mkfifo(pack)
    again = open_store()
    with pytest.raises(StoreDamaged):
        read(again, row.name)


def test_a_row_nested_without_end_is_told_in_a_line(open_store):
    store = open_store()
    row, _ = keep(store, {"a": b"small"})
    store.database.write("UPDATE snapshot SET document = ?", ["[" * 100_000 + "]" * 100_000])
    with pytest.raises(StoreDamaged, match="can't be read"):
        store.snapshots.row(row.name)


def test_verify_tells_rows_that_lead_nowhere(store):
    row, _ = keep(store, {"a": NOISE})
    child, number = keep(store, {"a": NOISE, "b": TEXT}, row)
    assert store.verify().whole
    assert store.verify().chunks == 2
    store.database.write("DELETE FROM snapshot WHERE name = ?", [row.name])
    store.database.write("DELETE FROM chunk WHERE digest = ?", [digest_of(TEXT)])
    assert store.verify().damage == (
        f"Snapshot {child.name} names 1 chunks that are nowhere.",
        f"Snapshot {child.name} differs from {row.name}, which is not there.",
        f"Checkpoint #{number - 1} names snapshot {row.name}, which is not there.",
    )
    with pytest.raises(StoreDamaged, match=f"needs {row.name}, which is not there"):
        store.snapshots.chain(child.name)


def test_a_chain_that_leads_back_to_itself_is_damage(store):
    row, _ = keep(store, {"a": NOISE})
    child, _ = keep(store, {"a": TEXT}, row)
    store.database.write("UPDATE snapshot SET parent = ? WHERE name = ?", [child.name, row.name])
    with pytest.raises(StoreDamaged, match="differs from itself"):
        store.snapshots.chain(child.name)


def test_names_count_up_and_are_never_given_twice(open_store):
    store = open_store()
    assert [store.snapshots.next_name("variables") for _ in range(3)] == ["v1", "v2", "v3"]
    assert keep(store, {"a": b"1"})[0].name == "v4"
    assert keep(store, {"a": b"1"}, kind="files")[0].name == "f1"
    store.close()
    again = open_store()
    assert (again.snapshots.next_name("variables"), again.snapshots.next_name("files")) == ("v5", "f2")


def test_a_row_comes_back_as_it_was_committed(store):
    row, _ = keep(store, {"a": NOISE, "ü": b"\0"})
    child, _ = keep(store, {"a": NOISE[::-1]}, row)
    assert store.snapshots.row(row.name) == row
    assert store.snapshots.chain(child.name) == [row, child]
    with pytest.raises(StoreDamaged, match="v99 is not in"):
        store.snapshots.row("v99")


def test_a_snapshot_without_its_chunks_or_its_parent_is_refused_whole(store):
    before = store.journal.last_seq
    lacking = SnapshotRow("v1", "variables", {}, "", chunks=frozenset([digest_of(b"never put")]))
    orphan = SnapshotRow("v1", "variables", {}, "", parent="v0")
    for row, said in ((lacking, "1 of 1 chunks"), (orphan, "differs from v0, which is not kept")):
        with pytest.raises(StoreError, match=said):
            store.commit([(Place(), store.journal.checkpoint("person"))], snapshots=[row])
    assert store.journal.last_seq == before
    assert store.database.rows("SELECT 1 FROM snapshot") == []


def test_a_reader_may_not_put(open_store):
    open_store().close()
    reader = open_store(read_only=True)
    with pytest.raises(StoreReadOnly):
        reader.chunks.put(digest_of(b"a"), b"a")


def test_what_waits_is_bounded(store, monkeypatch):
    chunks = PackedChunks(store.database, waiting=3 << 20)
    most, real = [], behind.Behind._next

    def watched(self):
        most.append(self._bytes)
        return real(self)

    monkeypatch.setattr(behind.Behind, "_next", watched)
    for number in range(24):
        data = number.to_bytes(4, "big") + NOISE[4:]
        chunks.put(digest_of(data), data)
    chunks.sync()
    assert 0 < max(most) <= 3 << 20
    chunks.close()


class Failing:
    """Lets the system call of this name fail until it is mended."""

    def __init__(self, monkeypatch, name, error):
        self.broken, real = True, getattr(os, name)

        def call(*values):
            if self.broken:
                raise error
            return real(*values)

        monkeypatch.setattr(files.os, name, call)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="breaks Linux's way to sync")
def test_a_full_disk_is_told_and_nothing_is_believed_that_is_not_on_disk(store, monkeypatch, call):
    row, _ = keep(store, {"a": NOISE})
    disk = Failing(monkeypatch, call, OSError(28, "No space left on device"))
    lost = take(store, {"a": NOISE, "b": TEXT}, row)
    with pytest.raises(StoreFull, match="The disk is full"):
        store.chunks.sync()
    assert not store.chunks.has(digest_of(TEXT))
    disk.broken = False
    with pytest.raises(StoreError, match="1 of 1 chunks of snapshot"):
        store.commit([(Place(), store.journal.checkpoint("person"))], snapshots=[lost])
    again, _ = keep(store, {"a": NOISE, "b": TEXT}, row)
    assert read(store, again.name) == {"a": NOISE, "b": TEXT}
    assert store.verify().whole


def test_the_next_put_tells_what_happened_to_earlier_ones(store, monkeypatch):
    disk = Failing(monkeypatch, "write", OSError(30, "Read-only file system"))
    store.chunks.put(digest_of(NOISE), NOISE)
    while store.chunks.has(digest_of(NOISE)):  # until the thread has tried
        threading.Event().wait(0.001)
    with pytest.raises(StoreReadOnly):
        store.chunks.put(digest_of(TEXT), TEXT)
    disk.broken = False
    row, _ = keep(store, {"a": NOISE})
    assert read(store, row.name) == {"a": NOISE}


def test_a_commit_that_fails_leaves_what_is_known_as_it_is_on_disk(store, monkeypatch):
    row = take(store, {"a": NOISE})
    with monkeypatch.context() as patch:
        patch.setattr(store.journal, "append", lambda *_: (_ for _ in ()).throw(StoreFull("full", "")))
        with pytest.raises(StoreFull):
            store.commit([(Place(), store.journal.checkpoint("person"))], snapshots=[row])
    assert store.database.rows("SELECT 1 FROM chunk") == store.database.rows("SELECT 1 FROM snapshot") == []
    assert store.chunks.has(digest_of(NOISE))  # synced, and named by the next commit
    store.commit([(Place(), store.journal.checkpoint("person"))], snapshots=[row])
    assert len(store.database.rows("SELECT 1 FROM chunk")) == 1
    assert read(store, row.name) == {"a": NOISE}


@pytest.mark.skipif(os.name != "posix", reason="an open file can't be removed elsewhere")
def test_packs_that_are_removed_under_the_kernel_are_not_written_into_nowhere(store):
    keep(store, {"a": NOISE})
    shutil.rmtree(store.chunks.packs.folder)
    store.chunks.put(digest_of(TEXT), TEXT)
    with pytest.raises(StoreError):
        store.chunks.sync()
    row, _ = keep(store, {"a": NOISE, "b": TEXT})  # also the chunk of before, which is gone
    assert read(store, row.name) == {"a": NOISE, "b": TEXT}
    assert store.verify().whole


@pytest.mark.skipif(os.name != "posix", reason="an open file can't be removed elsewhere")
@pytest.mark.parametrize("synced", [False, True])
def test_a_snapshot_that_needs_packs_that_were_removed_is_not_acknowledged(store, synced):
    row, _ = keep(store, {"a": NOISE})
    if synced:
        store.chunks.put(digest_of(TEXT), TEXT)
        store.chunks.sync()
    shutil.rmtree(store.chunks.packs.folder)
    assert store.chunks.has(digest_of(NOISE))
    other = SnapshotRow("v9", "variables", {}, "", chunks=frozenset([digest_of(TEXT if synced else NOISE)]))
    with pytest.raises(StoreError, match="1 of 1 chunks of snapshot v9 are not on disk"):
        store.commit([(Place(), store.journal.checkpoint("person"))], snapshots=[other])
    assert not store.chunks.has(digest_of(NOISE))
    again, _ = keep(store, {"a": NOISE}, row)
    assert read(store, again.name) == {"a": NOISE}


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="watches Linux's way to sync")
def test_a_pack_and_its_folders_are_synced_before_a_row_names_it(path, store, monkeypatch):
    synced = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(
            files.os, name, lambda handle, real=real: (synced.append(os.fstat(handle).st_ino), real(handle))[1]
        )
    keep(store, {"a": NOISE})
    (pack,) = packs_of(store)
    way = (pack, pack.parent, pack.parent.parent, path.parent)
    assert [each.stat().st_ino for each in way] == synced[: len(way)]


def test_two_threads_that_commit_at_once_get_numbers_of_their_own(open_store):
    """Checkpoints after cells are committed behind the back of the thread that runs the agent."""
    store = open_store()
    errors, rows = [], []

    def work(letter):
        try:
            row = None
            for number in range(10):
                row, made = keep(store, {letter: letter.encode() + NOISE[number:][:2000]}, row)
                rows.append((row.name, made, letter, number))
        except BaseException as error:  # noqa: BLE001 - told to the test, whatever it is
            errors.append(error)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len({name for name, *_ in rows}) == 30
    assert sorted(made for _, made, *_ in rows) == list(range(1, 31))
    store.close()
    again = open_store()
    assert again.verify().whole
    made = [entry.event for entry in again.journal.entries(kinds=["checkpoint_made"])]
    assert [event.checkpoint for event in made] == list(range(1, 31))
    assert [event.parent for event in made] == list(range(30))
    for name, _, letter, number in rows:
        assert read(again, name) == {letter: letter.encode() + NOISE[number:][:2000]}


def test_opening_reads_nothing_of_packs(open_store, monkeypatch):
    store = open_store()
    keep(store, {"a": NOISE})
    store.close()
    monkeypatch.setattr(files.Packs, "sizes", lambda _: 1 / 0)
    open_store().close()


def test_a_rescued_store_reads_the_packs_where_they_are_and_takes_them_along(tmp_path, open_store):
    from statebook.store.rescue import rescue

    store = open_store()
    row, _ = keep(store, {"a": NOISE, "b": b""})
    child, _ = keep(store, {"a": NOISE}, row)
    elsewhere = tmp_path / "elsewhere" / "book.statebook.duckdb"
    elsewhere.parent.mkdir()
    rescue(store, elsewhere)
    found = open_store(elsewhere)
    (pack,) = found.chunks.missing()
    with pytest.raises(StoreDamaged, match=f"Pack {pack} is missing"):
        read(found, row.name)
    found.chunks.adopt(store.chunks.packs.folder)
    assert found.chunks.missing() == []
    assert [read(found, each.name) for each in (row, child)] == [{"a": NOISE, "b": b""}, {"a": NOISE}]
    assert found.verify().whole
