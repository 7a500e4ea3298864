"""What a function returned, as text for the model and bytes to keep."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from statebook.protocol.code import shorten
from statebook.protocol.tools import ArtifactData, ToolOutcome

MAX_RESULT = 20_000
"""Characters of one result's text; what is longer keeps its head and tail."""
_MAX_ROWS = 30
_MAX_COLUMNS = 20
_SIGNATURES = (
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def outcome_of(value: Any) -> ToolOutcome:
    """A `ToolOutcome` from anything: text, JSON, a table, an image, bytes; an outcome stays what it is."""
    if isinstance(value, ToolOutcome):
        return replace(value, text=shorten(value.text, MAX_RESULT))
    if value is None:
        return ToolOutcome("done")
    if isinstance(value, str):
        return ToolOutcome(shorten(value, MAX_RESULT))
    artifact = _artifact(value)
    if artifact is not None:
        return ToolOutcome(f"[{artifact.media_type}, {len(artifact.data):,} bytes]", artifacts=(artifact,))
    return ToolOutcome(shorten(_table(value) or _json(value), MAX_RESULT))


def _artifact(value: Any) -> ArtifactData | None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return ArtifactData(
            data, next((kind for mark, kind in _SIGNATURES if data.startswith(mark)), "application/octet-stream")
        )
    if _is_a(value, "matplotlib.figure", "Figure"):
        picture = io.BytesIO()
        value.savefig(picture, format="png", bbox_inches="tight")
        return ArtifactData(picture.getvalue(), "image/png")
    draw = getattr(value, "_repr_png_", None)
    if not callable(draw) or isinstance(value, type):
        return None
    drawn = draw()
    data = drawn[0] if isinstance(drawn, tuple) else drawn
    return ArtifactData(data, "image/png") if isinstance(data, bytes) else None


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether a class of ``value`` is ``name`` from ``module``, without importing it."""
    return any(kind.__name__ == name and kind.__module__.startswith(module) for kind in type(value).__mro__)


def _table(value: Any) -> str:
    if _is_a(value, "pandas", "Series"):
        value = value.to_frame()
    if _is_a(value, "pandas", "DataFrame"):
        rows, columns = value.shape
        shown = value.to_string(max_rows=_MAX_ROWS, max_cols=_MAX_COLUMNS, max_colwidth=80)
        return f"{rows:,} rows x {columns:,} columns\n{shown}"
    if _is_a(value, "polars", "DataFrame"):
        return str(value)  # it says its shape itself
    return ""


def _json(value: Any) -> str:
    import pydantic_core

    try:
        plain = pydantic_core.to_jsonable_python(value, fallback=str, inf_nan_mode="strings", bytes_mode="base64")
        return json.dumps(plain, ensure_ascii=False)
    except (ValueError, TypeError, pydantic_core.PydanticSerializationError):  # a cycle, keys that JSON has not
        return repr(value)
