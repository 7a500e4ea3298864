"""Random programs over lists, dicts, arrays, frames and objects: any point of them comes back, with what it shares."""

import random

import pytest
from living import Notebook, notebook
from packed import PackedChunks
from statebook.state.snapshots import Manifest, Snapshots

SETUP = """
import numpy as np
class C:
    s = 0
    def __init__(self): self.v = 1
    def grow(self):
        if type(a) is list: a.append(1)
def counter():
    seen = [0]
    def count(): seen.append(len(seen))
    return count
a = []
"""
NAMES = "abcdef"
ALWAYS = [
    "{x} = []",
    "{x} = {{'k': 1}}",
    "{x} = C()",
    "{x} = counter()",
    "{x} = np.arange(900.0)",
    "{x} = np.arange(7)",
]
BY_TYPE = {
    "list": ["{y}.append({z})", "{y}.append(7)", "{y}.clear()", "{x} = list({y})", "{x} = [{y}, {z}]"],
    "dict": ["{y}['k'] = {z}", "{x} = {y}['k']", "{y}['n'] = 5", "{x} = {{'k': {y}}}"],
    "C": ["{y}.v = {z}", "{x} = {y}.v", "{y}.grow()", "C.s = {z}", "{y}.v = [{y}]"],
    "function": ["{y}()", "{x} = {y}", "{x} = [{y}]"],
    "ndarray": ["{x} = {y}[1:]", "{x} = {y}[::-2]", "{y}[:1] = 42", "{x} = {y}.copy()", "{x} = {y}"],
}


def statement(rng, namespace):
    have = [name for name in NAMES if name in namespace]
    y = rng.choice(have)
    choices = [*ALWAYS, *BY_TYPE.get(type(namespace[y]).__name__, []) * 4]
    return rng.choice(choices).format(x=rng.choice(NAMES[1:]), y=y, z=rng.choice(have))


def shape(namespace):
    """All variables as text, with a number for each object, so that what is shared has the same number."""
    import numpy as np

    numbers, alive = {}, []

    def number(value):
        alive.append(value)
        return numbers.setdefault(id(value), len(numbers))

    def tell(value):
        if isinstance(value, int | float | str):
            return repr(value)
        known = id(value) in numbers
        text = f"{type(value).__name__} {number(value)}"
        if known:
            return text
        if isinstance(value, np.ndarray):
            root = value if value.base is None else value.base
            start = value.__array_interface__["data"][0] - root.__array_interface__["data"][0]
            return f"{text} of {number(root)} at {start}: {value.tolist()}"
        if isinstance(value, list):
            return f"{text} {[tell(each) for each in value]}"
        inside = value if isinstance(value, dict) else dict(vars(value))
        if hasattr(value, "__closure__"):
            inside = dict(enumerate(cell.cell_contents for cell in value.__closure__ or ()))
        if type(value).__name__ == "C":
            inside |= {"class": number(type(value)), "s": type(value).s}
        return f"{text} {[(key, tell(each)) for key, each in inside.items()]}"

    return [(name, tell(namespace[name])) for name in NAMES if name in namespace]


@pytest.mark.parametrize("seed", range(30))
def test_any_point_of_a_program_comes_back(seed, tmp_path):
    rng = random.Random(seed)
    chunks = PackedChunks(tmp_path)
    with notebook() as namespace:
        book = Notebook(namespace, chunks)
        book.cell(SETUP)
        points = []
        for _ in range(rng.randrange(5, 20)):
            points.append((book.cell(statement(rng, namespace)), shape(namespace)))
            if rng.random() < 0.2:
                target, wanted = rng.choice(points)
                book.snapshots.restore(target)
                assert shape(namespace) == wanted
    target, wanted = rng.choice(points)
    with notebook() as namespace:
        Snapshots(namespace, chunks).restore(Manifest.of([target.document()]))
        assert shape(namespace) == wanted
