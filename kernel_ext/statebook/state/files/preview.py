"""Shows what a change of files is: a unified diff of each text, sizes of anything else, as plain values."""

from __future__ import annotations

import codecs
import difflib
from dataclasses import dataclass
from typing import Literal

from statebook.state.snapshots.seams import Chunks

from .manifest import FilesManifest, FileState, changes
from .planning import FilesPlan
from .reading import fetch

Kind = Literal["added", "changed", "deleted", "mode"]

_BYTES = 1 << 20
"""Of a content that is compared line by line."""
_LINES = 4_000
"""That differ, on both sides together, and are still compared line by line: it takes their square."""
_WIDE = 400
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file's change. ``text`` is a unified diff (without its file names), or empty; ``note`` tells the rest."""

    path: str
    kind: Kind
    added: int
    """Lines."""
    removed: int
    text: str
    note: str


def compare(before: FilesManifest, after: FilesManifest, chunks: Chunks, *, lines: int = 200) -> tuple[FileDiff, ...]:
    """What differs between two manifests; at most ``lines`` of each file's diff. Raises StoreDamaged."""
    return tuple(
        difference(change.path, before.files.get(change.path), after.files.get(change.path), chunks, lines=lines)
        for change in changes(before, after)
    )


def preview(plan: FilesPlan, chunks: Chunks, *, lines: int = 200) -> tuple[FileDiff, ...]:
    """What a plan would do to each file, its conflicts too: from the present to the target. Raises StoreDamaged."""
    return tuple(
        difference(step.path, step.present, step.target, chunks, lines=lines)
        for step in (*plan.doing(), *plan.of("conflict"))
    )


def difference(
    path: str, before: FileState | None, after: FileState | None, chunks: Chunks, *, lines: int = 200
) -> FileDiff:
    """How one file differs. Raises StoreDamaged where a kept content is missing or damaged."""
    kind: Kind = "added" if before is None else "deleted" if after is None else "changed"
    if before and after and before.digest == after.digest:
        return FileDiff(path, "mode", 0, 0, "", f"permissions {before.mode:o} -> {after.mode:o}")
    sizes = _sizes(before, after)
    for state in (before, after):
        if state and state.why:
            return FileDiff(path, kind, 0, 0, "", f"{sizes}; {state.why}")
    if any(state and state.size > _BYTES for state in (before, after)):
        return FileDiff(path, kind, 0, 0, "", f"{sizes}; too big to be compared by line")
    texts = [_text(bytes(fetch(state.pieces, chunks))) if state else "" for state in (before, after)]
    if texts[0] is None or texts[1] is None:
        return FileDiff(path, kind, 0, 0, "", f"{sizes}; not text")
    return _by_line(path, kind, texts[0], texts[1], sizes, most=lines)


def _by_line(path: str, kind: Kind, old: str, new: str, sizes: str, *, most: int) -> FileDiff:
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    head = _same(before, after)
    tail = _same(before[head:][::-1], after[head:][::-1])
    if len(before) + len(after) - 2 * (head + tail) > _LINES and before and after:
        return FileDiff(path, kind, 0, 0, "", f"{sizes}; too different to be compared by line")
    shown = list(difflib.unified_diff(before, after, n=3))[2:]
    added, removed = (sum(line.startswith(sign) for line in shown) for sign in "+-")
    note = "" if len(shown) <= most else f"{len(shown) - most:,} more lines"
    if [line.rstrip("\r\n") for line in before] == [line.rstrip("\r\n") for line in after]:
        note = "only line ends differ"
        shown = []
    return FileDiff(path, kind, added, removed, "".join(map(_line, shown[:most])), note)


def _line(line: str) -> str:
    bare = line.rstrip("\r\n")
    return (bare if len(bare) <= _WIDE else f"{bare[:_WIDE]}...") + "\n"


def _same(before: list[str], after: list[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((place for place, (old, new) in pairs if old != new), min(len(before), len(after)))


def _text(data: bytes) -> str | None:
    """The text of a content; None where it is none (UTF-8, or UTF-16 with its mark)."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _sizes(before: FileState | None, after: FileState | None) -> str:
    return " -> ".join(f"{state.size:,} bytes" for state in (before, after) if state)
