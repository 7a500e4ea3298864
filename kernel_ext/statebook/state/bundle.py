"""One display's MIME bundle as bytes to keep and text to read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from statebook.protocol.tools import ArtifactData

_PREFERRED = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/svg+xml",
    "application/pdf",
    "text/html",
    "text/latex",
    "text/markdown",
    "application/json",
)
_OPAQUE = "application/vnd.jupyter.widget-view+json"  # refers to a live widget: nothing of it can be kept


def read_bundle(data: Mapping[str, Any]) -> tuple[str, ArtifactData | None]:
    """``(text, artifact)`` of a MIME bundle: what a model reads, and the richest form (None for plain text).

    Binary media arrive as bytes or as base64 text; both are understood.
    """
    found = _best(data)
    if found is None:
        return _text(data), None
    content = _to_bytes(found, data[found])
    return _text(data), ArtifactData(content, found, " ".join(str(data.get("text/plain", "")).split())[:80])


def _best(data: Mapping[str, Any]) -> str | None:
    # a vendor's JSON (a chart) says more than the HTML beside it
    vendors = [key for key in data if key.startswith("application/vnd.") and key != _OPAQUE]
    return next((key for key in (*_PREFERRED[:5], *vendors, *_PREFERRED[5:]) if key in data), None)


def _text(data: Mapping[str, Any]) -> str:
    shown = str(data.get("text/plain", ""))
    if not shown or shown.startswith("<IPython.core.display."):
        # the repr of a display object says nothing; its source does
        return str(data.get("text/markdown") or data.get("text/latex") or shown)
    return shown


def _to_bytes(media_type: str, content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if not isinstance(content, str):
        return json.dumps(content, sort_keys=True, default=str).encode()
    if media_type.startswith(("image/", "application/pdf")) and media_type != "image/svg+xml":
        try:
            return base64.b64decode(content)
        except (binascii.Error, ValueError):
            return content.encode()
    return content.encode(errors="replace")
