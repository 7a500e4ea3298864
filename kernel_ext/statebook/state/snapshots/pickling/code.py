"""Functions as their code over live globals, and the classes of the notebook with cloudpickle's reducers."""

from __future__ import annotations

import copyreg
import enum
import functools
import sys
import types
from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from statebook.state.snapshots.contents.groups import by_value
from statebook.state.snapshots.scope.touched import ANY_NAME, is_of_own_module, names_of

from .words.loading import Loading

if TYPE_CHECKING:
    from .pickler import SnapshotPickler

_HOOKS = frozenset({
    "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__", "__new__",
    "__setattr__", "__setitem__", "append", "extend", "add", "__hash__", "__getattr__", "__getattribute__",
})  # fmt: skip
"""Methods that run while an object is pickled or rebuilt, or decide on it."""
_TUPLE = frozenset({
    "__new__", "_make", "_replace", "__repr__", "_asdict", "__getnewargs__", "__match_args__", "__slots__", "_fields",
    "_field_defaults", "__replace__",
})  # fmt: skip
"""What ``collections.namedtuple`` itself puts into a class."""


def reduce_function(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of functions: by name where a module has them, else code, defaults, cells and attributes."""
    if not by_value(value):
        return _by_name(pickler, value)
    names = value.__globals__
    module = None
    if not _of_notebook(pickler, names):
        module = names.get("__name__")
        if vars(sys.modules.get(module or "", types.ModuleType("none"))) is not names:
            if not _same_names(pickler, value):
                return pickler.lose(value, "its globals are neither the notebook's nor a module's")
            module = None
    pickler.found.uses |= names_of(value.__code__)
    cells = value.__closure__ or ()
    state = (
        value.__defaults__,
        value.__kwdefaults__,
        dict(value.__dict__),
        {
            "__qualname__": value.__qualname__,
            "__module__": value.__module__,
            "__doc__": value.__doc__,
            "__annotations__": dict(value.__annotations__),
        }
        | ({"__type_params__": value.__type_params__} if getattr(value, "__type_params__", ()) else {}),
    )
    return Loading.function, (value.__code__, module, value.__name__, cells), state, None, None, Loading.set_function


def _by_name(pickler: SnapshotPickler, value: Any) -> Any:
    """What a module has: where that is the user's, its code may use and change whatever the module holds."""
    if is_of_own_module(value):
        pickler.found.uses |= ANY_NAME
    return NotImplemented


def reduce_code(_pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of code objects: marshal's second version, the newest whose bytes do not depend on chance."""
    import marshal

    return Loading.code, (marshal.dumps(value, 2), sys.hexversion >> 16)


def reduce_cell(_pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of closure cells."""
    try:
        state = (value.cell_contents,)
    except ValueError:  # empty
        return Loading.cell, ()
    return Loading.cell, (), state, None, None, Loading.set_cell


def reduce_method(_pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of bound methods."""
    return Loading.method, (value.__func__, value.__self__)


def reduce_new_type(_pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of ``typing.NewType``: by name where a module has it."""
    if not by_value(value):
        return NotImplemented
    return (
        Loading.new_type,
        (value.__name__, value.__supertype__),
        dict(vars(value)),
        None,
        None,
        Loading.set_attributes,
    )


def reduce_cached(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of ``functools.lru_cache``: by name where a module has it."""
    function = value.__wrapped__
    if not (isinstance(function, types.FunctionType) and by_value(function)):
        return NotImplemented
    if value.cache_info().currsize:
        pickler.note("a cached function comes back with an empty cache")
    return Loading.cached, (function, value.cache_parameters())


def reduce_class(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of classes: by name where a module has them, else cloudpickle's, and always a new class."""
    from cloudpickle import cloudpickle

    if value in _singletons():
        return NotImplemented
    if getattr(types, value.__name__, None) is value or value.__module__ == "builtins":
        return cloudpickle._class_reduce(value)  # noqa: SLF001 - the reducer is cloudpickle's core, stable since 1.6
    if not by_value(value):
        return _by_name(pickler, value)
    if value.__bases__ == (tuple,) and "_field_defaults" in value.__dict__:
        return _reduce_named_tuple(value)
    reduced = cloudpickle._dynamic_class_reduce(value)  # noqa: SLF001 - as above
    state = dict(reduced[2][0])
    if issubclass(value, enum.Enum):
        state = {name: each for name, each in state.items() if not _made_by_enum(name)}
        members = {each.name: _attributes(each) for each in value if _attributes(each)}
        return Loading.new_enum, reduced[1][:5], (state, members), None, None, Loading.set_class
    meta, name, bases, names = reduced[1][:4]
    if "__slots__" in state:
        names = names | {"__slots__": state.pop("__slots__")}
    if by_value(meta) or any(by_value(base) and "__init_subclass__" in vars(base) for base in value.__mro__[1:]):
        pickler.found.hooked.append(value)
    return Loading.new_class, (meta, name, bases, names), (state, {}), None, None, Loading.set_class


def reduce_instance(pickler: SnapshotPickler, value: Any) -> Any:
    """Objects of the notebook's classes whose own hooks take part: as they say, but tried out, and named."""
    pickler.found.hooked.append(value)
    if _is_finalized(type(value)):
        _finalize(pickler, value)
    try:
        reduced: Any = value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - the object's own code; the pickler meets it again, and names it
        return NotImplemented
    if isinstance(reduced, str):
        return pickler.lose(value, "its __reduce__ gives a name, and not what it holds")
    return NotImplemented if type(value) in copyreg.dispatch_table else reduced


def reduce_hashed(pickler: SnapshotPickler, value: Any) -> Any:
    """Objects whose hash a dataclass made of their attributes: a set in a cycle takes them in before they have any."""
    pickler.found.hashed = True
    return reduce_plain(pickler, value) if is_plain(type(value)) else NotImplemented


def _is_hashed(kind: Any) -> bool:
    """Whether a class of the notebook has a hash of its own, be it written or made."""
    return isinstance(kind.__hash__, types.FunctionType) and by_value(kind)


def reduce_finalized(pickler: SnapshotPickler, value: Any) -> Any:
    """Objects of the notebook's classes with a ``__del__``: it runs for the object that is replaced."""
    _finalize(pickler, value)
    return reduce_plain(pickler, value) if is_plain(type(value)) else NotImplemented


def _finalize(pickler: SnapshotPickler, value: Any) -> None:
    pickler.found.finalized = True
    pickler.note(f"{type(value).__qualname__} comes back as another object, and the __del__ of the one before runs")


def reduce_plain(pickler: SnapshotPickler, value: Any) -> Any:
    """Objects that pickle as their attributes: whether the dict of these is theirs alone."""
    if getrefcount(value.__dict__) > _ALONE:
        pickler.found.sharing = True
    return NotImplemented


def reducer_of_plain(kind: type) -> Callable[[SnapshotPickler, Any], Any] | None:
    """The reducer of objects without hooks in their pickling; None where nothing has to be looked at."""
    if _is_finalized(kind):
        return reduce_finalized
    if _is_hashed(kind):
        return reduce_hashed
    return reduce_plain if is_plain(kind) else None


def is_plain(kind: Any) -> bool:
    """Whether objects pickle as their attributes, in a dict."""
    base: Any = object
    default = kind.__reduce_ex__ is base.__reduce_ex__ and kind.__reduce__ is base.__reduce__
    return default and bool(kind.__dictoffset__) and getattr(kind, "__getstate__", _STATE) is _STATE


def _is_finalized(kind: type) -> bool:
    """Whether a class of the notebook says what happens to an object at its end."""
    return any("__del__" in vars(base) and by_value(base) for base in kind.__mro__)


class _Plain:
    pass


_PLAIN = _Plain()
_STATE = getattr(object, "__getstate__", None)
_ALONE = getrefcount(_PLAIN.__dict__)
"""References to the attributes of an object that nothing else holds."""


def has_hooks(kind: type) -> bool:
    """Whether a class of the notebook has a say in how its objects are pickled or rebuilt."""
    return any(
        _is_written(base, name) for base in kind.__mro__ if by_value(base) for name in _HOOKS & vars(base).keys()
    )


def _is_written(base: type, name: str) -> bool:
    """Whether a person wrote this method: not ``dataclass``, ``namedtuple`` or ``Enum``."""
    method = vars(base)[name]
    method = getattr(method, "__func__", method)
    code = getattr(method, "__code__", None)
    return code is not None and method.__module__ == base.__module__ and code.co_filename != "<string>"


def reduce_exception(pickler: SnapshotPickler, value: BaseException) -> Any:
    """Exceptions with cause and context; a traceback holds frames, which can't be captured."""
    kind = type(value)
    if value.__traceback__ is not None:
        pickler.note(f"{kind.__name__} comes back without its traceback")
    reduced: Any = value.__reduce_ex__(5)
    if isinstance(kind.__reduce__, types.FunctionType):
        return reduced
    own_init = isinstance(kind.__init__, types.FunctionType)  # its parameters need not be args
    head = (Loading.exception, (kind, value.args)) if own_init else reduced[:2]
    state = reduced[2] if len(reduced) > 2 else None  # noqa: PLR2004 - as pickle has it
    links = (value.__cause__, value.__context__, value.__suppress_context__)
    return (*head, (state, *links), None, None, Loading.set_exception)


@functools.cache
def _singletons() -> frozenset[type]:
    return frozenset({type(None), type(...), type(NotImplemented)})


def _of_notebook(pickler: SnapshotPickler, names: Any) -> bool:
    return names is pickler.namespace or names is vars(sys.modules["__main__"])


def _same_names(pickler: SnapshotPickler, function: Any) -> bool:
    """Whether all globals that a function uses are the notebook's too, as those of a script are after %run."""
    used = names_of(function.__code__) & function.__globals__.keys()
    return all(pickler.namespace.get(name, pickler) is function.__globals__[name] for name in used)


def _reduce_named_tuple(value: Any) -> Any:
    state = {
        name: each
        for name, each in value.__dict__.items()
        if name not in _TUPLE and name not in {"__dict__", "__weakref__", *value._fields}
    }
    arguments = (value.__name__, value._fields, value.__new__.__defaults__, value.__module__)
    return Loading.named_tuple, arguments, (state, {}), None, None, Loading.set_class


def _attributes(member: Any) -> dict[str, Any]:
    """What an enum's own code gave one of its members."""
    made = {"_value_", "_name_", "__objclass__", "_sort_order_"}
    return {name: each for name, each in vars(member).items() if name not in made}


def _made_by_enum(name: str) -> bool:
    return name in {"_member_names_", "_member_map_", "_value2member_map_", "_unhashable_values_",
                    "_hashable_values_", "_unhashable_values_map_", "_value_repr_", "__new__", "_new_member_",
                    "_use_args_", "_generate_next_value_"}  # fmt: skip
