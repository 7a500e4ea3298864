"""What running code gave, and how a failure and a long text read to a model."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .tools import ArtifactData

MAX_TRACEBACK = 6_000
"""Characters of a failure's text."""
_MAX_LINE = 500
_MAX_FRAMES = 12
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_OWN = str(Path(__file__).parent.parent) + os.sep


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    """What one piece of code did in the user's namespace.

    ``result`` is the text of the last expression; ``rich`` holds displays and the last expression's rich form, in
    order. ``error`` is a trimmed traceback ("" where nothing failed) and ``error_name`` the exception's class name.
    ``interrupted`` is True where the stop button ended the code. ``changed`` names variables that are new or rebound.
    """

    stdout: str = ""
    stderr: str = ""
    result: str = ""
    rich: tuple[ArtifactData, ...] = ()
    error: str = ""
    error_name: str = ""
    interrupted: bool = False
    changed: tuple[str, ...] = ()


def plain(text: str) -> str:
    """``text`` as a terminal would leave it: no colours, and of each line what the last carriage return left."""
    return re.sub(r"[^\n]*\r(?!\n|$)", "", _ANSI.sub("", text)).replace("\r\n", "\n")


def shorten(text: str, limit: int) -> str:
    """``text`` in about ``limit`` characters: its head and tail, and between them how much was cut."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    head = limit - tail
    return f"{text[:head]}\n[... {len(text) - limit:,} characters cut ...]\n{text[len(text) - tail :]}"


def describe_error(error: BaseException, name_file: Callable[[str], str] = str) -> str:
    """A traceback with the frames a model can act on: the user's own, and the last one of a library.

    ``name_file`` turns a frame's file name into what is shown. Frames of statebook itself are left out. At most
    `MAX_TRACEBACK` characters, no colours; a cause is one line at the end.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OWN)]
    kept = [frame for index, frame in enumerate(frames) if index == len(frames) - 1 or not _is_library(frame.filename)]
    if len(kept) > _MAX_FRAMES:
        kept = kept[: _MAX_FRAMES // 2] + kept[-_MAX_FRAMES // 2 :]
    lines = [part for frame in kept for part in _show_frame(frame, name_file)]
    if lines:
        lines.insert(0, "Traceback (most recent call last):")
    lines += _describe(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines.append(f"Caused by {_describe(cause)[-1]}")
    return shorten("\n".join(shorten(_ANSI.sub("", line), MAX_TRACEBACK // 2) for line in lines), MAX_TRACEBACK)


def _show_frame(frame: traceback.FrameSummary, name_file: Callable[[str], str]) -> list[str]:
    where = "" if frame.name == "<module>" else f", in {frame.name}"
    shown = [f"  {name_file(frame.filename)}, line {frame.lineno}{where}"]
    if frame.line:
        shown.append(f"    {frame.line[:_MAX_LINE]}")
    return shown


def _describe(error: BaseException) -> list[str]:
    """The class and message; a group's members below it, one line each."""
    try:
        lines = "".join(traceback.format_exception_only(error)).splitlines()
    except Exception:  # noqa: BLE001 - a user's __str__ may fail in any way
        lines = [type(error).__name__]
    if isinstance(error, BaseExceptionGroup):
        lines += [f"  - {_describe(member)[0]}" for member in error.exceptions[:10]]
    return lines


def _is_library(filename: str) -> bool:
    if filename.startswith("<"):
        return filename.startswith("<frozen")
    return "site-packages" in filename or "dist-packages" in filename or filename.startswith(_LIBRARIES)
