"""Who may bring code: signatures, the key, and what a store from elsewhere is allowed to restore."""

import collections
import hashlib
import importlib.metadata
import json
import os
import pathlib
import pickle
import stat
import sys

import pytest
from living import Notebook, notebook, reported
from packed import PackedChunks
from statebook.errors import StoreDamaged, StoreReadOnly
from statebook.state.snapshots import Manifest, Snapshots
from statebook.state.snapshots.manifest import Group
from statebook.state.snapshots.seams import digest_of
from statebook.state.snapshots.trust import key_of_user, sign

PLAIN = """
import collections, datetime, decimal, pathlib, uuid
import numpy as np
import pandas as pd
i = 5; t = 'text'; l = [1, [2.5, None]]; l2 = l; s = {1, 2}; b = bytearray(b'x'); c = 1j
d = {'a': (1, 2), 'o': collections.OrderedDict(a=1), 'q': collections.deque([1]), 'n': collections.Counter('aab')}
day = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc); m = decimal.Decimal('1.5'); u = uuid.UUID(int=1)
where = pathlib.PurePosixPath('a/b')
arr = np.arange(10_000.); view = arr[5:10]; small = np.arange(3); text = np.array(['a', 'b'])
days = np.arange('2024', '2026', dtype='M8[D]')
objects = np.array([1, 'x', None], dtype=object); masked = np.ma.array([1, 2], mask=[True, False])
df = pd.DataFrame({'x': np.arange(5000), 's': ['a', None] * 2500})
df.index = pd.Index(range(5000), name='i'); series = df['x']
"""


@pytest.fixture
def chunks(tmp_path):
    return PackedChunks(tmp_path / "chunks")


@pytest.mark.skipif(importlib.metadata.version("pandas") < "3", reason="its frames pickle through classes of its own")
def test_plain_data_of_a_foreign_store_comes_back(chunks):
    with notebook() as namespace:
        manifest = Notebook(namespace, chunks).cell(PLAIN)
    with notebook() as namespace:
        found = reported(Snapshots(namespace, chunks).restore(manifest, plain=True).outcomes)
        assert found == {}
        exec(
            "assert l is l2 and d['n']['a'] == 2 and view.base is arr and view[0] == 5 and day.year == 2024\n"
            "assert df['x'][7] == 7 and df.index.name == 'i' and df['s'].isna().sum() == 2500\n"
            "assert objects[1] == 'x' and masked.mask[0]",
            namespace,
        )


@pytest.mark.parametrize(
    "source",
    [
        "def v(): return 1",
        "class v: pass",
        "import functools, operator\nv = functools.partial(operator.add, 1)",
        "v = [lambda: 1]",
        "v = [print]",
        "import re\nv = re.compile('a')",
        "class E(Exception): pass\nv = E()",
        "import collections\nv = collections.namedtuple('P', 'x')(1)",
        "import sqlite3\nv = sqlite3.connect(':memory:')",
        "import numpy as np\nv = np.random.default_rng(1)",
        "import json\nv = [json]",
    ],
)
def test_code_of_a_foreign_store_does_not(chunks, source):
    with notebook() as namespace:
        manifest = Notebook(namespace, chunks).cell(f"{source}\nk = [1]")
    with notebook() as namespace:
        found = reported(Snapshots(namespace, chunks).restore(manifest, plain=True).outcomes)
        assert "plain data only" in found["v"]
        assert "v" not in namespace
        assert namespace["k"] == [1]


class Evil:
    def __init__(self, call, *arguments):
        self.call = (call, arguments)

    def __reduce__(self):
        return self.call


def _manifest(chunks, value, **more):
    stream = pickle.dumps({"v": value}, 5)
    chunks.put(digest_of(stream), stream)
    group = Group(("v",), ((digest_of(stream), len(stream)),), hashlib.sha256(stream).hexdigest(), "", **more)
    return Manifest({"v": group})


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "builtins.getattr", "subprocess.Popen", "importlib.import_module"]
)
def test_a_hostile_stream_runs_nothing(chunks, name, monkeypatch):
    called = []
    module, _, attribute = name.rpartition(".")
    stream = b"\x80\x05}\x8c\x01vc" + f"{module}\n{attribute}\n".encode() + b"\x8c\x04echo\x85Rs."
    monkeypatch.setattr(sys.modules.get("os"), "system", called.append)
    chunks.put(digest_of(stream), stream)
    group = Group(("v",), ((digest_of(stream), len(stream)),), hashlib.sha256(stream).hexdigest(), "")
    namespace: dict = {}
    found = reported(Snapshots(namespace, chunks).restore(Manifest({"v": group}), plain=True).outcomes)
    assert "plain data only" in found["v"]
    assert called == []
    assert "v" not in namespace


def test_hostile_shapes_and_views_reach_no_other_memory(chunks):
    from statebook.state.snapshots.pickling.words.loading import Loading

    calls = [
        (Loading.small, (b"12345678", (1000,), (0,), "<f8", True)),
        (Loading.small, (b"12345678", (1,), (0,), "|O", True)),
        (Loading.exported, (bytearray(8), 4, (2,), (8,), "<f8", True)),
        (Loading.exported, (bytearray(8), 0, (1,), (8,), "|O", True)),
        (Loading.object_view, (Evil(Loading.objects, (2,), (0,)), (0,), 0, (100,), (8,), True)),
        (Loading.object_view, (Evil(Loading.objects, (2,), (0,)), (0,), 8, (3,), (-8,), True)),
        (Loading.object_view, (Evil(Loading.objects, (4,), (0,)), (0,), 0, (8,), (1,), True)),
        (Loading.object_view, (Evil(Loading.objects, (4,), (0,)), (0,), 4, (2,), (8,), True)),
        (Loading.objects, ((1 << 33,), (0,))),
        (Loading.empty, ((5,), "<f8", False, True)),
    ]
    for function, arguments in calls:
        namespace: dict = {}
        target = _manifest(chunks, Evil(function, *arguments))
        found = reported(Snapshots(namespace, chunks).restore(target, plain=True).outcomes)
        assert found["v"].startswith("lost"), (function, found)


def _group(chunks, stream, names=("v",), **more):
    if not chunks.has(digest_of(stream)):
        chunks.put(digest_of(stream), stream)
    proof = hashlib.sha256(stream).hexdigest()
    return Group(names, ((digest_of(stream), len(stream)),), proof, more.pop("fingerprint", ""), **more)


def _brought(chunks, stream, **more):
    """What a snapshot from elsewhere brings of this stream, and the name that it has."""
    namespace: dict = {}
    manifest = Manifest({"v": _group(chunks, stream, **more)})
    return reported(Snapshots(namespace, chunks).restore(manifest, plain=True).outcomes).get("v", ""), namespace


def test_what_a_foreign_store_calls_equal_to_a_live_variable_is_not_signed_as_ours(chunks, tmp_path):
    """It is kept, and so never loaded: its stream must not get into the next snapshot, which this user's key signs."""
    evil = pickle.dumps({"v": Evil(pathlib.Path.touch, tmp_path / "ran")}, 5)
    with notebook() as namespace:
        book = Notebook(namespace, chunks)
        own = book.cell("v = 5\nw = [1]")
        foreign = Manifest({name: _group(chunks, evil, fingerprint=own.groups[name].fingerprint) for name in "v"})
        assert [each.fate for each in book.snapshots.restore(foreign, plain=True).outcomes] == ["kept", "removed"]
        later = book.snapshots.capture().manifest
    with notebook() as namespace:
        Snapshots(namespace, chunks).restore(later)
        assert namespace["v"] == 5
    assert not (tmp_path / "ran").exists()


CLASS_CHANGED = b"\x80\x05}\x8c\x01v" + b"ccollections\nCounter\nN}\x8c\x05hello\x8c\x05worlds\x86bs."


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (CLASS_CHANGED, "a change of a type"),
        (b"\x80\x05}\x8c\x01vcbuiltins\nlist\ncbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R\x85Rs.", "builtins.range"),
        (b"\x80\x05}\x8c\x01vcfractions\nFraction\n\x8c\x0b1e999999999\x85Rs.", "fractions.Fraction"),
        (b"\x80\x05}\x8c\x01vcbuiltins\nstr\n]\x85Rs.", "a text of something else"),
        (b"\x80\x05}\x8c\x01v\x82\x01s.", "do not have"),
        (b"\x80\x05}\x8c\x01v\x96\x00\x00\x00\x00\x00\x01\x00\x00xs.", "end early"),
        (b"\x80\x05}\x8c\x01v(cuuid\nUUID\nos.", "do not have"),
    ],
    ids=["attribute of a class", "range", "fraction", "text of a list", "extension", "bytearray", "object"],
)
def test_a_hostile_stream_changes_no_class_and_takes_no_memory(chunks, stream, said):
    found, namespace = _brought(chunks, stream)
    assert said in found
    assert "v" not in namespace
    assert not hasattr(collections.Counter, "hello")


def test_a_hostile_stream_writes_to_no_array_that_was_checked(chunks):
    from statebook.state.snapshots.pickling.words.loading import Loading

    array = Evil(Loading.small, b"12345678", (8,), (0,), "|u1", True)
    stream = pickle.dumps({"v": array}, 5)
    assert stream.endswith(b"s.")
    assert "a change of a ndarray" in _brought(chunks, stream[:-2] + b"K\x00K\x05ss.")[0]  # v[0] = 5
    stream = pickle.dumps({"v": Evil(Loading.set_items, array, ([1] * 8, True))}, 5)
    assert "uint8" in _brought(chunks, stream)[0]


def test_a_manifest_that_asks_for_more_memory_than_there_is_gets_none(chunks):
    piece = digest_of(b"0" * 1000)
    chunks.put(piece, b"0" * 1000)
    many = ((piece, 1 << 40),) * 1000
    assert "GB are free" in _brought(chunks, pickle.dumps({"v": 1}, 5), buffers=(many,))[0]
    group = Group(("v",), many, "", "")
    found = reported(Snapshots({}, chunks).restore(Manifest({"v": group}), plain=True).outcomes)
    assert "GB are free" in found["v"]


@pytest.mark.parametrize(
    "change",
    [
        {"put": [{"names": ["__builtins__"]}]},
        {"put": [{"names": ["get_ipython"]}]},
        {"put": [{"names": [5]}]},
        {"missing": {"x": {"type": "a", "why": "b", "live": ["c"]}}},
        {"missing": {"__name__": {"type": "a", "why": "b"}}},
        {"modules": {"os": ["os"]}},
        {"modules": {"__builtins__": "os"}},
    ],
    ids=repr,
)
def test_names_and_words_of_a_hostile_manifest_are_checked(chunks, change):
    with notebook() as namespace:
        document = Notebook(namespace, chunks).cell("v = 1").document()
    whole = json.loads(json.dumps(document))
    if "put" in change:
        change = {"put": [whole["put"][0] | change["put"][0]]}
    with pytest.raises(StoreDamaged, match="can't be read"):
        Manifest.of([whole | change])


def test_a_signature_holds_document_and_context():
    key, document = b"k" * 32, {"a": [1, "ä"], "b": None}
    signature = sign(document, key, "store 1")
    assert sign(json.loads(json.dumps(document)), key, "store 1") == signature
    others = [(document | {"b": 1}, key, "store 1"), (document, key, "store 2"), (document, b"x" * 32, "store 1")]
    assert signature not in [sign(*other) for other in others]


def test_the_key_is_made_once_and_for_its_user_only(tmp_path):
    place = tmp_path / "data" / "snapshot.key"
    key = key_of_user(place)
    assert len(key) == 32
    assert key_of_user(place) == key
    assert list(place.parent.iterdir()) == [place]
    if sys.platform != "win32":
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_damaged_or_unreachable_key_is_said(tmp_path):
    place = tmp_path / "snapshot.key"
    place.write_bytes(b"short")
    with pytest.raises(StoreReadOnly, match="damaged"):
        key_of_user(place)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreReadOnly):
        key_of_user(tmp_path / "file" / "below" / "snapshot.key")


def test_a_secret_of_the_environment_stays_as_it_is_now(chunks, monkeypatch):
    """Its value is kept nowhere, so that nothing could bring it back."""
    snapshots = Snapshots({}, chunks)
    monkeypatch.setenv("STORE_URL", "file:data")
    monkeypatch.setenv("PLAIN_SETTING", "then")
    then = snapshots.capture().manifest
    monkeypatch.setenv("MY_API_KEY", "hunter2")
    monkeypatch.setenv("STORE_URL", "http://me:hunter2@host/")
    monkeypatch.setenv("PLAIN_SETTING", "now")
    now = snapshots.capture().manifest
    assert snapshots.around(then) == ["PLAIN_SETTING of the environment"]
    for target, plain in ((then, "then"), (now, "now")):
        snapshots.restore(target)
        names = ("MY_API_KEY", "STORE_URL", "PLAIN_SETTING")
        assert [os.environ[name] for name in names] == ["hunter2", "http://me:hunter2@host/", plain]


def test_the_environments_secrets_are_not_in_a_manifest(chunks, monkeypatch):
    namespace: dict = {}
    snapshots = Snapshots(namespace, chunks)
    monkeypatch.setenv("MY_API_TOKEN", "hunter2")
    monkeypatch.setenv("PROXY_URL", "http://me:hunter2@host/")
    monkeypatch.setenv("PLAIN_SETTING", "on")
    text = json.dumps(snapshots.capture().manifest.document())
    assert "hunter2" not in text
    assert '"PLAIN_SETTING": "on"' in text
