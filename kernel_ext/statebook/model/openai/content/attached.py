"""Files that go to a model as bytes: which kinds are taken, and their data URLs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Literal

from statebook.protocol.messages import File

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_DOCUMENTS = frozenset({"application/pdf"})


def carried(file: File, files: Mapping[str, bytes]) -> Literal["image", "document", ""]:
    """How a file can be sent; "" where its bytes are missing or of a kind that models do not take."""
    if file.digest not in files:
        return ""
    if file.media_type in _IMAGES:
        return "image"
    return "document" if file.media_type in _DOCUMENTS else ""


def data_url(file: File, data: bytes) -> str:
    """The bytes as a ``data:`` URL (RFC 2397)."""
    return f"data:{file.media_type};base64,{base64.b64encode(data).decode()}"


def note(file: File) -> str:
    """What stands in a request for a file that is not sent."""
    return f"[file {file.name or 'without a name'}, {file.media_type}: not sent]"
