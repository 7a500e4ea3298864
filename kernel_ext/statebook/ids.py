"""Names for things: session ids, and the short forms people type (``r3``, ``#12``)."""

from __future__ import annotations

import secrets


def new_session_id() -> str:
    """A fresh session id: 32 hexadecimal characters, 128 random bits."""
    return secrets.token_hex(16)


def run_name(number: int) -> str:
    """``3`` -> ``"r3"``."""
    return f"r{number}"


def checkpoint_name(number: int) -> str:
    """``12`` -> ``"#12"``."""
    return f"#{number}"
