"""A virtual environment for each peer, made once from its pinned requirements; the product's own is not touched."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

MINUTES = 10


def interpreter(requirements: Path, folder: Path) -> Path:
    """The Python of an environment with exactly these requirements, installed where it is not there yet.

    Raises RuntimeError with pip's last words where it can't be installed.
    """
    content = requirements.read_bytes() + sys.version.encode()
    place = folder / f"{requirements.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = place / "complete"
    if complete.exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True, timeout=120)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(requirements)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=MINUTES * 60)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not installed within {MINUTES} minutes") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr if isinstance(error.stderr, str) else (error.stderr or b"").decode(errors="replace")
        raise RuntimeError(said.strip().splitlines()[-1] if said.strip() else "pip failed") from None
    complete.touch()
    return python


def version(requirements: Path, package: str) -> str:
    """The pinned version of a package."""
    pins = dict(line.split("==") for line in requirements.read_text().splitlines() if "==" in line)
    return pins[package]
