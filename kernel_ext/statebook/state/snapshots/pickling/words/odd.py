"""Words for what pickle itself refuses: references, locks, connections, and what is lost."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from statebook.state.snapshots.pickling.lost import Live, Lost


class OddWords:
    """Objects by other means than their own pickles."""

    live: Live
    revived: list[str]
    """Types of live objects that took the place of what is lost."""
    gone: list[tuple[str, str]]
    """(type, why) of what this loading could not rebuild."""
    targets: list[Any]
    """Weak references, whose targets something else must hold at the end."""

    def lost(self, kind: str, why: str, token: str = "") -> Any:
        """The live object that ``token`` names, else a placeholder."""
        found = self.live.find(token) if token else None
        if found is None:
            self.gone.append((kind, why))
            return Lost(kind, why)
        self.revived.append(kind)
        return found

    def module(self, name: str) -> Any:
        """A module by name."""
        import importlib

        return importlib.import_module(name)

    def weak(self, target: Any, callback: Any) -> Any:
        """A weak reference."""
        import weakref

        found = weakref.ref(target) if callback is None else weakref.ref(target, callback)
        self.targets.append(found)
        return found

    def weak_collection(self, kind: Any) -> Any:
        """An empty collection that holds weakly."""
        return kind()

    def set_weak(self, found: Any, items: Any) -> None:
        """Fill a collection that holds weakly; something else must hold what is in it at the end."""
        import weakref

        found.update(items)
        if isinstance(found, weakref.WeakValueDictionary):
            self.targets += found.valuerefs()
        elif isinstance(found, weakref.WeakKeyDictionary):
            self.targets += found.keyrefs()
        else:
            self.targets += map(weakref.ref, items)

    def logger(self, name: str, *_settings: Any) -> Any:
        """The logger of that name, as it is."""
        import logging

        return logging.getLogger(name)

    def dead(self) -> Any:
        """A weak reference whose target is gone."""
        import weakref

        return weakref.ref(type(self).__new__(type(self)))

    def lock(self, kind: str) -> Any:
        """A new lock that nobody holds."""
        import threading

        return threading.RLock() if kind == "RLock" else threading.Lock()

    def sqlite(self, path: str, data: bytes | None, settings: Mapping[str, Any]) -> Any:
        """A connection: to a file, or to a database in memory with its contents."""
        import sqlite3

        found = sqlite3.connect(path or ":memory:")
        if data is not None:
            found.deserialize(data)
        for name, value in settings.items():
            setattr(found, name, value)
        return found

    def cached(self, function: Any, parameters: Mapping[str, Any]) -> Any:
        """A function under ``functools.lru_cache``, its cache empty."""
        import functools

        return functools.lru_cache(**parameters)(function)

    def mapping_view(self, kind: str, mapping: Any) -> Any:
        """A view of a mapping: read-only, or of its keys, values or items."""
        if kind == "mappingproxy":
            return types.MappingProxyType(mapping)
        return getattr(mapping, kind.rpartition("_")[2])()

    def class_view(self, owner: type) -> Any:
        """A class's attributes."""
        return vars(owner)

    def global_random(self, module: str) -> Any:
        """The generator behind the functions of ``random`` or ``numpy.random``."""
        import importlib

        return getattr(importlib.import_module(module), "_inst" if module == "random" else "_rand")

    def memory_view(self, exporter: Any) -> Any:
        """A memoryview of a whole object."""
        return memoryview(exporter)
