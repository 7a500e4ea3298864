"""Notebooks as files, and the cells in them."""

import json

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
