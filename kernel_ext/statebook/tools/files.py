"""Files in the workspace: list, read, write and edit them, never outside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from statebook.errors import ToolError
from statebook.protocol.tools import ToolOutcome

from .base import Tool, ToolContext
from .builtin import BuiltinTool, builtin_spec
from .workspace.folder import Folder
from .workspace.text import decode, shown
from .workspace.walk import walk

_READ_CAP = 20_000_000  # bytes of a file that are looked at
_WRITE_CAP = 5_000_000  # characters that one call writes
_SHOWN_CAP = 40_000  # characters of a file in one result
_LISTED = 500

_PATH = {"type": "string", "description": "Path of the file, relative to the workspace."}

_LIST = builtin_spec(
    "list_files",
    "List the files of the workspace with their sizes. Hidden folders and links are left out.",
    {
        "pattern": {
            "type": "string",
            "description": "Glob pattern, e.g. '**/*.csv' or 'data/*'; a folder's name lists all in it.",
            "default": "**/*",
        }
    },
)
_READ = builtin_spec(
    "read_file",
    "Read a text file of the workspace, by lines. For citable documents use read_source instead.",
    {
        "path": _PATH,
        "start": {"type": "integer", "description": "First line, counted from 1.", "default": 1, "minimum": 1},
        "limit": {
            "type": "integer",
            "description": "How many lines at most.",
            "default": 400,
            "minimum": 1,
            "maximum": 2000,
        },
    },
)
_WRITE = builtin_spec(
    "write_file",
    "Write a whole text file in the workspace, replacing what was there. Missing folders are made.",
    {"path": _PATH, "text": {"type": "string", "description": "The whole new content."}},
    effect="write",
)
_EDIT = builtin_spec(
    "edit_file",
    "Replace one passage of a text file in the workspace. The old text must occur exactly once.",
    {
        "path": _PATH,
        "old": {"type": "string", "description": "The text to replace, exactly as it stands, with enough around it."},
        "new": {"type": "string", "description": "What to put there; empty removes the old text."},
    },
    effect="write",
)


class Files:
    """The file tools over one workspace folder."""

    def __init__(self, workspace: Path) -> None:
        self._folder = Folder(workspace)

    def tools(self) -> tuple[Tool, ...]:
        """``list_files``, ``read_file``, ``write_file``, ``edit_file``."""
        return (
            BuiltinTool(_LIST, self._list),
            BuiltinTool(_READ, self._read),
            BuiltinTool(_WRITE, self._write),
            BuiltinTool(_EDIT, self._edit),
        )

    def _list(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        pattern = arguments["pattern"].strip().removeprefix("./").rstrip("/") or "**/*"
        root = self._folder.root
        if pattern == "." or (not re.search(r"[*?\[]", pattern) and (root / pattern).is_dir()):
            pattern = "**/*" if pattern == "." else f"{pattern}/**/*"
        match = _glob(pattern)
        listing = walk(root, lambda _name: True)
        lines = []
        for path in listing.files:
            name = path.relative_to(root).as_posix()
            if match.fullmatch(name):
                lines.append(f"{shown(name)}  {_size(path)}")
        if not lines:
            return ToolOutcome(f"No file in the workspace matches {pattern!r}.")
        head = f"{len(lines):,} files" if len(lines) != 1 else "1 file"
        if len(lines) > _LISTED:
            head += f", the first {_LISTED} shown; a narrower pattern shows the rest"
        if listing.cut:
            head += f" ({listing.cut})"
        return ToolOutcome("\n".join([f"{head}:", *lines[:_LISTED]]))

    def _read(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        path, start = arguments["path"], arguments["start"]
        data, size = self._folder.read(path, _READ_CAP)
        text, _ = decode(data)
        if data and not text:
            raise ToolError(
                f"{shown(path)!r} is not a text file ({size:,} bytes).",
                "Documents such as PDF are read by read_source, tables by sql.",
            )
        lines = text.splitlines()
        if not lines:
            return ToolOutcome(f"{shown(path)} is empty.")
        if start > len(lines):
            raise ToolError(f"{shown(path)!r} has {len(lines):,} lines; it has no line {start:,}.")
        picked, notes = _capped(lines[start - 1 : start - 1 + arguments["limit"]])
        if size > len(data):
            notes.append(f"only the first {len(data):,} of {size:,} bytes were looked at")
        last = start + len(picked) - 1
        head = f"{shown(path)} · lines {start}-{last} of {len(lines):,}"
        if last < len(lines):
            notes.append(f"go on with start={last + 1}")
        note = f" ({'; '.join(notes)})" if notes else ""
        return ToolOutcome("\n".join([head + note, *picked]))

    def _write(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        path, text = arguments["path"], arguments["text"]
        return self._replace(path, text.encode("utf-8", "replace"), len(text))

    def _edit(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        path, old, new = arguments["path"], arguments["old"], arguments["new"]
        data, size = self._folder.read(path, _READ_CAP)
        if size > len(data):
            raise ToolError(f"{shown(path)!r} is too big to edit ({size:,} bytes).")
        try:
            text = data.decode("utf-8")  # a byte order mark stays where it is
        except UnicodeDecodeError:
            raise ToolError(f"{shown(path)!r} is not UTF-8 text.", "write_file can replace it as a whole.") from None
        if not old:
            raise ToolError("edit_file: 'old' is empty.", "To write a new file use write_file.")
        if old not in text and "\r\n" in text:
            old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
        count = text.count(old)
        if count != 1:
            raise _no_single_match(path, count)
        line = text[: text.index(old)].count("\n") + 1
        edited = text.replace(old, new)
        outcome = self._replace(path, edited.encode("utf-8", "replace"), len(edited))
        return ToolOutcome(f"{outcome.text[:-1]}, changed at line {line}.")

    def _replace(self, path: str, data: bytes, characters: int) -> ToolOutcome:
        if characters > _WRITE_CAP:
            raise ToolError(f"{characters:,} characters are too many for one file.", f"The cap is {_WRITE_CAP:,}.")
        existed = self._folder.replace(path, data)
        return ToolOutcome(f"{'Replaced' if existed else 'Created'} {shown(path)}: {len(data):,} bytes.")


def _capped(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines that fit into one result, and a note where something was cut."""
    picked: list[str] = []
    room = _SHOWN_CAP
    for line in lines:
        if len(line) > room:
            break
        picked.append(line)
        room -= len(line) + 1
    if not picked:
        return [lines[0][:_SHOWN_CAP]], [f"the line is {len(lines[0]):,} characters long, cut"]
    notes = [f"cut at {_SHOWN_CAP:,} characters"] if len(picked) < len(lines) else []
    return picked, notes


def _no_single_match(path: str, count: int) -> ToolError:
    if count == 0:
        return ToolError(f"The old text does not occur in {shown(path)!r}.", "Read the file and copy it exactly.")
    return ToolError(f"The old text occurs {count} times in {shown(path)!r}.", "Give more of what stands around it.")


def _size(path: Path) -> str:
    try:
        return f"{path.stat().st_size:,} bytes"
    except OSError:
        return "unreadable"


def _glob(pattern: str) -> re.Pattern[str]:
    """A glob pattern as a regular expression: ``**/`` is any folders, ``*`` and ``?`` stay within a name."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)
