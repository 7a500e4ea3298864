"""Real stores in a temporary folder, and other processes that hold, damage or fill them."""

import subprocess
import sys

import pytest
from statebook.store.journal import Place
from statebook.store.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "book.statebook.duckdb"


@pytest.fixture
def open_store(path):
    """Opens the store, again and again if asked to; all are closed at the end."""
    opened = []

    def make(where=path, **options):
        store = Store(where, **options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def python():
    """Runs code in another process, bounded; gives the finished process."""

    def run(code, *arguments, **options):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            check=False, capture_output=True, text=True, timeout=60, **options,
        )  # fmt: skip

    return run


def keep(store, *texts, run=0):
    """Commit a memory per text, each in a commit of its own; their numbers."""
    from statebook.protocol.journal.events import MemoryKept

    numbers = []
    for text in texts:
        number = store.journal.next_memory()
        store.commit([(Place(run), MemoryKept(number, text, "person"))])
        numbers.append(number)
    return numbers


def tampered(path, *statements):
    """Change a closed store with plain DuckDB."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
