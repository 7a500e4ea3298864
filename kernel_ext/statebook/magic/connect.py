"""``statebook.connect()``: one's own agent history as DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from statebook.errors import UsageError
from statebook.session.registry import named
from statebook.store.store import Store
from statebook.store.views import VIEWS

if TYPE_CHECKING:
    import pandas as pd


class Records:
    """A store's views: ``records.runs`` is a DataFrame, ``records.sql(query)`` asks for one. Reads only."""

    def __init__(self, store: Store, *, owned: bool) -> None:
        self._store = store
        self._owned = owned

    def sql(self, query: str) -> pd.DataFrame:
        """The rows of one SELECT over the views. Raises UsageError."""
        return self._store.sql(query)

    def __getattr__(self, name: str) -> pd.DataFrame:
        """A view by name."""
        if name not in VIEWS:
            raise AttributeError(f"no view named {name!r}; there are {', '.join(VIEWS)}")
        return self.sql(f"SELECT * FROM {name}")  # noqa: S608 - one of our own names

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *VIEWS]

    def __repr__(self) -> str:
        return f"<{self._store.path.name}: {', '.join(VIEWS)}>"

    def close(self) -> None:
        """Let go of a store that was opened by name; the running session's stays open."""
        if self._owned:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def connect(path: str | Path | None = None) -> Records:
    """The views of this kernel's session, or of the store (or notebook) at ``path``, opened for reading only.

    Raises UsageError (no session here, no such store), SessionLocked (another process holds it), StoreError.
    """
    loaded = _loaded()
    if path is None:
        if loaded is None:
            raise UsageError("No session is open here.", "Run `%load_ext statebook`, or name a store: connect(PATH).")
        return Records(loaded.magics.session().store, owned=False)
    store = named(str(path), Path.cwd()).store
    held = loaded.magics.registry.holding(store) if loaded is not None else None
    if held is not None:
        return Records(held.store, owned=False)
    return Records(Store(store, read_only=True), owned=True)


def _loaded() -> Any:
    from IPython import get_ipython

    return getattr(get_ipython(), "_statebook", None)
