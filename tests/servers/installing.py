"""Brings the servers that tests talk to, each as its lock pins it, into a folder outside of the repository.

::

    python tests/servers/installing.py aimock litellm

A folder is named after its lock, so that a changed lock is another folder, and is made once: whoever comes second
(another worker, another run of the tests) waits for the first and uses what it made.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCKS = {"aimock": "package-lock.json", "litellm": "requirements.txt"}
OLDEST_NODE = (20, 15)
"""What aimock wants (its ``engines``); it does not start with an older one."""
_MADE = "made"
"""The file that an installation ends with: a folder without it is one that broke off."""


class Unavailable(Exception):
    """Why a server can't be had on this machine, in one line."""


def install(name: str) -> Path:
    """The folder of a server, made where it is missing. Raises Unavailable."""
    if name == "aimock":
        node()
    folder = _folder(name)
    with _alone(folder):
        if not (folder / _MADE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            {"aimock": _install_aimock, "litellm": _install_litellm}[name](folder)
            (folder / _MADE).touch()
    return folder


def is_installed(name: str) -> bool:
    """Whether a server as its lock pins it is here already. Raises Unavailable."""
    return (_folder(name) / _MADE).exists()


def _folder(name: str) -> Path:
    lock = HERE / name / LOCKS[name]
    mark = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return _cache() / f"{name}-{mark}"


def _cache() -> Path:
    """``STATEBOOK_TESTS_CACHE``, else a folder in the user's cache or among the temporary files; ours alone."""
    named = os.environ.get("STATEBOOK_TESTS_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    folder = Path(named or (Path(home or tempfile.gettempdir()) / f"statebook-tests-{os.getuid()}"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # a predictable name in a shared folder: somebody else may have made it
        raise Unavailable(f"{folder} belongs to another user")
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    import fcntl

    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def node() -> str:
    """The Node that runs aimock. Raises Unavailable."""
    found = shutil.which("node")
    if not found:
        raise Unavailable("there is no Node here (https://nodejs.org, or `apt-get install nodejs npm`)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    number = re.match(r"v(\d+)\.(\d+)", version)
    if not number or (int(number[1]), int(number[2])) < OLDEST_NODE:
        raise Unavailable(f"{found} is {version.strip() or 'broken'}, and Node 20.15 or newer is needed")
    return found


def _install_aimock(folder: Path) -> None:
    npm = shutil.which("npm")
    if not npm:
        raise Unavailable("there is no npm here (`apt-get install npm`)")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "aimock" / file, folder)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder, 180)


def _install_litellm(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder, 120)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    _run([*pip, "-r", str(HERE / "litellm" / LOCKS["litellm"])], folder, 500)  # the lock names everything: no --deps


def _run(command: list[str], folder: Path, seconds: float) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`{' '.join(command[:4])} ...` took longer than {seconds:g} s") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no word why").splitlines()[-1]
        raise Unavailable(f"`{' '.join(command[:4])} ...` failed: {last}")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        try:
            print(f"{wanted}: {install(wanted)}")
        except Unavailable as why:
            sys.exit(f"{wanted}: {why}")
