"""What one snapshot looks at, costs and promises, and what happens when something fails in the middle."""

import importlib.metadata
import itertools
import json
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from living import Notebook, notebook, reported
from packed import PackedChunks
from statebook.errors import StoreDamaged, UsageError
from statebook.state.interrupt import undisturbed
from statebook.state.snapshots import Manifest, SnapshotBudget, Snapshots
from statebook.state.snapshots.seams import digest_of

PANDAS_3 = pytest.mark.skipif(
    importlib.metadata.version("pandas") < "3", reason="before, frames could change each other's memory"
)


@pytest.fixture
def chunks(tmp_path):
    return PackedChunks(tmp_path / "chunks")


@pytest.fixture
def book(chunks):
    with notebook() as namespace:
        yield Notebook(namespace, chunks)


def test_a_snapshot_where_nothing_changed_stores_nothing(book, chunks):
    first = book.cell("import numpy as np\na = np.ones(50_000); l = [1]; d = {'a': a}; t = 'x'")
    before = chunks.bytes_put
    assert book.snapshots.capture().manifest.groups == first.groups
    assert chunks.bytes_put == before


def test_only_new_megabytes_are_stored(book, chunks):
    book.cell(
        "import numpy as np, pandas as pd\na = np.zeros(1_000_000)\ndf = pd.DataFrame(np.random.rand(300_000, 4))"
    )
    before = chunks.bytes_put
    book.cell("a[500_000] = 1")
    assert chunks.bytes_put - before < 1.1 * (1 << 20)
    before = chunks.bytes_put
    book.cell("df[2] = df[2] + 1")
    assert chunks.bytes_put - before < 1.05 * 300_000 * 8


def test_frames_that_share_columns_are_stored_once(book, chunks):
    book.cell(
        "import numpy as np, pandas as pd\ndf = pd.DataFrame({f'c{i}': np.random.rand(100_000) for i in range(4)})"
    )
    before = chunks.bytes_put
    book.cell("a = df[['c0', 'c1']]; b = df.assign(n=1.0); s = df['c2']; c = b.drop(columns='c0')")
    assert chunks.bytes_put - before < 1.05 * 100_000 * 8


def test_a_local_edit_of_many_small_objects_is_stored_locally(book, chunks):
    book.cell("rows = [{'id': i, 'name': f'n{i}', 'score': i / 7} for i in range(40_000)]")
    whole = chunks.bytes_put
    book.cell("rows[20_000]['score'] = -1.5; rows.append({'id': 'new'})")
    assert chunks.bytes_put - whole < whole / 4


@PANDAS_3
def test_unrelated_variables_are_not_grouped_by_what_all_share(book):
    manifest = book.cell(
        "import numpy as np, pandas as pd, datetime\nword = 'shared text'\nday = datetime.date(2024, 1, 1)\n"
        "a = {'shared text': [word, day, np.dtype('f8'), int, len]}\n"
        "b = {'shared text': [word, day, np.dtype('f8'), int, len]}\n"
        "x = np.zeros(9000); y = np.zeros(9000); p = pd.DataFrame({'c': [1.0]}); q = p[['c']]"
    )
    assert all(len(group.names) == 1 for group in manifest.groups.values()), manifest.groups.keys()


def test_frames_with_texts_are_not_grouped_by_how_texts_are_pickled(book):
    found = book.cell(
        "import pandas as pd\na = pd.DataFrame({'t': ['x', 'y']})\nb = a[a.t > 'x'].reset_index(drop=True)"
    )
    assert {group.names for group in found.groups.values()} == {("a",), ("b",)}


def test_only_what_a_cell_may_touch_is_looked_at(book):
    book.cell("a = [1]; b = [2]\ndef f(): b.append(3)\nclass C:\n    def m(self): return a\nc = C()")
    assert {"f", "b"} <= book.snapshots.touched("f()")
    assert "a" not in book.snapshots.touched("f()")
    assert "a" in book.snapshots.touched("c.m()")
    assert book.snapshots.touched("globals()['a'] = 1") is None
    assert book.snapshots.touched("get_ipython().run_line_magic('x', '')") is None
    assert book.snapshots.touched("await x") == {"x"}
    assert book.snapshots.touched("this is no Python") is None


def test_what_restored_code_may_change_is_looked_at(book):
    target = book.cell("log = []\nclass C:\n    def m(self): log.append(1)\nc = C()")
    book.cell("c = C = None; log.append(0)")
    book.snapshots.restore(target)
    after = book.cell("c.m()")
    book.cell("log.clear()")
    book.snapshots.restore(after)
    assert book.namespace["log"] == [1]


def test_what_code_that_can_not_be_captured_may_change_is_looked_at(book):
    book.cell("log = []; d = {'g': (log.append(i) for i in range(3))}; g = (log.append(i) for i in range(3))")
    for source in ("next(g)", "next(d['g'])"):
        before = book.snapshots.last
        assert book.cell(source).groups["log"] != before.groups["log"]


def test_a_change_outside_what_was_said_is_found_by_a_sweep(book):
    book.cell("a = [1]; b = [2]")
    book.namespace["a"].append(5)
    kept = book.cell("b.append(3)").groups["a"]
    assert book.snapshots.capture().manifest.groups["a"] is not kept


def test_ipythons_own_names_do_not_count(chunks):
    namespace = {"_": 1, "__": 2, "_i": "x", "_i3": "y", "_7": 5, "_oh": {}, "In": [], "Out": {}, "_exit_code": 0}
    namespace |= {
        "__name__": "__main__",
        "open": open,
        "exit": exit,
        "get_ipython": print,
        "mine": 1,
        "_mine": 2,
        "_x1": 3,
    }
    snapshots = Snapshots(namespace, chunks, hidden={"tool"})
    namespace["tool"] = 1
    assert snapshots.capture().manifest.names() == {"mine", "_mine", "_x1"}


def test_what_can_not_be_captured_names_its_cell(book):
    book.cell("k = 1")
    target = book.cell("g = (i for i in range(3))")
    book.cell("g = None")
    (lost,) = [each for each in book.snapshots.restore(target).outcomes if each.fate == "lost"]
    assert (lost.name, lost.cell) == ("g", "[2]")


def test_a_manifest_is_plain_json_and_deltas_add_up(book):
    manifests = [
        book.cell(source)
        for source in (
            "a = [1]; b = a; k = 1",
            "c = {'x': 1}",
            "del b; a.append(2); import math as m",
            "g = (i for i in ())",
        )
    ]
    documents = [manifests[0].document()]
    documents += [now.document(before) for before, now in itertools.pairwise(manifests)]
    read = json.loads(json.dumps(documents))
    for count, manifest in enumerate(manifests, 1):
        assert Manifest.of(read[:count]) == manifest
    assert [group["names"] for group in read[1]["put"]] == [["c"]]
    assert read[2]["drop"] == [] or read[2]["drop"] == ["a"]
    assert manifests[2].digests() >= {digest for group in manifests[2].groups.values() for digest, _ in group.stream}


@pytest.mark.parametrize(
    "break_it", [{"version": 99}, {"put": [{}]}, {"delta": True}, {"put": [{"names": []}]}, {"drop": ["no"]}]
)
def test_a_broken_manifest_is_damage(book, break_it):
    document = json.loads(json.dumps(book.cell("a = 1").document())) | break_it
    with pytest.raises(StoreDamaged):
        Manifest.of([document])


def test_above_the_size_limit_a_variable_is_named(book):
    book.cell("import numpy as np\nsmall = [1]")
    book.namespace["big"] = __import__("numpy").random.rand(100_000)
    capture = book.snapshots.capture(budget=SnapshotBudget(size=100_000))
    assert "of 0.1 MB for one snapshot" in capture.manifest.missing["big"].why
    assert capture.new_bytes < 100_000
    assert "small" in capture.manifest.groups


def test_above_the_time_limit_variables_are_deferred_and_come_next(book):
    book.cell("\n".join(f"v{i} = list(range({i}, 20000))" for i in range(30)))
    for index in range(30):
        book.namespace[f"v{index}"].append("x")
    capture = book.snapshots.capture(budget=SnapshotBudget(seconds=0.0))
    assert set(capture.deferred) == {f"v{i}" for i in range(30)}
    assert all("deferred" in each.why for each in capture.manifest.missing.values())
    after = book.snapshots.capture(frozenset())
    assert not after.deferred
    assert not after.manifest.missing
    assert set(after.changed) == {f"v{i}" for i in range(30)}


def test_a_chunk_that_is_gone_loses_its_variable_only(book, chunks):
    target = book.cell("import numpy as np\na = np.random.rand(5000); k = [1]")
    book.cell("a = None; k = None")
    chunks._places.pop(target.groups["a"].buffers[0][0][0])
    assert list(reported(book.snapshots.restore(target).outcomes)) == ["a"]
    assert book.namespace["k"] == [1]


def test_a_stream_that_is_not_the_signed_one_is_not_unpickled(book):
    target = book.cell("a = ['x']")
    evil = book.cell("a = ['y']").groups["a"]
    changed = Manifest(
        {
            "a": type(evil)(
                **{name: getattr(target.groups["a"], name) for name in evil.__slots__} | {"stream": evil.stream}
            )
        }
    )
    book.cell("a = 0")
    found = reported(book.snapshots.restore(changed).outcomes)
    assert "not those that were signed" in found["a"]


def test_a_failing_store_leaves_the_snapshot_before_whole(book, chunks, monkeypatch):
    target = book.cell("a = [1]; b = [2]")

    def full(_digest, _data):
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "put", full)
        with pytest.raises(OSError, match="no space"):
            book.cell("a.append(2); b.append(3)")
        assert book.snapshots.last is target
    after = book.snapshots.capture(frozenset()).manifest
    assert after.groups["a"] != target.groups["a"]
    book.snapshots.restore(target)
    assert (book.namespace["a"], book.namespace["b"]) == ([1], [2])


def test_a_preview_changes_nothing_and_expires(book):
    target = book.cell("a = [1]; k = [5]")
    book.cell("a.append(2)")
    prepared = book.snapshots.prepare(target)
    assert book.namespace["a"] == [1, 2]
    assert {each.name: each.fate for each in prepared.outcomes} == {"a": "restored", "k": "kept"}
    book.namespace["k"] = [6]
    with pytest.raises(UsageError, match="changed"):
        book.snapshots.apply(prepared)
    assert book.namespace["a"] == [1, 2]


def test_code_of_another_python_is_foretold_to_be_lost(book, monkeypatch):
    block = "def f(): return g()\ng = lambda: 1\nnumbers = [1]\nclass Empty: pass\nword = 'CodeWords.code '"
    with monkeypatch.context() as older:
        older.setattr(sys, "hexversion", 0x030800F0)
        older.setattr("statebook.state.snapshots.variables.python_version", lambda: "3.8")
        target = book.cell(block)
    book.cell("f = g = numbers = Empty = word = 0")
    foreseen = book.snapshots.foresee(target)
    fates = {each.name: each.fate for each in foreseen}
    assert fates == {"f": "lost", "g": "lost", "numbers": "restored", "Empty": "restored", "word": "restored"}
    assert {each.why for each in foreseen if each.fate == "lost"} == {"its code is bytecode of Python 3.8"}
    assert sorted(book.snapshots.prepare(target).outcomes, key=lambda each: each.name) == list(foreseen)


def test_a_restore_can_be_undone(book):
    target = book.cell("a = [1]; late = 0; del late")
    book.cell("a.append(2); late = {'x': a}")
    prepared = book.snapshots.prepare(target)
    book.snapshots.apply(prepared)
    assert "late" not in book.namespace
    book.snapshots.restore(prepared.present.manifest)
    assert book.namespace["late"]["x"] is book.namespace["a"]
    assert book.namespace["a"] == [1, 2]


def test_a_surrounding_that_can_not_be_restored_is_named_and_the_others_are(book, chunks, monkeypatch, tmp_path):
    target = book.cell("import random\nrandom.seed(1)\na = [1]")
    size = target.surroundings["random"][1]
    data = bytearray(size)
    chunks.get_into(target.surroundings["random"][0], memoryview(data))
    bad = json.dumps(json.loads(data) | {"random": [9, [1], None]}).encode()
    chunks.put(digest_of(bad), bad)
    environment = {"BAD": "nul\0", "SET_THEN": "1"}
    around = target.surroundings | {"random": [digest_of(bad), len(bad)], "environment": environment}
    monkeypatch.setenv("SET_THEN", "0")
    monkeypatch.chdir(tmp_path)
    book.cell("a.append(2)")
    restored = book.snapshots.restore(replace(target, surroundings=around))
    assert [each.partition(":")[0] for each in restored.failed] == [
        "BAD of the environment",
        "the random state of random",
    ]
    assert "state with version 9" in restored.failed[1]
    assert (book.namespace["a"], os.environ["SET_THEN"], str(Path.cwd())) == ([1], "1", target.surroundings["folder"])
    assert book.snapshots.capture().manifest.groups == target.groups


def test_untouched_variables_stay_the_very_objects(book):
    target = book.cell("a = [1]; other = {'x': [1]}; import numpy as np; arr = np.zeros(9000)")
    other, arr, namespace = book.namespace["other"], book.namespace["arr"], book.namespace
    book.cell("a.append(2)")
    book.snapshots.restore(target)
    assert book.namespace["other"] is other
    assert book.namespace["arr"] is arr
    assert book.snapshots._namespace is namespace


def test_what_came_back_is_not_taken_for_changed(book):
    """Its strings come back as fewer objects than they were, so that it is pickled otherwise."""
    frame = "pd.read_csv(io.StringIO('unit,size\\nMB,2\\nms,3\\nMB,4')).query(\"unit == 'MB'\")[['size', 'unit']]"
    target = book.cell(f"import io\nimport pandas as pd\ndf = {frame}")
    book.cell("df = 3")
    book.snapshots.restore(target)
    assert book.snapshots.capture().manifest.groups == target.groups
    again = book.cell("df")
    assert again.groups == target.groups
    assert book.cell("df['size'] += 1").groups != target.groups


def test_the_stop_button_waits_for_a_swap():
    done = []

    def swap():
        with undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("whole")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        swap()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_thread_changes_meanwhile_is_never_torn(book):
    book.cell("import numpy as np\npair = {'a': [0] * 3000, 'b': [0] * 3000}; arr = np.zeros(600_000); calm = [1]")
    going = threading.Event()

    def change():
        pair, arr, turn = book.namespace["pair"], book.namespace["arr"], 0
        while not going.is_set():
            turn += 1
            pair["a"][:] = [turn] * 3000
            arr[:] = turn
            pair["b"][:] = [turn] * 3000

    thread = threading.Thread(target=change, name="user's")
    thread.start()
    try:
        manifests = [book.snapshots.capture(frozenset()).manifest for _ in range(5)]
    finally:
        going.set()
        thread.join()
    for manifest in manifests:
        book.snapshots.restore(manifest)
        assert "calm" in manifest.groups
        if "pair" in manifest.groups:
            values = set(book.namespace["pair"]["a"]) | set(book.namespace["pair"]["b"])
            assert len(values) <= 2
        else:
            assert "changes while it is captured" in manifest.missing["pair"].why
        if "arr" in manifest.groups:
            assert len(set(book.namespace["arr"].tolist())) <= 2
        else:
            assert "changes while it is captured" in manifest.missing["arr"].why


def test_kernel_threads_do_not_make_snapshots_careful(book):
    wait = threading.Event()
    thread = threading.Thread(target=wait.wait, name="IPythonHistorySavingThread")
    thread.start()
    try:
        book.cell("a = [1]; b = [1]")
        kept = book.cell("a.append(1)").groups["b"]
        assert book.snapshots.last.groups["b"] is kept
    finally:
        wait.set()
        thread.join()


def test_a_thread_of_the_users_makes_every_variable_looked_at(book):
    book.cell("a = [1]; b = [1]")
    wait = threading.Event()
    thread = threading.Thread(target=wait.wait, name="worker")
    thread.start()
    try:
        before = book.snapshots.last.groups["b"]
        book.namespace["b"].append(2)
        assert book.cell("a.append(1)").groups["b"] is not before
    finally:
        wait.set()
        thread.join()
