"""Bytes to text: which encoding they are in, whether they are text at all, and names that are safe to show."""

from __future__ import annotations

import codecs
import re

from statebook.protocol.passages import MARK

_MARKS_OF_ORDER = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1b\b")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def decode(data: bytes) -> tuple[str, str]:
    """The text of some bytes and the encoding it was in; ("", "") where they are not text.

    UTF-8, or what a byte order mark says, or UTF-16 that shows by its zero bytes; else one of the single-byte
    encodings of western Europe, if hardly any byte is a control character. A character cut off at the end is dropped.
    """
    for mark, name in _MARKS_OF_ORDER:
        if data.startswith(mark):
            return codecs.getincrementaldecoder(name)("replace").decode(data), name
    if b"\0" in data[:65536]:
        return _utf16(data)
    try:
        return codecs.getincrementaldecoder("utf-8")("strict").decode(data), "utf-8"
    except UnicodeDecodeError:
        pass
    controls = len(data) - len(data.translate(None, _CONTROL))
    if controls > len(data) / 1000:
        return "", ""
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _utf16(data: bytes) -> tuple[str, str]:
    """UTF-16 without a byte order mark, as some exports write: every other byte of Latin text is zero."""
    sample = data[:4096]
    half = max(len(sample) // 2, 1)
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = sample[start::2].count(0)
        others = sample[1 - start :: 2].count(0)
        if zeros > half * 0.7 and others == 0:
            return codecs.getincrementaldecoder(name)("replace").decode(data), name
    return "", ""


def shown(name: str) -> str:
    """A path or title on one line, without control characters, and without anything that reads as a citation mark."""
    return MARK.sub(r"(\1)", _UNSAFE.sub("?", name)).replace(" · ", " - ")
