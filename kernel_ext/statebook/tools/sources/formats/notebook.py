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
_ASKED = re.compile(r"\s*(?:%%[^\n]*\n\s*)*?%%(?:agent|statebook)\b")  # other cell magics may stand before it
_AGENT = re.compile(r"^(?:[^#=\n]*=)?[ \t]*%{1,2}(?:agent|statebook)\b", re.MULTILINE)
_STRETCH = 80  # characters of an answer that make another output a copy of it
_WHOLE = 40  # ... where the output holds nothing else
_CITATION = re.compile(r"[\[(](?:S?\d+(?:\.\d+)?(?:,\s*)?)+[\])]|\\n")  # numbered where drawn, marks where printed


def extract_notebook(data: bytes, name: str) -> Extracted:
    """Each cell's source and capped text outputs, without what was asked of an agent and what it answered.

    A question proves nothing, and an answer must not become its own source: ``%%agent`` cells are left out whole, and
    so are the outputs of ``%agent`` and other outputs that repeat an answer of this notebook (``print(res)``).
    """
    try:
        notebook = json.loads(data)
        cells = _cells(notebook)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise SourceError(f"it is not a readable notebook ({' '.join(str(error).split())[:120]})") from None
    answers = _answers(cells)
    composer = Composer()
    starts: list[int] = []
    sections: list[tuple[list[tuple[int, str]], list[tuple[int, int]]]] = [([], [])]
    headings: list[tuple[int, str]] = []
    title = ""
    for cell in cells:
        if composer.full:
            break
        starts.append(composer.length)
        source = _source(cell)
        if cell.get("cell_type") == "markdown" and (heading := _HASHES.search(source)):
            title = title or heading_text(heading[2])
            open_heading(headings, len(heading[1]), heading_text(heading[2]))
            sections.append((list(headings), []))
        pieces = [source]
        if cell.get("cell_type") == "code":
            pieces = _pieces(cell, source, answers)
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


def _source(cell: dict[str, Any]) -> str:
    return clean(_joined(cell.get("source", cell.get("input", "")))).strip()


def _pieces(cell: dict[str, Any], source: str, answers: _Answers) -> list[str]:
    """What a code cell gives: nothing, its source, or its source and its outputs."""
    if _ASKED.match(source):
        return []
    if _AGENT.search(source):
        return [source]
    whole = "\n".join(text for text in _outputs(cell) if not answers.repeated_in(text))
    cut = whole if len(whole) <= _OUTPUT_CAP else whole[:_OUTPUT_CAP] + " …"
    return [source, clean(cut).strip()]


def _outputs(cell: dict[str, Any]) -> list[str]:
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
    return texts


def _answers(cells: list[dict[str, Any]]) -> _Answers:
    asked = (cell for cell in cells if cell.get("cell_type") == "code" and _AGENT.search(_source(cell)))
    return _Answers("\n".join(_words(text) for cell in asked for text in _outputs(cell)))


class _Answers:
    """What a notebook's agent told, as bare words, and whether another output repeats it.

    Every stretch of 80 characters holds one of the answers' blocks of 40 whole: only these are looked up.
    """

    def __init__(self, told: str) -> None:
        self._told = told
        self._blocks = {told[at : at + _STRETCH // 2] for at in range(0, len(told), _STRETCH // 2)}

    def repeated_in(self, output: str) -> bool:
        """Whether the part of an output that could be used holds a long stretch of an answer, or nothing else."""
        if not self._told:
            return False
        words = _words(output[: 2 * _OUTPUT_CAP])
        if len(words) >= _WHOLE and words in self._told:
            return True
        half = _STRETCH // 2
        return any(
            words[start : start + _STRETCH] in self._told
            for at in range(len(words) - half + 1)
            if words[at : at + half] in self._blocks
            for start in range(max(at - half, 0), min(at, len(words) - _STRETCH) + 1)
        )


def _words(text: str) -> str:
    """Text without citations, markup and line breaks: an answer is drawn in one way and printed in another."""
    return " ".join(re.findall(r"\w+", _CITATION.sub(" ", clean(text))))
