"""What a look at the workspace's files costs, beside a bare walk that only asks for each file's status."""

from __future__ import annotations

import os
import random
import statistics
import time
from pathlib import Path

from figures import Figure, interleaved, once
from sizes import Sizes
from snapshots import Pack
from statebook.state.files import WorkspaceFiles

PROMISE = "files"
_TIMES = 9
_BIG = 10_000
"""Bytes of the big file, for each of the others."""


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    root, noise = folder / "workspace", random.Random(1)
    for number in range(sizes.files):
        path = root / f"folder{number % 50}" / f"file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.randbytes(300))
    (root / ".gitignore").write_text("*.log\nbuild/\n/data/raw/**\n")
    big = root / "big.bin"
    big.write_bytes(noise.randbytes(_BIG * sizes.files))
    pack = Pack(folder / "files.pack")
    files = WorkspaceFiles(root, pack)
    first = once(files.capture)
    time.sleep(0.2)  # what changed in this very moment is read again
    files.capture()
    bare, look = (
        statistics.median(each) for each in interleaved([lambda _: _walk(root), lambda _: files.capture()], _TIMES)
    )
    edits, news = [], []
    for turn in range(_TIMES):
        with big.open("r+b") as file:
            file.seek(_BIG * sizes.files // (turn + 2))
            file.write(b"edited")
        before = pack.bytes_put
        edits.append(once(files.capture))
        news.append(pack.bytes_put - before)
        pack.drain()
    name = f"{sizes.files:,} files and one of {_BIG * sizes.files / 1e6:,.0f} MB"
    return [
        Figure(PROMISE, f"{name}: the first look", first, "ms"),
        Figure(PROMISE, f"{name}: nothing changed", look, "ms", f"a bare walk: {bare:,.0f} ms", 60),
        Figure(PROMISE, f"{name}: an edit in the big one", statistics.median(edits), "ms"),
        Figure(PROMISE, f"{name}: new bytes of the edit", statistics.median(news) / 1e6, "MB", "", 0.3, "bytes"),
    ]


def _walk(folder: Path) -> int:
    """The status of each file, and nothing else; how many there are."""
    count = 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            count += _walk(Path(entry.path))
        else:
            entry.stat(follow_symlinks=False)
            count += 1
    return count
