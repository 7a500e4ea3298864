"""A fold that is cut off is undone, one that was finished is left alone, and a new file is whole or not there."""

import hashlib
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from statebook.errors import SessionLocked, StoreDamaged, StoreError, StoreFull
from statebook.store.file import database
from statebook.store.file.guard import Copies, Guard, beside
from statebook.store.file.log import COMMIT
from statebook.store.file.pages import HEAD, PAGE, Head, sound

from .conftest import keep

pytestmark = pytest.mark.slow  # many files, opened again and again

posix = pytest.mark.skipif(sys.platform == "win32", reason="nobody may read what another holds")
TEXTS = [f"fact {n} " * 40 for n in range(30)]


def log_of(path):
    return path.with_name(f"{path.name}.wal")


@dataclass
class Fold:
    """The bytes around one fold: the file before and after, its log, and the copies that guard it."""

    path: Path
    before: bytes
    after: bytes
    log: bytes
    copies: bytes

    def found(self, data, copies=True, log=True):
        """Lay out what a crash left."""
        self.path.write_bytes(data)
        for name, kept, there in ((log_of(self.path), self.log, log), (beside(self.path), self.copies, copies)):
            name.unlink(missing_ok=True)
            if there:
                name.write_bytes(kept)

    @property
    def rewritten(self):
        """(place, bytes before, bytes after) of the blocks that were written over."""
        for place, data in Copies.unpacked(self.copies).blocks:
            if self.after[place : place + len(data)] != data:
                yield place, data, self.after[place : place + len(data)]

    def torn(self):
        """The file before its fold, with the first half of a block from after it."""
        place, _, new = next(self.rewritten)
        half = len(new) // 2
        return self.before[:place] + new[:half] + self.before[place + half :]


@pytest.fixture
def fold(path, open_store, monkeypatch):
    store = open_store()
    keep(store, *TEXTS[:20])
    store.fold()
    keep(store, *TEXTS[20:])
    before, log = path.read_bytes(), path.with_name("log")
    log.hardlink_to(log_of(path))  # what the fold writes to its log before it removes it
    with monkeypatch.context() as patch:
        patch.setattr(Guard, "lower", lambda _: None)
        store.fold()
        copies = beside(path).read_bytes()
    store.close()
    return Fold(path, before, path.read_bytes(), log.read_bytes(), copies)


def whole(store):
    return [memory.text for memory in store.as_of_head.memories()] == TEXTS and store.verify().whole


@posix
def test_a_torn_block_is_put_back_and_the_log_played_again(fold, open_store):
    fold.found(fold.torn(), copies=False)
    with pytest.raises(StoreDamaged):  # what the guard is for
        open_store()
    fold.found(fold.torn())
    assert whole(open_store())
    assert not beside(fold.path).exists()


@posix
def test_blocks_that_were_all_written_are_undone_too(fold, open_store):
    fold.found(fold.before[:HEAD] + fold.after[HEAD:])
    assert whole(open_store())


@posix
@pytest.mark.parametrize("cut", [8, 20, 40])
def test_a_torn_header_is_put_back(fold, open_store, cut):
    old, new = fold.before[:HEAD], fold.after[:HEAD]
    slot = PAGE if old[PAGE : 2 * PAGE] != new[PAGE : 2 * PAGE] else 2 * PAGE
    fold.found(old[:slot] + new[slot : slot + cut] + old[slot + cut :] + fold.after[HEAD:])
    assert whole(open_store())


@posix
@pytest.mark.parametrize("log", [True, False])
def test_a_finished_fold_is_left_as_it_is(fold, open_store, log):
    fold.found(fold.after, log=log)
    store = open_store()
    assert whole(store)
    store.close()
    assert fold.path.read_bytes() == fold.after
    assert not beside(fold.path).exists()


@posix
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_torn_copies_are_of_a_fold_that_never_began(fold, open_store, share):
    fold.found(fold.before)
    beside(fold.path).write_bytes(fold.copies[: int(len(fold.copies) * share)])
    assert whole(open_store())
    assert not beside(fold.path).exists()


@posix
@pytest.mark.parametrize("body", [b"", struct.pack("<Q", 0), struct.pack("<QQQ", 3, 0, 1 << 60)])
def test_copies_that_someone_else_made_up_are_ignored(fold, open_store, body):
    made_up = b"statebook fold 1" + body
    fold.found(fold.before)
    beside(fold.path).write_bytes(made_up + hashlib.sha256(made_up).digest())
    assert whole(open_store())


@posix
def test_an_older_file_in_the_place_of_the_copied_one_stays(path, open_store, monkeypatch):
    store = open_store()
    keep(store, *TEXTS[:5])
    store.close()
    older = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Guard, "lower", lambda _: None)
        for text in TEXTS[5:7]:
            store = open_store()
            keep(store, text)
            store.close()
    path.write_bytes(older)  # as from a backup; the copies are of the fold after the next
    open_store().close()
    assert path.read_bytes() == older
    assert not beside(path).exists()


@posix
def test_copies_of_an_older_state_or_another_file_are_not_put_back(fold, open_store, tmp_path):
    fold.found(fold.after, copies=False, log=False)
    store = open_store()
    for _ in range(3):
        keep(store, "later")
        store.fold()
    store.close()
    later = fold.path.read_bytes()
    beside(fold.path).write_bytes(fold.copies)
    open_store().close()
    assert fold.path.read_bytes() == later

    other = tmp_path / "other.statebook.duckdb"
    open_store(other).close()
    data = other.read_bytes()
    beside(other).write_bytes(fold.copies)
    open_store(other).close()
    assert other.read_bytes() == data


@posix
def test_a_reader_says_who_can_mend_it_and_writes_nothing(fold, open_store):
    fold.found(fold.torn())
    with pytest.raises(StoreError, match="cut off") as told:
        open_store(read_only=True)
    assert "Open it once" in told.value.hint
    assert fold.path.read_bytes() == fold.torn()
    assert beside(fold.path).exists()


HOLD = """
import pathlib, sys
from statebook.store.store import Store
store = Store(pathlib.Path(sys.argv[1]))
store.fold()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path):
    """Another process that has the file open, and has folded it."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.stdin.close()
            holder.wait(20)


@posix
def test_nothing_is_put_back_under_another_process(fold, open_store):
    fold.found(fold.before, copies=False)
    with held(fold.path):
        beside(fold.path).write_bytes(fold.copies)
        data = fold.path.read_bytes()
        with pytest.raises(SessionLocked):
            open_store(patience=0.0)
        assert fold.path.read_bytes() == data
        assert beside(fold.path).exists()
    assert whole(open_store())


@posix
def test_a_fold_keeps_the_lock(path, open_store, python):
    store = open_store()
    keep(store, *TEXTS)
    store.fold()
    tried = python(
        HOLD.replace("Store(pathlib.Path(sys.argv[1]))", "Store(pathlib.Path(sys.argv[1]), patience=0.0)"), path
    )
    assert "SessionLocked" in tried.stderr


def test_a_fold_leaves_one_file(path, open_store):
    store = open_store()
    keep(store, *TEXTS)
    store.fold()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_closing_leaves_one_whole_file(path, open_store):
    store = open_store()
    keep(store, *TEXTS)
    store.close()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert whole(open_store())


@posix
def test_a_long_log_is_folded_by_itself_and_under_the_guard(path, open_store, monkeypatch):
    raised = []
    guard = Guard.raise_over
    monkeypatch.setattr(Guard, "raise_over", lambda self, blocks: raised.append(guard(self, blocks)))
    monkeypatch.setattr(database, "LONGEST_LOG", 20_000)
    store = open_store()
    sizes = []
    for text in TEXTS:
        keep(store, text * 10)
        sizes.append(log_of(path).stat().st_size if log_of(path).exists() else 0)
    assert max(sizes) <= 20_000
    assert len(raised) >= 3
    assert store.verify().whole


@posix
def test_copies_that_can_not_be_written_leave_the_log(path, open_store, monkeypatch):
    store = open_store()
    keep(store, *TEXTS)

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("statebook.store.file.guard.sync", full)
    with pytest.raises(StoreFull):
        store.database.fold()
    assert not beside(path).exists()
    assert log_of(path).stat().st_size > 0
    monkeypatch.undo()
    keep(store, "and on")
    store.fold()
    assert not log_of(path).exists()


def test_a_head_of_another_form_is_not_guarded_but_folded(open_store, monkeypatch):
    monkeypatch.setattr("statebook.store.file.pages._SEED", 1)  # as if DuckDB summed up in another way
    store = open_store()
    keep(store, *TEXTS)
    store.fold()
    store.close()
    assert whole(open_store())


def test_the_live_header_is_the_one_with_more_folds(path, open_store):
    store = open_store()
    lives = []
    for text in TEXTS[:4]:
        keep(store, text)
        store.close()
        with path.open("rb") as file:
            head = Head.of(file)
        assert head.sound
        lives.append(head.live)
        store = open_store()
    assert lives in ([0, 1, 0, 1], [1, 0, 1, 0])


@pytest.mark.parametrize("left", [0, 12, PAGE, 2 * PAGE + 100, HEAD])
def test_a_file_whose_making_was_cut_off_is_made_again(path, open_store, left):
    whole_file = path.with_name("whole.statebook.duckdb")
    open_store(whole_file).close()
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(whole_file.read_bytes()[:left])
    keep(open_store(), "fact")
    assert not new.exists()


def test_a_second_name_that_was_left_over_goes(path, open_store):
    open_store().close()
    new = path.with_name(f"{path.name}.new")
    shutil.copy2(path, new)
    store = open_store()
    keep(store, "fact")
    assert not new.exists()


def test_a_page_matches_its_checksum_as_duckdb_computes_it(path, open_store):
    open_store().close()
    page = bytearray(path.read_bytes()[PAGE : 2 * PAGE])
    assert sound(bytes(page))
    page[4000] ^= 1
    assert not sound(bytes(page))
    assert not sound(struct.pack("<Q", 0) + b"x" * 8)


# -- the end of the log --------------------------------------------------------------------------------------------


@pytest.fixture
def logged(path, open_store):
    """A log of several commits, the last of 30 KB: (its bytes, where the last commit begins, the texts before it)."""
    store = open_store()
    keep(store, *TEXTS[:3])
    first = log_of(path).stat().st_size
    keep(store, "".join(chr(33 + n * 7 % 90) for n in range(30_000)))
    log = log_of(path).read_bytes()
    data = path.read_bytes()
    store.database.connection.close()  # without a fold, as a death
    path.write_bytes(data)
    return log, first, TEXTS[:3]


def with_zeros(log, first, last):
    return log[:first] + bytes(min(last, len(log)) - first) + log[last:]


@pytest.mark.parametrize("page", range(1, 7))
def test_a_page_of_the_last_commit_that_never_arrived_costs_that_commit_only(path, open_store, logged, page):
    log, first, texts = logged
    start = (first // PAGE + page) * PAGE
    log_of(path).write_bytes(with_zeros(log, start, start + PAGE))
    store = open_store()
    assert [memory.text for memory in store.as_of_head.memories()] == texts
    keep(store, "and on")
    store.close()
    assert open_store().verify().whole


@pytest.mark.parametrize("zeros", [20, 4096, 20_000])
def test_a_length_that_was_written_before_its_bytes_costs_nothing_acknowledged(path, open_store, logged, zeros):
    log, first, texts = logged
    log_of(path).write_bytes(log[:first] + bytes(zeros))
    assert [memory.text for memory in open_store().as_of_head.memories()] == texts


def test_a_reader_of_a_torn_log_says_who_can_mend_it(path, open_store, logged):
    log, first, _ = logged
    start = (first // PAGE + 2) * PAGE
    found = with_zeros(log, start, start + PAGE)
    log_of(path).write_bytes(found)
    with pytest.raises(StoreError, match="cut off"):
        open_store(read_only=True)
    assert log_of(path).read_bytes() == found


def test_damage_before_the_last_commit_is_damage_and_stays(path, open_store, logged):
    log, first, _ = logged
    assert log.count(COMMIT) >= 4
    start = log.rfind(COMMIT, 0, first - len(COMMIT)) + len(COMMIT) + 40
    damaged = with_zeros(log, start, start + 200)
    log_of(path).write_bytes(damaged)
    with pytest.raises(StoreDamaged):
        open_store()
    assert log_of(path).read_bytes() == damaged


def test_other_bytes_in_the_last_commit_are_damage_and_stay(path, open_store, logged):
    log, first, _ = logged
    damaged = log[: first + 9000] + b"\xff" * 50 + log[first + 9050 :]
    log_of(path).write_bytes(damaged)
    with pytest.raises(StoreDamaged):
        open_store()
    assert log_of(path).read_bytes() == damaged
