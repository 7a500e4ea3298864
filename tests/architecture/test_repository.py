"""The repository: its top level, and nothing in it that belongs to the machine it was made on."""

from __future__ import annotations

import re
import socket
from pathlib import Path

TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "kernel_ext",
    "labextension",
    "notebooks",
    "tests",
    "docs",
}
SOMEBODYS_FOLDER = re.compile(rb"(?<![\w./}$-])/(?:home|Users|root|work|mnt)/[A-Za-z]\w*|\b[A-Z]:\\Users\\\w")
EXAMPLES = re.compile(rb"/home/(?:jovyan|user|you|me)\b|/Users/(?:you|me)\b")


def test_the_top_level_is_as_drawn(tracked):
    top = {path.parts[0] for path in tracked if not path.parts[0].startswith(".")}
    assert top - TOP_LEVEL == set()


def test_no_file_names_a_folder_of_its_maker(root, tracked):
    found = []
    for path in tracked:
        for number, line in enumerate((root / path).read_bytes().split(b"\n"), start=1):
            match = SOMEBODYS_FOLDER.search(line)
            if match and not EXAMPLES.match(line, match.start()):
                found.append(f"{path}:{number} {match[0].decode(errors='replace')}")
    assert not found, "\n".join(found)


def test_no_file_names_this_machine(root, tracked):
    names = {str(root).encode()}
    if Path.home() != Path("/root"):  # root's home is in every container, and caught above with what follows it
        names.add(str(Path.home()).encode())
    if len(socket.gethostname()) > 8:  # short names are words
        names.add(socket.gethostname().encode())
    found = [f"{path}: {name.decode()}" for path in tracked for name in names if name in (root / path).read_bytes()]
    assert not found, "\n".join(found)


def test_no_file_is_left_over_or_huge(root, tracked):
    left = [
        str(path) for path in tracked if path.suffix in {".duckdb", ".wal", ".pyc", ".orig", ".rej", ".log", ".tmp"}
    ]
    huge = {str(path): size for path in tracked if (size := (root / path).stat().st_size) > 2_000_000}
    assert (left, huge) == ([], {})
