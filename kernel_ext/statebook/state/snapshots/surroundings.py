"""What variables alone do not tell: random states, the working directory and changes to the environment."""

from __future__ import annotations

import json
import os
import random
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from statebook.redaction import quotable

from .contents.groups import readable
from .seams import Chunks, digest_of

_SECRET = re.compile(
    r"key|token|secret|pass|pwd|credential|auth|cookie|signature|private|dsn|conn(ection)?_?str", re.IGNORECASE
)


_NAMED = 3
"""Variables of the environment that are named."""
_LEGACY = "MT19937"
"""The generator behind NumPy's global functions, unless a user replaces it."""


class Surroundings:
    """Reads and restores them, relative to the environment this process began with."""

    def __init__(self, chunks: Chunks, environment: Mapping[str, str] | None = None) -> None:
        self._chunks = chunks
        self._begin = dict(os.environ if environment is None else environment)
        self._random: tuple[list[Any], list[Any]] = ([], [])
        """The random states that were read last, and the chunk that holds them."""

    def read(self) -> dict[str, Any]:
        """As JSON-able values; the random states are a chunk of JSON."""
        changes, secret = self._changes()
        return {
            "folder": _kept(_folder()),
            "environment": {name: _kept(value) for name, value in changes.items() if readable(name) == name},
            "secret": secret,
            "random": self._read_random(),
        }

    def _read_random(self) -> list[Any]:
        """Digest and size of the chunk; made anew only when a state has moved."""
        raw = _raw_states()
        known, chunk = self._random
        if raw != known:
            states = json.dumps(_plain_states(raw), separators=(",", ":")).encode("ascii")
            chunk = [digest_of(states), len(states)]
            if not self._chunks.has(chunk[0]):
                self._chunks.put(chunk[0], states)
            self._random = raw, chunk
        return list(chunk)

    def restore(self, values: Mapping[str, Any]) -> list[str]:
        """Make them as they were; gives what could not be, in words. Variables are in place by then: nothing raises."""
        failed = _tried("the working directory", lambda: _go_to(_text(values.get("folder", "")) or ""))
        changes, secret = values.get("environment", {}), values.get("secret", [])
        failed += _tried("the environment", lambda: self._restore_environment(_texts(changes), secret))
        if values.get("random"):
            failed += _tried("random states", lambda: _restore_random(self._kept_random(*values["random"])))
        return failed

    def _kept_random(self, digest: str, size: int) -> dict[str, Any]:
        data = bytearray(size)
        self._chunks.get_into(digest, memoryview(data))
        found: dict[str, Any] = json.loads(data)
        return found

    def differing(self, values: Mapping[str, Any]) -> list[str]:
        """What `restore` would change of the working directory and the environment, in words, and not of randomness."""
        folder, environment = _text(values.get("folder", "")) or "", _texts(values.get("environment", {}))
        told = [f"the working directory ({readable(folder)})"] if folder and folder != _folder() else []
        wanted = self._wanted(environment, values.get("secret", []))
        names = [name for name, value in wanted.items() if os.environ.get(name) != value]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            told.append(f"{', '.join(sorted(names)[:_NAMED])}{more} of the environment")
        return told

    def _changes(self) -> tuple[dict[str, str | None], list[str]]:
        """Variables of the environment that are not as in the beginning; of those that look secret only the names."""
        changes: dict[str, str | None] = {}
        secret = []
        for name in sorted(os.environ.keys() | self._begin.keys()):
            value = os.environ.get(name)
            if value == self._begin.get(name):
                continue
            if value is not None and is_secret(name, value):
                secret.append(name)
            else:
                changes[name] = value
        return changes, secret

    def _wanted(self, changes: Mapping[str, str | None], secret: list[str]) -> dict[str, str | None]:
        """The values that variables of the environment are to have; None for none."""
        present, _ = self._changes()
        wanted = {name: self._begin.get(name) for name in present} | dict(changes)
        # of one that is secret, then or now, no value is stored: nothing could bring it, or bring it back, so it stays
        now = {name for name, value in os.environ.items() if is_secret(name, value)}
        return {name: value for name, value in wanted.items() if name not in now and name not in secret}

    def _restore_environment(self, changes: Mapping[str, str | None], secret: list[str]) -> list[str]:
        failed = []
        for name, value in self._wanted(changes, secret).items():
            try:
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            except (ValueError, OSError) as error:  # a name or value that this system does not take
                failed.append(f"{name} of the environment: {error}")
        return failed


def is_secret(name: str, value: str) -> bool:
    """Whether a variable of the environment looks like something that must not be stored."""
    return _SECRET.search(name) is not None or quotable(value) != " ".join(value.split()).rstrip(". ")


def _kept(text: str | None) -> Any:
    """Text as JSON takes it; what is not Unicode as its bytes, as a path may be of any."""
    return text if text is None or readable(text) == text else list(os.fsencode(text))


def _text(value: Any) -> str | None:
    return os.fsdecode(bytes(value)) if isinstance(value, list) else value


def _texts(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: _text(value) for name, value in values.items()}


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a string is what the manifest holds
    except OSError:  # it was removed
        return ""


def _raw_states() -> list[Any]:
    """The states of random, numpy.random and torch, as they give them; quick to compare."""
    raw: list[Any] = [random.getstate(), None, None]
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        found = numpy_random.get_state(legacy=False)
        if found["bit_generator"] == _LEGACY:
            name, numbers, *rest = numpy_random.get_state()
            raw[1] = (name, numbers.tobytes(), *rest)
        else:
            raw[1] = (found["bit_generator"],)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        raw[2] = torch.get_rng_state().numpy().tobytes()
    return raw


def _plain_states(raw: list[Any]) -> dict[str, Any]:
    version, numbers, gauss = raw[0]
    states: dict[str, Any] = {"random": [version, list(numbers), gauss]}
    if raw[1] is not None and raw[1][0] != _LEGACY:
        states["numpy"] = raw[1][0]
    elif raw[1] is not None:
        states["numpy"] = [raw[1][0], list(memoryview(raw[1][1]).cast("I")), *raw[1][2:]]
    if raw[2] is not None:
        states["torch"] = raw[2].hex()
    return states


def _tried(what: str, restore: Callable[[], list[str]]) -> list[str]:
    """What a step could not restore, in words; also where it raised, so that the other steps are taken all the same."""
    try:
        return restore()
    except Exception as error:  # noqa: BLE001 - generators, files and values of any kind
        return [f"{what}: {error}"]


def _go_to(folder: str) -> list[str]:
    try:
        if folder and folder != _folder():
            os.chdir(folder)
    except OSError as error:
        return [f"the working directory {readable(folder)}: {error.strerror}"]
    return []


def _restore_random(states: Mapping[str, Any]) -> list[str]:
    failed = []
    for name, restore in (("random", _restore_python), ("numpy", _restore_numpy), ("torch", _restore_torch)):
        if name in states:
            failed += _tried(f"the random state of {name}", partial(restore, states[name]))
    return failed


def _restore_python(state: Any) -> list[str]:
    version, numbers, gauss = state
    random.setstate((version, tuple(numbers), gauss))
    return []


def _restore_numpy(state: Any) -> list[str]:
    if isinstance(state, str):
        return [f"the random state of numpy, whose generator was replaced by {state}"]
    import numpy as np

    try:
        np.random.set_state(tuple(state))  # noqa: NPY002 - the legacy state is what users seed
    except ValueError:
        return ["the random state of numpy, whose generator is another one now"]
    return []


def _restore_torch(state: Any) -> list[str]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return ["the random state of torch, which is not imported"]
    torch.set_rng_state(torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8))
    return []
