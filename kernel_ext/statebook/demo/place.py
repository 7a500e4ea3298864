"""Where the demo reads and where it writes: never into the folder it reads, never over a file that is there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from statebook.errors import UsageError

DEFAULT = "statebook-demo"
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """``sources`` is the folder to read, ``folder`` the one to write to; ``own`` says that the sources are ours."""

    sources: Path
    folder: Path
    own: bool

    @property
    def notebook(self) -> Path:
        """The notebook that is made."""
        return self.folder / "research.ipynb"

    @property
    def ledger(self) -> Path:
        """Where the notebook's own tool writes a line per call."""
        return self.folder / "ledger.txt"

    @property
    def named(self) -> str:
        """The sources as the notebook names them: relative where they lie near it, else absolute."""
        near = self.folder.parent
        return Path(
            os.path.relpath(self.sources, self.folder) if _inside(self.sources, near) else self.sources
        ).as_posix()

    def leave(self) -> None:
        """Take back an output folder in which nothing was made but an empty store."""
        for path in self.folder.glob(f"{self.notebook.stem}.statebook.*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.folder.rmdir()


def choose(sources: str | None, out: str | None) -> Place:
    """Check the two folders and make the one to write to. Raises UsageError with what to do next."""
    named = _readable(sources) if sources is not None else None
    wanted = Path(out).expanduser().absolute() if out is not None else _default(named)
    if named is not None and _inside(wanted, named):
        raise UsageError(
            f"{wanted} lies inside {named}, and the demo writes nothing into the folder that it reads.",
            "Name another place: statebook demo FOLDER --out DIR",
        )
    folder = _make(wanted)
    if named is not None:
        return Place(named, folder, own=False)
    with as_file(files("statebook.demo") / "briefs") as briefs:
        shutil.copytree(briefs, folder / "briefs")
    return Place(folder / "briefs", folder, own=True)


def _readable(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise UsageError(
            f"There is no folder {path}.", "Name one with documents in it, or none for the built-in briefs."
        )
    if not path.is_dir():
        raise UsageError(f"{path} is a file.", f"Name the folder that holds it: statebook demo {path.parent}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(f"{path} can't be read.", "Check its permissions.")
    return path.resolve()


def _default(named: Path | None) -> Path:
    """Beside the person, or beside the sources when the person stands among them."""
    here = Path.cwd()
    return (named.parent if named is not None and _inside(here, named) else here) / DEFAULT


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _make(wanted: Path) -> Path:
    """The wanted folder, or its name with the next number where something is in it already."""
    for number in range(1, _MOST):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not any(folder.iterdir()):
                return folder.resolve()
        except FileExistsError:
            continue
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"{folder} can't be used: {reason}.", "Name another place with --out DIR.") from None
    raise UsageError(f"{wanted} and {_MOST - 1} folders like it are in use.", "Name another place with --out DIR.")
