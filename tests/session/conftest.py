"""Notebooks as files and the cells in them; a small disk that can be filled."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def write_notebook():
    """Writes a notebook with these code cells: (id, source), or a source alone."""

    def write(path, *cells):
        made = []
        for cell in cells:
            name, source = cell if isinstance(cell, tuple) else (None, cell)
            made.append({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source})
            if name:
                made[-1]["id"] = name
        path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return path

    return write


class Disk:
    """A file system of two megabytes."""

    def __init__(self, folder):
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, but=0):
        """Write until nothing goes any more, then leave so many bytes."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                size = file.tell()
        os.truncate(self._filler, size - but)

    def free(self):
        """Take all of it away again."""
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    """A real small file system; only root may mount one, and other users' full disks are `test_world`'s."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("mounting a small disk takes root")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if made.returncode:
        pytest.skip("this place lets nobody mount a disk")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)
