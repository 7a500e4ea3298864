"""A process of its own: restores each case's snapshot into an empty namespace, checks it, and prints what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from living import all_cases, back, notebook
from packed import PackedChunks
from statebook.state.snapshots import Manifest, Snapshots


def main(folder: Path) -> None:
    documents = json.loads((folder / "documents.json").read_text())
    chunks = PackedChunks(folder / "chunks")
    found = {}
    for one in all_cases():
        with notebook() as namespace:
            target = Manifest.of([documents[one.name]])
            found[one.name] = back(one, Snapshots(namespace, chunks), namespace, target, fresh=True)
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
