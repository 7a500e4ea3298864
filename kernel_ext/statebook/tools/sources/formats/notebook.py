"""Jupyter notebooks: Markdown, code and text outputs, cell by cell (nbformat 3 and 4)."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Any

from statebook.errors import SourceError

from .extracted import Composer, Extracted, Section, clean, heading_path, heading_text, open_heading, without_text

_OUTPUT_CAP = 1_500  # characters of text outputs that one cell gives
_HASHES = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_AGENT = re.compile(r"^[ \t]*%{1,2}(?:agent|statebook)\b", re.MULTILINE)


def extract_notebook(data: bytes, name: str) -> Extracted:
    """Each cell's source and capped text outputs. What ``%%agent`` and ``%agent`` told is left out: it is no source."""
    try:
        notebook = json.loads(data)
        cells = _cells(notebook)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise SourceError(f"it is not a readable notebook ({' '.join(str(error).split())[:120]})") from None
    composer = Composer()
    starts: list[int] = []
    sections: list[tuple[list[tuple[int, str]], list[tuple[int, int]]]] = [([], [])]
    headings: list[tuple[int, str]] = []
    title = ""
    for cell in cells:
        if composer.full:
            break
        starts.append(composer.length)
        source = clean(_joined(cell.get("source", cell.get("input", "")))).strip()
        if cell.get("cell_type") == "markdown" and (heading := _HASHES.search(source)):
            title = title or heading_text(heading[2])
            open_heading(headings, len(heading[1]), heading_text(heading[2]))
            sections.append((list(headings), []))
        pieces = [source]
        if cell.get("cell_type") == "code" and not _AGENT.search(source):
            pieces.append(clean(_outputs(cell)).strip())
        sections[-1][1].extend(composer.add(piece) for piece in pieces if piece)
    title = title or PurePath(name).stem
    found = tuple(Section(heading_path(path, title), tuple(blocks)) for path, blocks in sections if blocks)
    if not found:
        return without_text("empty", "no text in its cells", title)
    note = "cut: the notebook is very long" if composer.full else ""
    return Extracted(title, composer.text, found, "cell", tuple(starts), note)


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    if "cells" in notebook:
        cells = notebook["cells"]
    else:
        cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    return [cell for cell in cells if isinstance(cell, dict)]


def _joined(value: Any) -> str:
    """A multi-line string as notebooks store it: a string or a list of lines."""
    if isinstance(value, list):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ""


def _outputs(cell: dict[str, Any]) -> str:
    texts = []
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        rich = data.get("text/markdown", data.get("text/plain")) if isinstance(data, dict) else None
        text = _joined(rich if rich is not None else output.get("text")) or _joined(output.get("evalue"))
        if text.strip():
            texts.append(text.strip())
    whole = "\n".join(texts)
    return whole if len(whole) <= _OUTPUT_CAP else whole[:_OUTPUT_CAP] + " …"
