"""Arrays, containers, code, objects and errors as a model is told of them; whatever a class does, nothing is raised."""

import asyncio
import collections
import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from statebook.context.variables import LARGEST, describe


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Boat:
    """A boat."""

    name: str
    length: float = 3.0


class Slotted:
    __slots__ = ("_inner", "value")

    def __init__(self):
        self.value, self._inner = 7, 8


class Secretive:
    def __init__(self):
        self.password = "hunter22"
        self.deploy_key = "abcdefgh12345678"
        self.name = "plain"

    @property
    def boom(self):
        raise SystemExit("a property was asked for")

    def method(self, a: int) -> str:
        """Give a back."""
        return str(a)


class Everything:
    """Answers to any name, and complains."""

    def __getattr__(self, name):
        raise RuntimeError(f"{name} was asked for")


async def later():
    return 1


def made(a, b=2, *, c: int = 3):
    """Add up."""
    return a + b + c


SELF = {"a": 1}
SELF["me"] = SELF
RECORDS = [{"id": n, "name": "n" * n} | ({"extra": 1.5} if n % 3 else {}) for n in range(300)]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("words", ("text of 5 characters:\nwords",)),
        ("", ("text of 0 characters",)),
        (7, ("int, 7",)),
        (True, ("bool, True",)),
        (None, ("NoneType, None",)),
        (2.5, ("float, 2.5",)),
        ({"huge": 10**5000}, ("huge", "its repr fails: ValueError")),
        (b"abc", ("bytes of 3 bytes", "b'abc'")),
        ({"a": 1, "b": [1, (2,)]}, ("dict of 2", "{'a': 1, 'b': [1, (2,)]}")),
        ({3: {"z", "a", "k"}}, ("{3: {'a', 'k', 'z'}}",)),
        (list(range(1000)), ("list of 1,000", "1,000 int", "0, 1, 2,", "..., 999")),
        (["x" * 300] * 20 + [1], ("20 str, 1 int",)),
        (set(range(1000)), ("set of 1,000", "1,000 int")),
        (RECORDS, ("300 dict, with the keys:", "'id': int", "'extra': float, in 66 of 100", "the first:")),
        ({"deep": {"a": {"b": {"c": {"d": "x" * 2000}}}}}, ("'deep': dict of 1", "...")),
        ({str(n): "x" * 100 for n in range(100)}, ("... and 70 more keys", "'0': str of 100 characters")),
        (SELF, ("'a': int, 1", "(it holds itself)")),
        (collections.deque([1, 2]), ("collections.deque of 2",)),
        (collections.Counter("aab"), ("collections.Counter of 2", "'a': 2")),
        (range(10**9), ("range of 1,000,000,000", "range(0, 1000000000)")),
        (Point(1, 2), ("Point(x=1, y=2)", "  x: int, 1")),
        (np.zeros((3, 4)), ("numpy.ndarray, shape (3, 4), type float64, 96 bytes", "min 0.0, max 0.0, mean 0")),
        (np.array([1.0, np.nan, 3.0]), ("1 missing, min 1.0, max 3.0, mean 2",)),
        (np.array([np.nan]), ("1 missing",)),
        (np.array([True, False]), ("1 of 2 are True",)),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), ("1 missing, min 2020-01-01",)),
        (np.array([1, "x", None], dtype=object), ("holds NoneType, int, str",)),
        (np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), ("records of a int32, b float64",)),
        (np.ma.masked_array([1, 2], [True, False]), ("1 masked", "min 2")),
        (np.array(5), ("shape (), type int64",)),
        (np.zeros((0, 3)), ("shape (0, 3)",)),
        (np.array([1 + 2j]), ("complex128", "0 missing")),
        (np.float32(1.5), ("numpy.float32 1.5",)),
        (np.zeros((3000, 4000), dtype="int8")[:, ::2], ("shape (3000, 2000)", "(of a sample of", "corners:")),
        (made, ("function", "made(a, b=2, *, c: int = 3)", '"""Add up."""', "return a + b + c")),
        (later, ("coroutine", "async def later")),
        (len, ("function len(obj, /)", "number of items")),
        (Secretive().method, ("method of", "(a: int) -> str", "Give a back.")),
        (functools.partial(made, 1, c=4), ("partial(1, c=4) of", "return a + b + c")),
        (functools.lru_cache(made), ("around function", "return a + b + c")),
        (Boat, ("class ", "A boat.", "length: float = 3.0")),
        (int, ("class int", "public names:")),
        (json, ("module json", "public names: dump, dumps, load, loads")),
        (math, ("module math", "sqrt")),
        (np, (f"module numpy {np.__version__}",)),
        (Boat("Ann"), ("Boat(name='Ann', length=3.0)", "  name: str, 'Ann'")),
        (Slotted(), ("  value: int, 7",)),
        ((n for n in ()), ("generator",)),
        (object(), ("object", "<object object>")),
    ],
)
def test_a_value_is_told_by_kind_size_and_a_look_inside(value, parts):
    told = describe("x", value).text
    assert told.startswith("x: ")
    assert not [part for part in parts if part not in told], told
    assert len(told) < LARGEST + 100


def test_an_exception_is_told_by_the_end_of_its_traceback():
    try:
        json.loads("{")
    except ValueError as error:
        told = describe("e", error).text
    assert "exception json.JSONDecodeError" in told
    assert 'json.loads("{")' in told


def test_properties_are_named_and_not_asked_for():
    told = describe("s", Secretive()).text
    assert "offers: boom, method" in told
    assert "name: str, 'plain'" in told


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("password", "tiger", "tiger"),
        ("github_token", "abcd", "abcd"),
        ("my_key", "abcdefgh1234", "abcdefgh1234"),
        ("api_key", b"rawbytes", "rawbytes"),
        ("text", "use sk-proj-abcdefghijklmnop1234 here", "abcdefghijklmnop1234"),
        ("text", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("text", "ghp_abcdefghijklmnopqrstuv1234", "ghp_abcdefghijklmnop"),
        ("text", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("url", "postgresql://ann:tiger@db/x", "tiger"),
        ("d", {"user": "ann", "password": "tiger"}, "tiger"),
        ("d", {"big": ["x"] * 3000, "password": "tiger"}, "tiger"),
        ("d", {"deep": {"access_key": "tiger-tiger"}}, "tiger-tiger"),
        ("s", Secretive(), "hunter22"),
        ("s", Secretive(), "abcdefgh12345678"),
        ("l", ["sk-abcdefghijklmnopqrstuvwx"], "abcdefghijklmnop"),
    ],
)
def test_secrets_are_masked_with_a_note(name, value, secret):
    told = describe(name, value).text
    assert secret not in told
    assert "[masked: " in told


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("primary_key", "id", "id"),
        ("tokens", "to be or not to be", "to be"),
        ("keyboard", "abcdefgh1234", "abcdefgh1234"),
        ("d", {"key": "a"}, "'key': 'a'"),
        ("text", "a task-oriented-description-of-things", "task-oriented-description-of-things"),
    ],
)
def test_what_is_no_secret_is_shown(name, value, shown):
    assert shown in describe(name, value).text


def test_the_environment_is_told_by_names_only(monkeypatch):
    monkeypatch.setenv("SOME_SETTING", "value-of-it")
    told = describe("e", os.environ).text
    assert "SOME_SETTING" in told
    assert "value-of-it" not in told


class Broken:
    def __repr__(self):
        raise RuntimeError("no")


class BrokenLength(list):
    def __len__(self):
        raise RuntimeError("no")


class BrokenArray:
    dtype = "f4"

    @property
    def shape(self):
        raise RuntimeError("no")


class BrokenFigure:
    def _repr_png_(self):
        raise RuntimeError("no")


class Unbound:
    """A proxy outside of its context, as Flask's and Django's are."""

    @property
    def __class__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("make", [Broken, BrokenLength, BrokenArray, BrokenFigure, Everything, Unbound])
def test_a_value_that_fails_is_told_all_the_same(make):
    assert make.__name__ in describe("b", make()).text


def test_a_failing_repr_is_said():
    assert "its repr fails: RuntimeError" in describe("b", Broken()).text


def test_a_long_text_is_cut_in_its_middle_and_says_so():
    told = describe("long", "a" + "x" * (LARGEST * 2) + "z").text
    assert len(told) < LARGEST + 200
    assert "characters are left out here" in told
    assert told.endswith("xz")
    assert f"text of {LARGEST * 2 + 2:,} characters" in told


def test_summaries_are_the_same_in_every_kernel():
    code = (
        "from statebook.context.variables import describe\n"
        "class A: pass\n"
        "print(describe('x', [A(), {'b', 'a', 'c'}, A().__init__]).text, describe('y', A()).text)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "0x" not in outputs.pop()


def test_nothing_heavy_is_imported_to_describe():
    code = (
        "import sys; from statebook.context.variables import describe\n"
        "for value in (1, 'x', [1], {}, print, sys, object()): describe('v', value)\n"
        "assert not {'pandas', 'numpy', 'PIL', 'matplotlib', 'polars', 'pyarrow', 'duckdb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_coroutine_is_not_awaited():
    coroutine = later()
    assert "coroutine" in describe("c", coroutine).text
    assert asyncio.run(coroutine) == 1
