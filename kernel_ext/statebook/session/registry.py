"""The sessions a kernel has open: one per store, and which of them is current."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from statebook.config import Settings, store_path
from statebook.store.store import Store

from .notebook.identity import Notebook
from .notebook.kinship import claim, settle
from .rewinding.unfinished import finish_move
from .session import Session
from .toolset import Surfaces
from .waiting import notices as notices_of


class Registry:
    """Opens sessions on first use and keeps them until the kernel ends.

    ``surfaces`` is what sessions are given of the kernel; ``tell`` shows a person one line, such as that a notebook
    was renamed or that a run was cut off.
    """

    def __init__(self, surfaces: Surfaces, tell: Callable[[str], None]) -> None:
        self._surfaces = surfaces
        self._tell = tell
        self._open: dict[Path, Session] = {}
        self.current: Session | None = None

    def ensure(self, settings: Settings, find: Callable[[], Notebook]) -> Session:
        """The current session; on first use that of the notebook that ``find`` gives. Raises StoreError subclasses."""
        if self.current is None:
            notebook = find()
            self.current = self.open(notebook, settings)
            if not notebook.certain:
                self._tell(
                    f"This kernel does not tell its notebook: the session is {notebook.store}."
                    " Name it yourself with `%agent open PATH`."
                )
        return self.current

    def open(self, notebook: Notebook, settings: Settings) -> Session:
        """Open a notebook's session and make it current. Raises StoreError subclasses; the current one stays then."""
        session = self.holding(notebook.store)
        if session is None:
            self._let_go_of_moved(notebook.store)
            notices = [claim(notebook)]
            store = Store(notebook.store)
            try:
                notices.append(settle(store, notebook, told=bool(notices[0])))
                session = Session(store, notebook, settings, self._surfaces)
                notices.append(finish_move(session))
                waits = notices_of(store, session.open_runs(), session.asking())
                notices += waits or [session.keeper.opening()]
            except BaseException:
                store.close()
                raise
            session.spending.held = self._store
            self._open[notebook.store.resolve()] = session
            for notice in filter(None, notices):
                self._tell(notice)
        if self.current is not None and self.current is not session:
            self.current.keeper.leave()
        self.current = session
        return session

    def holding(self, store: Path) -> Session | None:
        """The open session of a store, current or not: the file can't be opened a second time."""
        return self._open.get(store.resolve())  # by whichever link or spelling: one file, one session

    def forget(self, session: Session) -> None:
        """Know no more of a session, without closing it."""
        self._open = {path: known for path, known in self._open.items() if known is not session}
        self.current = None if self.current is session else self.current

    def _let_go_of_moved(self, store: Path) -> None:
        """Close a session whose file was moved to ``store`` while it was open: one file, one connection."""
        for session in list(self._open.values()):
            moved = session.store.database.moved_to()
            if moved is not None and store.exists() and moved.samefile(store):
                self.forget(session)
                session.close()

    def _store(self, path: Path) -> Store | None:
        session = self.holding(path)
        return session.store if session else None

    def close(self) -> None:
        """Close every session; the next use opens anew."""
        for session in self._open.values():
            session.close()
        self._open.clear()
        self.current = None


def named(text: str, folder: Path) -> Notebook:
    """The notebook or store that a person names: ``notes.ipynb``, ``notes.statebook.duckdb`` or just ``notes``."""
    path = (folder / Path(text).expanduser()).absolute()
    if path.suffix == ".duckdb":
        stem = path.name.removesuffix(".duckdb").removesuffix(".statebook")
        return Notebook(path.with_name(f"{stem}.ipynb"), path, "named by the person")
    if path.suffix != ".ipynb":
        path = path.with_name(f"{path.name}.ipynb")
    return Notebook(path, store_path(path), "named by the person")
