"""The package's files, parsed once, for the tests that hold the house's norms."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kernel_ext" / "statebook"


@dataclass(frozen=True)
class Source:
    """One Python file: where it is from the repository's root, its text and its tree."""

    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def inside(self) -> str:
        """The path inside the package: ``store/journal.py``."""
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def comments(self) -> Iterator[tuple[int, str]]:
        """Line number and text of each real comment (a ``#`` inside a string is none)."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def _sources(folder: Path) -> list[Source]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path, text, ast.parse(text, str(path))))
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def package() -> list[Source]:
    """Every file of the package."""
    found = _sources(PACKAGE)
    assert len(found) > 20, "the package has moved; these tests would pass over nothing"
    return found


@pytest.fixture(scope="session")
def test_sources() -> list[Source]:
    """Every file of the tests."""
    return _sources(ROOT / "tests")


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file under version control, relative to the root; skips where there is no checkout (an sdist)."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # a container may own the checkout by another user than the one who runs the tests
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    listed = subprocess.run([*git, "ls-files", "-z"], capture_output=True, check=True, timeout=60)
    paths = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]
