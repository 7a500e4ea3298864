"""Which reducer serves which type; types are told by name, so that no library is imported to ask."""

from __future__ import annotations

from typing import Any

from statebook.state.snapshots.contents.groups import qualified

from . import arrays, code, frames, odd
from .pickler import Reducer

_BY_NAME: dict[str, Reducer] = {
    "numpy.ndarray": arrays.reduce_array,
    "numpy.ma.MaskedArray": arrays.reduce_masked,
    "numpy.ma.core.MaskedArray": arrays.reduce_masked,
    "numpy.memmap": arrays.reduce_memmap,
    "numpy.core.memmap.memmap": arrays.reduce_memmap,
    "pandas.DataFrame": frames.reduce_frame,
    "pandas.Series": frames.reduce_series,
    "pandas.Index": frames.reduce_index,
    "pandas.RangeIndex": frames.reduce_range_index,
    "polars.dataframe.frame.DataFrame": frames.reduce_polars,
    "polars.series.series.Series": frames.reduce_polars,
    "builtins.function": code.reduce_function,
    "builtins.code": code.reduce_code,
    "builtins.cell": code.reduce_cell,
    "builtins.method": code.reduce_method,
    "functools._lru_cache_wrapper": code.reduce_cached,
    "builtins.module": odd.reduce_module,
    "weakref.ReferenceType": odd.reduce_weak,
    "builtins.weakref": odd.reduce_weak,
    "weakref.WeakKeyDictionary": odd.reduce_weak_mapping,
    "weakref.WeakValueDictionary": odd.reduce_weak_mapping,
    "weakref.WeakSet": odd.reduce_weak_set,
    "_weakrefset.WeakSet": odd.reduce_weak_set,
    "_thread.lock": odd.reduce_lock,
    "_thread.RLock": odd.reduce_lock,
    "sqlite3.Connection": odd.reduce_sqlite,
    "builtins.mappingproxy": odd.reduce_proxy,
    "builtins.dict_keys": odd.reduce_proxy,
    "builtins.dict_values": odd.reduce_proxy,
    "builtins.dict_items": odd.reduce_proxy,
    "types.SimpleNamespace": odd.reduce_names,
    "random.Random": odd.reduce_random,
    "numpy.random.mtrand.RandomState": odd.reduce_random,
    "typing.NewType": code.reduce_new_type,
    "builtins.memoryview": odd.reduce_memory_view,
    "concurrent.futures._base.Future": odd.reduce_future,
    "subprocess.Popen": odd.refuse("a running program can't be captured"),
    "builtins.generator": odd.refuse("a generator's place in its code can't be captured"),
    "builtins.coroutine": odd.refuse("a coroutine's place in its code can't be captured"),
    "builtins.async_generator": odd.refuse("a generator's place in its code can't be captured"),
    "builtins.frame": odd.refuse("a stack frame can't be captured"),
    "builtins.traceback": odd.refuse("a traceback holds stack frames"),
}
_BY_BASE: dict[str, Reducer] = {
    "threading.Thread": odd.refuse("a thread can't be captured"),
    "threading._thread._local": odd.refuse("values of each thread can't be captured"),
    "_thread._local": odd.refuse("values of each thread can't be captured"),
    "_io._IOBase": odd.refuse("an open file is tied to this process"),
    "tempfile._TemporaryFileWrapper": odd.refuse("an open file is tied to this process"),
    "tempfile.TemporaryDirectory": odd.refuse("a temporary folder is removed with its object"),
    "_socket.socket": odd.refuse("a connection is tied to this process"),
    "mmap.mmap": odd.refuse("mapped memory is tied to this process"),
    "asyncio.events.AbstractEventLoop": odd.refuse("an event loop is tied to this process"),
    "concurrent.futures._base.Executor": odd.refuse("its workers are tied to this process"),
    "multiprocessing.process.BaseProcess": odd.refuse("a process can't be captured"),
    "multiprocessing.pool.Pool": odd.refuse("its workers are tied to this process"),
    "pandas.core.generic.NDFrame": frames.reduce_pandas,
    "numpy.memmap": arrays.reduce_memmap,
    "numpy.ndarray": arrays.reduce_subclass,
    "builtins.type": code.reduce_class,
    "builtins.BaseException": code.reduce_exception,
    "matplotlib.figure.Figure": odd.reduce_figure,
    "logging.Logger": odd.reduce_logger,
}
_IN_MEMORY = frozenset({"_io.BytesIO", "_io.StringIO"})
"""Files that hold their own bytes."""

_OF_CONNECTIONS = ("_duckdb.", "duckdb.duckdb.", "duckdb._relation.")
"""Modules whose objects pickle into something that does not load."""
_CONNECTED: Reducer = odd.refuse("it is tied to a connection of this process")


def reducer_of(kind: type) -> Reducer | None:
    """The reducer of a type; None when pickle's own way is right."""
    name = qualified(kind)
    ours: dict[str, Reducer] = {
        "Own": arrays.reduce_own_memory,
        "Word": frames.reduce_word,
        "Lost": odd.reduce_placeholder,
    }
    if name.startswith("statebook.state.snapshots.pickling.") and kind.__qualname__ in ours:
        return ours[kind.__qualname__]
    found = _BY_NAME.get(name)
    if found is not None or name in _IN_MEMORY:
        return found
    for base in kind.__mro__:
        found = _BY_BASE.get(qualified(base))
        if found is not None:
            return _strict(found, kind)
    if name.startswith(_OF_CONNECTIONS):
        return _CONNECTED
    return code.reduce_instance if code.has_hooks(kind) else _borrowed(kind) or code.reducer_of_plain(kind)


def _strict(reducer: Reducer, kind: type) -> Reducer:
    """The reducer of a base class; a class of the notebook with hooks of its own is tried out besides."""
    if not code.has_hooks(kind) or issubclass(kind, type):
        return reducer

    def strict(pickler: Any, value: Any) -> Any:
        pickler.found.hooked.append(value)
        return reducer(pickler, value)

    return strict


def _borrowed(kind: type) -> Reducer | None:
    """The reducer that cloudpickle has for a type."""
    from cloudpickle import cloudpickle

    found = cloudpickle.Pickler._dispatch_table.get(kind)  # noqa: SLF001 - its table of reducers by type
    return None if found is None else lambda _pickler, value: found(value)
