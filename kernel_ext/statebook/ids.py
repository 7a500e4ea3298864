"""Names for things: session ids, and the short forms people type (``r3``, ``#12``)."""

from __future__ import annotations

import re
import secrets

from .errors import UsageError


def new_session_id() -> str:
    """A fresh session id: 32 hexadecimal characters, 128 random bits."""
    return secrets.token_hex(16)


def run_name(number: int) -> str:
    """``3`` -> ``"r3"``."""
    return f"r{number}"


def checkpoint_name(number: int) -> str:
    """``12`` -> ``"#12"``."""
    return f"#{number}"


def parse_run(text: str) -> int:
    """``"r3"`` or ``"3"`` -> ``3``; UsageError otherwise."""
    match = re.fullmatch(r"r?(\d+)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a run.", "Runs are written r1, r2, ...; `%agent list` shows them.")
    return int(match[1])
