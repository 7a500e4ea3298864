"""A real folder, and a real place for chunks."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "snapshots"))
sys.path.insert(0, str(Path(__file__).parent))

from moves import Watched
from packed import PackedChunks


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def chunks(tmp_path):
    packed = PackedChunks(tmp_path / "chunks")
    yield packed
    packed.close()


@pytest.fixture
def files(root, chunks):
    return Watched(root, chunks)
