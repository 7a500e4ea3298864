"""``@file:path``: a file's text, or the file itself where a model has to see it; by content, not by name."""

from __future__ import annotations

import io
from pathlib import Path, PurePath

from statebook.context.files import pixels
from statebook.errors import PromptError, SourceError
from statebook.protected import why_protected
from statebook.protocol.calls import Attachment
from statebook.protocol.journal.codec import digest
from statebook.protocol.messages import File
from statebook.protocol.tools import ArtifactData
from statebook.tools.sources.extract import PDF_CAP, extract
from statebook.tools.sources.formats.extracted import Extracted
from statebook.tools.sources.formats.pdf import extract_pdf
from statebook.tools.workspace.text import decode

LARGEST = 200_000
"""Characters of a file that are handed over; the rest is cut, and the model is told."""
LARGEST_FILE = 20_000_000
"""Bytes of a picture or PDF that is handed over as it is: what providers take in one request."""
LARGEST_SIDE = 4_000
"""Pixels above which a picture is scaled down, where Pillow is installed: providers do the same, after the upload."""
_SCALED_SIDE = 2_000
_READ = 4 * LARGEST
_EXTRACTED = frozenset({".ipynb", ".html", ".htm", ".xhtml", ".csv", ".tsv", ".tab"})
_PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_UNICODE_MARKS = (b"\xff\xfe", b"\xfe\xff")

Handed = tuple[Attachment, ArtifactData | None]
"""What goes with the prompt, and the bytes that its file names."""


def hand_over(path: str, folder: Path) -> Handed:
    """A file as it is handed over; ``path`` starts at ``folder``. Raises PromptError, with what to do instead."""
    target = (folder / Path(path).expanduser()).resolve()
    inside = target.relative_to(folder.resolve()) if target.is_relative_to(folder.resolve()) else target
    if why := why_protected(PurePath(inside)):
        raise PromptError(f"@file:{path} can't be handed over: it {why}.", "Name another file.")
    if target.exists() and not target.is_file() and not target.is_dir():
        raise PromptError(f"@file:{path} is no file.", "Name a file; a pipe or device may never end.")
    try:
        with target.open("rb") as file:
            head = file.read(64)
            size = target.stat().st_size
            data = head + file.read(_most(head, target.name, size, path) - len(head))
    except OSError as error:
        raise PromptError(
            f"@file:{path} can't be read: {error.strerror or error}.",
            f'Paths start at {folder}; write @file:"with space" around spaces.',
        ) from error
    media = media_type(head)
    if media.startswith("image/"):
        return _picture(path, data, media)
    if media == "application/pdf":
        return _pdf(path, data)
    if PurePath(target.name).suffix.casefold() in _EXTRACTED:
        return Attachment(path, _told(path, _extracted(path, data, size))), None
    return Attachment(path, _text(path, data, size)), None


def media_type(head: bytes) -> str:
    """What a file is by its first bytes: a picture that providers take, a PDF, or "" for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    return next((media for start, media in _PICTURES if head.startswith(start)), "")


def _most(head: bytes, name: str, size: int, path: str) -> int:
    """How many bytes are read. PromptError for a picture or PDF that is too big."""
    media = media_type(head)
    largest = PDF_CAP if media == "application/pdf" else LARGEST_FILE
    if media and size > largest:
        raise PromptError(
            f"@file:{path} is too big: {size / 1e6:,.0f} MB, and {largest / 1e6:,.0f} MB are the most.",
            "Hand a part of it over, or put it into the sources folder, if it is a document.",
        )
    return size if media else LARGEST_FILE if PurePath(name).suffix.casefold() in _EXTRACTED else _READ + 1


def _picture(path: str, data: bytes, media: str) -> Handed:
    size = pixels(data)
    if size is None:
        raise PromptError(f"@file:{path} begins like a picture ({media}) and is none.", "Is it damaged or cut off?")
    note = ""
    if max(size) > LARGEST_SIDE:
        data, media, note = _scaled(data, media)
    text = f"picture of {size[0]} x {size[1]} pixels, {media}{note}\nThe picture follows."
    return _as_file(path, text, data, media)


def _scaled(data: bytes, media: str) -> tuple[bytes, str, str]:
    """A smaller picture, its type and a note; the same one where Pillow is missing or can't read it."""
    try:
        from PIL import Image

        with Image.open(io.BytesIO(data)) as image:
            kind = "JPEG" if image.format == "JPEG" else "PNG"
            image.thumbnail((_SCALED_SIDE, _SCALED_SIDE))
            buffer = io.BytesIO()
            drawn = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGB")
            drawn.save(buffer, format=kind)
    except Exception:  # noqa: BLE001 - Pillow may be missing, and a damaged file makes it raise anything
        return data, media, ""
    return buffer.getvalue(), f"image/{kind.lower()}", f", scaled down to {_SCALED_SIDE} at most"


def _pdf(path: str, data: bytes) -> Handed:
    """A PDF's text page by page; one of scanned pages goes as it is, for models that can read it."""
    try:
        found = extract_pdf(data, path)
    except SourceError as error:
        raise PromptError(f"@file:{path} can't be read: {error.message}.", "Name another file.") from error
    if found.status == "ok":
        return Attachment(path, _told(path, found)), None
    if len(data) > LARGEST_FILE:
        raise PromptError(
            f"@file:{path} has {found.note} and is too big to be handed over as it is: {len(data) / 1e6:,.0f} MB.",
            f"{LARGEST_FILE / 1e6:,.0f} MB are the most: hand a part of it over.",
        )
    return _as_file(path, f"PDF with {found.note}\nThe file follows.", data, "application/pdf")


def _as_file(path: str, text: str, data: bytes, media: str) -> Handed:
    name = PurePath(path).name
    return Attachment(path, text, File(digest(data), media, name)), ArtifactData(data, media, name)


def _extracted(path: str, data: bytes, size: int) -> Extracted:
    try:
        found = extract(PurePath(path).name, data, size)
    except Exception as error:
        why = error.message if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
        raise PromptError(f"@file:{path} can't be read: {why}.", "Name another file.") from error
    if found.status != "ok":
        raise PromptError(f"@file:{path} can't be handed over: {found.note}.", "Name another file.")
    return found


def _told(path: str, found: Extracted) -> str:
    """An extracted text with its pages or cells marked, its title, and a note on what is left out."""
    text = found.text
    if found.unit in ("page", "cell"):
        ends = (*found.starts[1:], len(text))
        parts = [
            f"[{found.unit} {number}]\n{text[start:end].strip()}"
            for number, (start, end) in enumerate(zip(found.starts, ends, strict=True), start=1)
        ]
        text = "\n\n".join(parts)
    title = f"{found.title}\n\n" if found.title and found.title != PurePath(path).stem else ""
    note = f"\n[{found.note}]" if found.note else ""
    return f"{title}{_cut(text)}{note}"


def _text(path: str, data: bytes, size: int) -> str:
    text, encoding = decode(data)
    if (not encoding and data) or (b"\0" in data[:4096] and not data.startswith(_UNICODE_MARKS)):
        raise PromptError(f"@file:{path} is not a text file.", "Put it into the sources folder, if it is a document.")
    return _cut(text, whole=size <= len(data))


def _cut(text: str, *, whole: bool = True) -> str:
    if len(text) > LARGEST or not whole:
        return f"{text[:LARGEST]}\n[cut here: the file is longer]"
    return text
