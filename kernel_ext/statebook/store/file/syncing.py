"""Brings bytes and names to the disk itself: each system in its own way, as far as its file systems can."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

_CANT = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS})
"""How file systems say that they know no such request; some network ones do, and write by themselves."""


def sync(handle: int) -> None:
    """Until the disk itself has the file's bytes, and its length; other times of the file don't matter.

    macOS has to be asked in a way of its own, fcntl(2), which not all of its file systems know. OSError when it failed.
    """
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _CANT:
                raise
            os.fsync(handle)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(handle)
    else:
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """A new name is on disk only when its folder is synced, too; Windows has no way to ask for it, and no need."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANT:
            raise
    finally:
        os.close(handle)
