"""Files that go with prompts: their bytes for the request, what they weigh in tokens, and which of many are sent."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from statebook.protocol.messages import File, Message, Part, Text

KEPT = 8
"""Most files that one request carries; when there are more, the oldest leave."""
LEFT = 4
"""Files that are left after some have left, so that the next change of the prefix is several files away."""

Bytes = Callable[[str], bytes | None]
"""Gives a file's bytes by digest; None where they are missing or damaged."""

_UNKNOWN = 800
"""Tokens of a picture whose size can't be read."""
_PAGE = 1_500
"""Tokens of one page of a PDF, which a provider reads as text and as a picture."""
_BYTES_A_PAGE = 100_000
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG segments that hold the size."""


@dataclass(slots=True)
class Files:
    """The bytes of the files of one conversation, each asked for once."""

    load: Bytes = lambda _digest: None
    _known: dict[str, bytes | None] = field(default_factory=dict)

    def get(self, file: File) -> bytes | None:
        """A file's bytes; None where there are none."""
        if file.digest not in self._known:
            self._known[file.digest] = self.load(file.digest)
        return self._known[file.digest]

    def tokens(self, file: File) -> int:
        """About how many tokens a file takes; 20 for the note in place of a missing one."""
        data = self.get(file)
        return 20 if data is None else file_tokens(file.media_type, data)


def file_tokens(media_type: str, data: bytes) -> int:
    """About how many tokens a picture or PDF takes.

    Pictures: 85 and 170 for each tile of 512 x 512 pixels, after scaling into 2048 x 2048 and to a shorter side of
    768 at most, as OpenAI's guide to images has it for high detail; other vendors are in the same range.
    """
    if media_type == "application/pdf":
        pages = len(re.findall(rb"/Type\s*/Page(?![a-zA-Z])", data)) or -(-len(data) // _BYTES_A_PAGE)
        return pages * _PAGE
    size = pixels(data)
    if size is None or not min(size):
        return _UNKNOWN
    scale = min(1.0, 2048 / max(size), 768 / min(size))
    wide, high = (-(-int(side * scale) // 512) or 1 for side in size)
    return 85 + 170 * wide * high


def pixels(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, JPEG or WebP picture, from its first bytes; None for anything else."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack(">II", data[16:24])
            return width, height
        if data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", data[6:10])
            return width, height
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The size in the first start-of-frame segment (ITU-T T.81, table B.1: SOF0 to SOF15 without DHT, JPG and DAC)."""
    place = 2
    while place + 9 < len(data):
        if data[place] != 0xFF:  # noqa: PLR2004 - the byte that begins each marker
            return None
        marker = data[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        filler = marker == 0xFF  # noqa: PLR2004 - markers may be padded with it
        place += 1 if filler else 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    """The size in a VP8, VP8L or VP8X chunk (RFC 9649)."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def leaving(count: int) -> int:
    """How many of ``count`` files, oldest first, are no longer sent: none up to `KEPT`, then `LEFT` at a time.

    It depends on the count alone, so the same conversation gives the same bytes in every kernel.
    """
    return 0 if count <= KEPT else -(-(count - KEPT) // LEFT) * LEFT


def sendable(messages: Sequence[Message], files: Files) -> tuple[tuple[Message, ...], dict[str, bytes], list[str]]:
    """Messages whose files can all be sent, their bytes by digest, and the names of those replaced by a note."""
    gone = leaving(sum(isinstance(part, File) for message in messages for part in message.parts))
    found: dict[str, bytes] = {}
    left_out: list[str] = []
    shown = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            if not isinstance(part, File):
                parts.append(part)
                continue
            data = None if gone > 0 else files.get(part)
            if data is not None:
                found[part.digest] = data
                parts.append(part)
            else:
                why = "an older file, no longer sent" if gone > 0 else "missing or damaged in the session's store"
                parts.append(Text(f"\n[{part.name}: {why}]"))
                left_out.append(part.name)
            gone -= 1
        whole = not any(isinstance(part, File) for part in message.parts)
        shown.append(message if whole else replace(message, parts=tuple(parts)))
    return tuple(shown), found, left_out
