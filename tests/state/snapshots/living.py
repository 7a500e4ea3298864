"""Lives a case: a notebook's namespace, cells run in it, snapshots between them, and a way back."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from statebook.state.snapshots import Manifest, Snapshots

FOLDER = Path(__file__).with_name("snapshot_cases")


@dataclass(frozen=True)
class Case:
    """``setup``, snapshot, ``change``, snapshot, ``later``, snapshot; back to the second; ``check`` must hold.

    ``same`` and ``fresh`` are the variables that a restore in the same and in a fresh process must report; all others
    come back exactly. A check of its own may stand for the fresh process.
    """

    name: str
    blocks: Mapping[str, str]
    same: frozenset[str]
    fresh: frozenset[str]
    needs: str

    def block(self, name: str) -> str:
        return self.blocks.get(name, "pass")

    def check(self, *, fresh: bool) -> str:
        return self.blocks.get("check in a fresh process" if fresh else "check", self.block("check"))


def all_cases() -> list[Case]:
    """The small notebooks in the folder, as far as what they need is installed."""
    found = [_parse(text) for path in sorted(FOLDER.glob("*.txt")) for text in path.read_text().split("\n== ")[1:]]
    return [one for one in found if all(_is_here(each) for each in one.needs.split())]


def _is_here(name: str) -> bool:
    """Whether a module is installed; "pandas3": one that never lets two frames change each other."""
    if name == "pandas3":
        return importlib.metadata.version("pandas") >= "3"
    return importlib.util.find_spec(name) is not None


def _parse(text: str) -> Case:
    head, *parts = text.split("\n-- ")
    name, *lines = head.splitlines()
    marks = dict(line.split(": ", 1) for line in lines)
    blocks = dict(part.split("\n", 1) for part in parts)
    both = marks.pop("reports", "")
    before = marks.pop("before 3.12", "")
    reports = {*both.split(), *(before.split() if sys.version_info < (3, 12) else ())}
    same, fresh = ({*marks.pop(each, "").split(), *reports} for each in ("same", "fresh"))
    needs = marks.pop("needs", "")
    assert not marks, marks
    assert blocks.keys() <= {"setup", "change", "later", "check", "check in a fresh process"}
    return Case(name, blocks, frozenset(same), frozenset(fresh), needs)


@contextmanager
def notebook() -> Iterator[dict[str, Any]]:
    """A namespace that is ``__main__``, as a kernel's is."""
    module = types.ModuleType("__main__")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield module.__dict__
    finally:
        sys.modules["__main__"] = before


class Notebook:
    """Runs cells and takes the snapshots after them, looking only at what each cell may have touched."""

    def __init__(self, namespace: dict[str, Any], chunks: Any) -> None:
        self.namespace = namespace
        self.snapshots = Snapshots(namespace, chunks)
        self.cells = 0

    def cell(self, source: str) -> Manifest:
        self.cells += 1
        before = self.snapshots.touched(source)
        exec(compile(source, f"<cell {self.cells}>", "exec", dont_inherit=True), self.namespace)
        after = self.snapshots.touched(source)
        touched = None if before is None or after is None else before | after
        return self.snapshots.capture(touched, cell=f"[{self.cells}]").manifest


def reported(outcomes: Any) -> dict[str, str]:
    """The variables that a restore says something about."""
    return {each.name: f"{each.fate}: {each.why}" for each in outcomes if each.why or each.fate == "lost"}


def live(one: Case, chunks: Any) -> tuple[Manifest, str, dict[str, str]]:
    """The snapshot to return to, what went wrong in the same process, and what was reported."""
    with notebook() as namespace:
        book = Notebook(namespace, chunks)
        book.cell(one.block("setup"))
        target = book.cell(one.block("change"))
        book.cell(one.block("later"))
        return target, *back(one, book.snapshots, namespace, target)


def back(
    one: Case, snapshots: Snapshots, namespace: dict[str, Any], target: Manifest, *, fresh: bool = False
) -> tuple[str, dict[str, str]]:
    """Restore and check: what went wrong, and what was reported."""
    try:
        outcomes = snapshots.restore(target).outcomes
        exec(compile(one.check(fresh=fresh), f"<check {one.name}>", "exec", dont_inherit=True), namespace)
    except BaseException:  # noqa: BLE001 - what a check raises is the finding
        return traceback.format_exc(), {}
    return "", reported(outcomes)
