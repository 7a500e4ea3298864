"""What the tests of the built-in tools share: a document store in memory, real small PDFs, a way to call a tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from statebook.protocol.documents import Document
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ToolOutcome
from statebook.tools.base import Tool, ToolContext


class MemoryDocuments:
    """A `DocumentStore` that forgets; ``puts`` counts how often a document was written."""

    def __init__(self) -> None:
        self.rows: dict[int, Document] = {}
        self.texts: dict[int, list[Passage]] = {}
        self.puts = 0

    def documents(self) -> list[Document]:
        return list(self.rows.values())

    def put(self, *, passages: Sequence[Passage], **values: Any) -> Document:
        self.puts += 1
        document = Document(number=len(self.rows) + 1, passages=len(passages), **values)
        self.rows[document.number] = document
        self.texts[document.number] = [replace(passage, document=document.number) for passage in passages]
        return document

    def update(self, document: Document) -> None:
        assert document.number in self.rows
        self.rows[document.number] = document

    def passages(self, number: int) -> list[Passage]:
        return list(self.texts[number])

    def all_passages(self) -> list[Passage]:
        return [passage for number, row in self.rows.items() if row.current for passage in self.texts[number]]


@pytest.fixture
def document_store() -> MemoryDocuments:
    return MemoryDocuments()


@pytest.fixture
def call() -> Callable[..., ToolOutcome]:
    """``call(tools, name, **arguments)``: one call as the loop makes it."""

    def run(tools: Sequence[Tool], name: str, **arguments: Any) -> ToolOutcome:
        (tool,) = [tool for tool in tools if tool.spec.name == name]
        return asyncio.run(tool.call(arguments, ToolContext(1, 1, "c1", "k1")))

    return run


def _pdf(pages: Sequence[str], title: str = "") -> bytes:
    """A PDF of text pages, written by hand: catalog, pages, one font, a content stream a page, xref."""
    bodies = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    bodies.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for page in pages:
        lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in page.splitlines()]
        stream = "BT /F1 11 Tf 14 TL 50 780 Td\n" + "\n".join(f"({line}) Tj T*" for line in lines) + "\nET"
        number = len(bodies) + 1
        kids.append(f"{number} 0 R")
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        bodies.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} /Contents {number + 1} 0 R >>")
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    bodies[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>"
    bodies.append(f"<< /Title ({title}) >>")
    out = "%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R /Info {len(bodies)} 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    return _pdf
