"""Signs snapshots with a key that lies outside the store, so that only what this user's kernels wrote is unpickled."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from statebook.errors import StoreReadOnly

KeySource = Callable[[], bytes]
"""Gives the user's key: 32 bytes."""

_BYTES = 32


def key_path() -> Path:
    """Where the user's key lies: ``statebook/snapshot.key`` in Jupyter's data folder."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "statebook" / "snapshot.key"


def key_of_user(path: Path | None = None) -> bytes:
    """The user's key, made on first use and readable by nobody else.

    Two kernels that make it at once end up with one key: the first complete file stays. Raises StoreReadOnly when it
    can't be read or made.
    """
    place = path or key_path()
    try:
        if not place.exists():
            _make(place)
        key = place.read_bytes()
    except OSError as error:
        raise StoreReadOnly(f"The key for snapshots, {place}, can't be used: {error.strerror}.", _HINT) from error
    if len(key) != _BYTES:
        raise StoreReadOnly(f"The key for snapshots, {place}, is damaged.", "Remove it; snapshots become foreign.")
    return key


_HINT = "Make its folder writable for you."


def sign(document: Mapping[str, Any], key: bytes, context: str = "") -> str:
    """HMAC-SHA-256 (RFC 2104) of a manifest's document, as hexadecimal digits.

    ``context`` names what it must not be moved away from: the store's id, the row's name, the parent's signature.
    """
    text = json.dumps([context, document], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


def _make(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, place)  # unlike a rename, it never replaces another kernel's key
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not place.exists():
                part.replace(place)
    finally:
        part.unlink(missing_ok=True)
