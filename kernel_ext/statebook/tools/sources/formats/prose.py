"""Markdown, reStructuredText and plain text: sections by heading, line numbers kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath

from .extracted import TEXT_CAP, Extracted, Section, heading_path, heading_text, open_heading

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(r"""^title:[ \t]*["']?(.+?)["']?[ \t]*$""", re.MULTILINE | re.IGNORECASE)
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")
_HASHES = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"""([=\-~^"'#*+`.:_])\1{2,}[ \t]*$""")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BADGES = re.compile(r"\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?|</?(?:p|div|a|img|br|h1|picture|source)\b[^>]*>")
_METADATA = re.compile(r"\AMetadata-Version: .*\n(?:.*\n)*?(?=\n|\Z)")
_TITLE_LENGTH = 120
_LEVELS = "=-~"


def extract_prose(text: str, name: str, *, markdown: bool) -> Extracted:
    """Sections of a clean text. ``markdown`` turns on what only Markdown has: ``#`` headings, fences, front matter."""
    note = ""
    if len(text) > TEXT_CAP:
        text, note = text[:TEXT_CAP], f"only the first {TEXT_CAP:,} characters are indexed"
    scan = _Scan(text)
    begin = 0
    title = ""
    metadata = _METADATA.match(text)
    if metadata:
        begin, title = metadata.end(), _package(metadata[0])
        scan.section("package metadata", _lines(text, 0, begin))
        markdown = True
    front = _FRONT.match(text) if markdown else None
    if front:
        begin = front.end()
        found = _FRONT_TITLE.search(front[1])
        title = found[1] if found else ""
    scan.run(begin, markdown=markdown)
    title = title or scan.title or PurePath(name).stem
    sections = tuple(Section(heading_path(path, title), tuple(blocks)) for path, blocks in scan.sections if blocks)
    starts = (0, *(match.end() for match in re.finditer(r"\n", text)))
    return Extracted(title, text, sections, "line", starts, note)


def _package(header: str) -> str:
    """``name version`` from a package's metadata."""
    fields = dict(re.findall(r"^(Name|Version): (.*)$", header, re.MULTILINE))
    return f"{fields.get('Name', '')} {fields.get('Version', '')}".strip()


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [(start + match.start(), start + match.end()) for match in re.finditer(r"\S.*", text[start:end])]


@dataclass
class _Scan:
    """One pass over the lines of a text: which heading is open, which paragraph."""

    text: str
    title: str = ""
    sections: list[tuple[list[tuple[int, str]], list[tuple[int, int]]]] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    start: int = -1  # of the open paragraph; -1 where none is
    lines: int = 0  # in the open paragraph
    fence: str = ""  # what closes the open code block
    visible: str = ""  # the text with comments blanked out: what nobody sees is not quoted

    def section(self, heading: str, blocks: list[tuple[int, int]]) -> None:
        """A finished section beside the headings."""
        self.sections.append(([(1, heading)], blocks))

    def run(self, begin: int, *, markdown: bool) -> None:
        """Read all lines from an offset on."""
        self.visible = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.text)
        self.sections.append(([], []))
        offset = begin
        for line in self.visible[begin:].split("\n"):
            self._line(line, offset, markdown=markdown)
            offset += len(line) + 1
        self._close(len(self.text))

    def _line(self, line: str, offset: int, *, markdown: bool) -> None:
        fence = _FENCE.match(line) if markdown else None
        if self.fence:
            if fence and fence[1].startswith(self.fence):
                self.fence = ""
            return
        if fence:
            self.fence = fence[1]
            self._open(offset)
        elif not line.strip():
            self._close(offset)
        elif markdown and (hashes := _HASHES.match(line)):
            self._close(offset)
            self._heading(len(hashes[1]), hashes[2], offset, offset + len(line))
        elif self._underlined(line):
            begin, self.start = self.start, -1
            level = _LEVELS.find(line[0]) + 1 or len(_LEVELS) + 1
            self._heading(level, self.text[begin:offset].strip(), begin, offset)
        elif not _UNDERLINE.match(line):  # else a rule, or the line above a heading
            self._open(offset)

    def _underlined(self, line: str) -> bool:
        return self.lines == 1 and self.start >= 0 and bool(_UNDERLINE.match(line))

    def _open(self, offset: int) -> None:
        if self.start < 0:
            self.start, self.lines = offset, 0
        self.lines += 1

    def _close(self, end: int) -> None:
        if self.start < 0:
            return
        body = self.visible[self.start : end]
        if _BADGES.sub("", body).strip():
            first = self.start + len(body) - len(body.lstrip())
            self.sections[-1][1].append((first, self.start + len(body.rstrip())))
        self.start = -1

    def _heading(self, level: int, text: str, start: int, end: int) -> None:
        text = heading_text(text)
        if not text or len(text) > _TITLE_LENGTH:
            return self.sections[-1][1].append((start, end))
        if not self.title:
            self.title = text
        open_heading(self.headings, level, text)
        self.sections.append((list(self.headings), []))
        return None
