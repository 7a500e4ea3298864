"""Which files are neither opened by tools nor kept in checkpoints: our own store, and places that hold secrets."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath

_OWN = ("*.statebook.duckdb*", "*.statebook.objects")
SECRET_FOLDERS = frozenset({".git", ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker"})
SECRET_FILES = (
    *(".env", ".env.*", ".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.p12", "*.pfx", "*.keystore"),
)


def why_protected(path: PurePath) -> str:
    """Why a path (relative to the workspace) is out of reach, as the end of a sentence; "" where it is not.

    Compared without case, since some file systems ignore it.
    """
    for part in (part.casefold() for part in path.parts):
        if any(fnmatchcase(part, pattern) for pattern in _OWN):
            return "belongs to the session's own store"
        if part in SECRET_FOLDERS:
            return f"lies in {part}, which may hold secrets"
        if any(fnmatchcase(part, pattern) for pattern in SECRET_FILES):
            return "may hold secrets"
    return ""
