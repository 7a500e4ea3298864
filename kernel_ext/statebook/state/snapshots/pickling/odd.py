"""Objects that pickle refuses or silently changes: adapters for some, a placeholder and the reason for the rest."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from statebook.state.snapshots.contents.groups import type_name

from .words.loading import Loading

if TYPE_CHECKING:
    from .pickler import SnapshotPickler


def reduce_module(pickler: SnapshotPickler, value: Any) -> Any:
    """Modules inside containers: by name."""
    import sys

    name: str = value.__name__
    if sys.modules.get(name) is not value:
        return pickler.lose(value, "a module that can't be imported by its name")
    return Loading.module, (name,)


def reduce_weak(pickler: SnapshotPickler, value: Any) -> Any:
    """Weak references: their target, and the reference to it."""
    target = value()
    if target is None:
        return Loading.dead, ()
    pickler.found.keep.append(target)
    return Loading.weak, (target, value.__callback__)


def reduce_weak_mapping(pickler: SnapshotPickler, value: Any) -> Any:
    """Mappings with weak keys or values: their items."""
    items = list(value.items())
    pickler.found.keep.append(items)
    return Loading.weak_collection, (type(value),), items, None, None, Loading.set_weak


def reduce_weak_set(pickler: SnapshotPickler, value: Any) -> Any:
    """Sets of weak references: their members."""
    members = list(value)
    pickler.found.keep.append(members)
    return Loading.weak_collection, (weakref.WeakSet,), members, None, None, Loading.set_weak


def reduce_logger(pickler: SnapshotPickler, value: Any) -> Any:
    """Loggers: by name, as ``logging`` keeps them; their settings are in the stream to tell a change of them."""
    pickler.note("a logger is found by its name, with the settings that it has now")
    handlers = [type_name(type(each)) for each in value.handlers]
    return Loading.logger, (value.name, value.level, value.propagate, value.disabled, handlers)


def reduce_lock(pickler: SnapshotPickler, value: Any) -> Any:
    """Locks: a new one if nobody holds it; who holds one would never give it back."""
    kind = type(value).__name__
    held = value._is_owned() if kind == "RLock" else value.locked()  # noqa: SLF001 - the only way to ask
    if not held and kind == "RLock":
        held = not value.acquire(blocking=False)  # by another thread
        if not held:
            value.release()
    if held:
        return pickler.lose(value, "a lock that is held")
    pickler.note("a lock comes back as a new one")
    return Loading.lock, (kind,)


def reduce_sqlite(pickler: SnapshotPickler, value: Any) -> Any:
    """SQLite connections: a database in memory with its contents, a file by its path."""
    try:
        cursor = value.cursor()
        cursor.row_factory = None  # the connection's may make anything of a row
        found = cursor.execute("PRAGMA database_list").fetchall()
        empty = cursor.execute("PRAGMA page_count").fetchone()[0] == 0  # SQLite does not serialize nothing
        data = None if found[0][2] or empty else value.serialize()
        settings = {name: getattr(value, name) for name in ("row_factory", "text_factory", "isolation_level")}
    except Exception as error:  # noqa: BLE001 - closed, of another thread, or built without serialize()
        return pickler.lose(value, str(error))
    if len(found) > 1 or value.in_transaction:
        return pickler.lose(value, "a connection with attached databases, temporary tables or an open transaction")
    pickler.note(
        f"a connection to {found[0][2]} is opened again; the database file itself is not rewound"
        if found[0][2]
        else "a database in memory comes back as a copy, without functions that were registered"
    )
    return Loading.sqlite, (found[0][2], data, settings)


def reduce_proxy(_pickler: SnapshotPickler, value: Any) -> Any:
    """Read-only views of mappings, and the keys, values and items of dicts: what they view, and how."""
    import gc

    (mapping,) = gc.get_referents(value)  # no attribute tells it
    for name in ("__dict__", "__weakref__"):
        owner = getattr(mapping.get(name), "__objclass__", None) if type(mapping) is dict else None
        if isinstance(owner, type) and gc.get_referents(vars(owner))[0] is mapping:
            return Loading.class_view, (owner,)
    return Loading.mapping_view, (type(value).__name__, mapping)


def reduce_figure(pickler: SnapshotPickler, value: Any) -> Any:
    """A figure of Matplotlib: while pyplot holds it, ``plt.title`` and other libraries draw on it unnamed."""
    import sys

    held = getattr(getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None), "figs", {})
    if any(manager.canvas.figure is value for manager in held.values()):
        pickler.found.outside = True
    return NotImplemented


def reduce_random(_pickler: SnapshotPickler, value: Any) -> Any:
    """The generator behind a module's own functions, by its module: its state is part of the surroundings."""
    import sys

    for module, name in (("random", "_inst"), ("numpy.random.mtrand", "_rand")):
        if getattr(sys.modules.get(module), name, None) is value:
            return Loading.global_random, (module,)
    return NotImplemented


def reduce_names(pickler: SnapshotPickler, value: Any) -> Any:
    """A ``types.SimpleNamespace``, whose dict something else may hold, too."""
    import sys

    if sys.getrefcount(value.__dict__) > 2:  # noqa: PLR2004 - the object itself and the call
        pickler.found.sharing = True
    return NotImplemented


def reduce_memory_view(pickler: SnapshotPickler, value: Any) -> Any:
    """Memory views of a whole object; others see a part in a way that can't be named."""
    if value.obj is not None and type(value.obj) in {bytes, bytearray} and memoryview(value.obj) == value:
        whole = value.nbytes == len(value.obj) and value.format == "B" and value.contiguous
        if whole and value.readonly is memoryview(value.obj).readonly:
            return Loading.memory_view, (value.obj,)
    return pickler.lose(value, "a view of a part of memory")


def reduce_placeholder(pickler: SnapshotPickler, value: Any) -> Any:
    """What was lost before stays lost, and is named again."""
    pickler.found.lost.append((value.type, value.why))
    return NotImplemented


def reduce_future(pickler: SnapshotPickler, value: Any) -> Any:
    """Futures that are done; others wait for work that is not captured."""
    return NotImplemented if value.done() else pickler.lose(value, "a future that waits for its result")


def refuse(why: str) -> Any:
    """A reducer that always gives a placeholder."""

    def reducer(pickler: SnapshotPickler, value: Any) -> Any:
        return pickler.lose(value, why)

    return reducer
