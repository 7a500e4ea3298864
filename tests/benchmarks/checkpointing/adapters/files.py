"""The workspace's files: statebook's look and commit, beside a shadow git (``add`` and ``commit`` in its own GIT_DIR).

``argv``: statebook or git, the folder, the size as JSON.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from scenarios import Size


def statebook(root: Path, kept: Path) -> Callable[[], None]:
    """A look at all files, and the commit of its manifest: on disk when it returns."""
    from statebook.protocol.journal.kept import SnapshotRow
    from statebook.state.files import WorkspaceFiles
    from statebook.store.journal import Place
    from statebook.store.store import Store

    store = Store(kept / "notebook.statebook.duckdb")
    files = WorkspaceFiles(root, store.chunks)
    rows: list[tuple[SnapshotRow, Any]] = []

    def keep() -> None:
        last, before = rows[-1] if rows else (None, None)
        manifest = files.capture()
        if before is not None and manifest == before:
            name, new = last.name, ()
        else:
            name = store.snapshots.next_name("files")
            chunks = frozenset(manifest.digests() - (before.digests() if before else set()))
            parent = last.name if last else ""
            row = SnapshotRow(name, "files", manifest.document(before), "", parent, chunks)
            rows.append((row, manifest))
            new = (row,)
        store.commit([(Place(), replace(store.journal.checkpoint("person"), files=name))], snapshots=new)

    return keep


def git(root: Path, kept: Path) -> Callable[[], None]:
    """A commit of all files into a repository of its own."""
    environment = {
        **os.environ,
        "GIT_DIR": str(kept / "shadow.git"),
        "GIT_WORK_TREE": str(root),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }

    def run(*arguments: str) -> None:
        subprocess.run(["git", *arguments], env=environment, check=True, capture_output=True, timeout=600)

    run("init", "-q")
    for name, value in (("user.name", "shadow"), ("user.email", "shadow@localhost"), ("gc.auto", "0")):
        run("config", name, value)

    def keep() -> None:
        run("add", "-A")
        run("commit", "-q", "--allow-empty", "-m", "a step")

    return keep


def main() -> None:
    which, folder, given = sys.argv[1:4]
    size = Size(**json.loads(given))
    root, kept = Path(folder) / "work", Path(folder) / "kept"
    kept.mkdir(parents=True)
    noise = random.Random(1)
    for number in range(size.files):
        path = root / f"folder{number % 50}" / f"file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.randbytes(300))
    (root / "big.bin").write_bytes(noise.randbytes(size.big))
    time.sleep(0.3)  # what changed in this very moment is looked at twice by both
    keep = {"statebook": statebook, "git": git}[which](root, kept)
    ms: dict[str, list[float]] = {}
    new: dict[str, list[int]] = {}

    def measured(name: str) -> None:
        before = _bytes(kept)
        began = time.perf_counter()
        keep()
        ms.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        new.setdefault(name, []).append(_bytes(kept) - before)

    measured("the first")
    keep()
    for _ in range(size.times):
        measured("no change")
    for turn in range(size.times):
        with (root / "big.bin").open("r+b") as file:
            file.seek(size.big // (turn + 2))
            file.write(b"edited")
        time.sleep(0.3)
        measured("one edit in the big file")
    print(json.dumps({"ms": ms, "bytes": new}))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
