"""Values that are pictures or draw themselves as one: figures of Matplotlib, pictures of Pillow and of IPython."""

from __future__ import annotations

import base64
import inspect
import io
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from statebook.context.files import pixels

from .summary import Picture, Summary, attempt, is_a, kind_of, size

LARGEST_SIDE = 2_000
"""Pixels of a picture's longer side."""
LARGEST_BYTES = 1_000_000
_TRIES = 5
_AXES = 12
_PLAIN_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_DOTS = 100.0
"""Dots per inch of a figure that does not say."""


def pictured(value: Any) -> Summary | None:
    """A picture's summary; None for a value that is none."""
    if is_a(value, "matplotlib.axes", "Axes") or is_a(value, "matplotlib.figure", "SubFigure"):
        figure = value.figure
        return pictured(figure) if figure is not None and figure is not value else None
    if is_a(value, "matplotlib.figure", "Figure"):
        return _figure(value)
    if is_a(value, "PIL.Image", "Image"):
        return _pillow(value)
    if inspect.getattr_static(type(value), "_repr_png_", None) is not None:
        return _drawn(value)
    return None


def _figure(figure: Any) -> Summary:
    lines = [line for line in (attempt(partial(_axes, axes)) for axes in figure.axes[:_AXES]) if line]
    title = attempt(figure.get_suptitle)
    wide, high = figure.get_size_inches()
    head = f"matplotlib figure, {wide:g} x {high:g} inches" + (f", titled {title!r}" if title else "")
    picture, note = _png_of_figure(figure, float(max(wide, high)))
    return Summary("\n".join([head, *lines, note]), picture)


def _axes(axes: Any) -> str:
    facts = [f"{name} {text!r}" for name, text in _labels(axes) if text]
    counts = (
        *((len(axes.lines), "line", "lines"), (len(axes.patches), "patch", "patches")),
        *((len(axes.images), "image", "images"), (len(axes.collections), "collection", "collections")),
    )
    facts += [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    legend = axes.get_legend()
    if legend is not None:
        facts.append(f"legend {', '.join(text.get_text() for text in legend.get_texts())!r}")
    return f"  axes: {', '.join(facts)}" if facts else ""


def _labels(axes: Any) -> Iterator[tuple[str, str]]:
    yield "title", axes.get_title()
    yield "x", axes.get_xlabel()
    yield "y", axes.get_ylabel()


def _png_of_figure(figure: Any, inches: float) -> tuple[Picture | None, str]:
    dots = min(float(getattr(figure, "dpi", _DOTS)), LARGEST_SIDE / max(inches, 0.1))
    for _ in range(_TRIES):
        buffer = io.BytesIO()
        try:
            # without the version of matplotlib, so that the same figure has the same bytes
            figure.savefig(buffer, format="png", dpi=dots, metadata={"Software": None})
        except Exception as error:  # noqa: BLE001 - drawing runs what a user's figure is made of
            return None, f"[it could not be drawn: {type(error).__name__}: {str(error)[:120]}]"
        if buffer.tell() <= LARGEST_BYTES:
            return Picture(buffer.getvalue()), "The picture follows."
        dots *= 0.7
    return None, "[its picture is too big to hand over]"


def _pillow(image: Any) -> Summary:
    head = f"picture of {image.width} x {image.height} pixels, mode {image.mode}" + (
        f", format {image.format}" if image.format else ""
    )
    try:
        data = smaller(image)
    except Exception as error:  # noqa: BLE001 - a file that is read lazily may be damaged
        return Summary(f"{head}\n[it could not be read: {type(error).__name__}: {str(error)[:120]}]")
    return Summary(f"{head}\nThe picture follows.", Picture(data))


def smaller(image: Any) -> bytes:
    """A Pillow image as a PNG of at most `LARGEST_SIDE` pixels and about `LARGEST_BYTES`; the image stays as it is."""
    side = LARGEST_SIDE
    while True:
        scale = min(1.0, side / max(image.size))
        drawn = image if scale >= 1 else image.resize([max(1, round(length * scale)) for length in image.size])
        if drawn.mode not in _PLAIN_MODES:
            drawn = drawn.convert("RGB")
        buffer = io.BytesIO()
        drawn.save(buffer, format="PNG")
        if buffer.tell() <= LARGEST_BYTES or side <= LARGEST_SIDE // 2**_TRIES:
            return buffer.getvalue()
        side = round(min(side, max(image.size)) * 0.7)


def _drawn(value: Any) -> Summary:
    """A value that says how it looks as a PNG; asking it is what a notebook does to show it."""
    kind = kind_of(value)
    try:
        made = value._repr_png_()  # IPython's protocol
    except Exception as error:  # noqa: BLE001 - a user's code
        return Summary(f"{kind}\n[it could not be drawn: {type(error).__name__}]")
    data = made[0] if isinstance(made, tuple) else made
    if isinstance(data, str):
        data = base64.b64decode(data)
    found = pixels(data) if isinstance(data, bytes) and data.startswith(b"\x89PNG") else None
    if found is None:
        return Summary(kind)
    if max(found) > LARGEST_SIDE or len(data) > LARGEST_BYTES:
        pillow = sys.modules.get("PIL.Image")
        if pillow is None:
            return Summary(
                f"{kind}, a picture of {found[0]} x {found[1]} pixels, {size(len(data))}: too big to hand over"
            )
        data = smaller(pillow.open(io.BytesIO(data)))
    return Summary(f"{kind}, a picture of {found[0]} x {found[1]} pixels\nThe picture follows.", Picture(data))
