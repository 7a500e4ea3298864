"""What one snapshot holds, as plain JSON-able values: no pickle, and only what differs from its parent when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from statebook.errors import StoreDamaged

from .scope.names import is_of_user
from .seams import Piece, Pieces

VERSION = 1
"""Of the documents. A stream names functions of `pickling.words`: renaming one of them takes a new version."""


@dataclass(frozen=True, slots=True)
class Group:
    """Variables that share mutable objects or memory, captured together so that what they share stays shared."""

    names: tuple[str, ...]
    stream: Pieces
    proof: str
    """SHA-256 of the stored stream: what is unpickled is what was signed."""
    fingerprint: str
    """Digest of the stream as it was pickled, to tell that nothing changed."""
    buffers: tuple[Pieces, ...] = ()
    out_of_band: tuple[int, ...] = ()
    """Which buffers the stream takes in order; the others it names by number."""
    lost: tuple[tuple[str, str], ...] = ()
    """(type, why) of parts that could not be captured."""
    notes: tuple[str, ...] = ()
    """What comes back in another form, in words for a person."""

    def same(self, other: Group | None) -> bool:
        """Whether both hold the same values of the same variables."""
        return (
            other is not None
            and self.fingerprint == other.fingerprint
            and self.names == other.names
            and self.buffers == other.buffers
        )

    def size(self) -> int:
        """Bytes of the stream and the buffers, shared ones counted each time."""
        return sum(size for pieces in (self.stream, *self.buffers) for _, size in pieces)


@dataclass(frozen=True, slots=True)
class Missing:
    """A variable that is not in the snapshot."""

    type: str
    why: str
    cell: str = ""
    """The cell that made it, where that is known: running it makes the variable again."""
    live: str = ""
    """Names the live object in the kernel that took the snapshot."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One snapshot. ``groups`` is keyed by each group's first name."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    """Variables that are modules, with the modules' names."""
    surroundings: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    """Version of the language, as "3.11": code is kept as that version's bytecode."""

    def names(self) -> set[str]:
        """All variables that a kernel had, captured or not."""
        return {name for group in self.groups.values() for name in group.names} | {*self.missing, *self.modules}

    def digests(self) -> set[str]:
        """All chunks that restoring this needs."""
        found = {
            digest for group in self.groups.values() for part in (group.stream, *group.buffers) for digest, _ in part
        }
        random = self.surroundings.get("random")
        return found | {random[0]} if random else found

    def size(self) -> int:
        """Bytes of all distinct chunks of the groups."""
        pieces = {piece for group in self.groups.values() for part in (group.stream, *group.buffers) for piece in part}
        return sum(size for _, size in pieces)

    def document(self, parent: Manifest | None = None) -> dict[str, Any]:
        """The snapshot as JSON-able values; with a parent, only the groups in which it differs from it."""
        before = parent.groups if parent else {}
        return {
            "version": VERSION,
            "delta": parent is not None,
            "put": [_group_document(group) for key, group in self.groups.items() if before.get(key) is not group],
            "drop": [key for key in before if key not in self.groups],
            "missing": {name: asdict(missing) for name, missing in self.missing.items()},
            "modules": dict(self.modules),
            "surroundings": dict(self.surroundings),
            "python": self.python,
        }

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> Manifest:
        """The snapshot that a whole document and the deltas after it, oldest first, add up to.

        Raises StoreDamaged when a document is not of this form.
        """
        groups: dict[str, Group] = {}
        last: Mapping[str, Any] | None = None
        try:
            for document in documents:
                if document["version"] != VERSION or bool(document["delta"]) is (last is None):
                    raise StoreDamaged("The list of a snapshot's variables has another form.", _HINT)
                for key in document["drop"]:
                    del groups[key]
                for value in document["put"]:
                    group = _group_of(value)
                    groups[group.names[0]] = group
                last = document
            if last is None:
                return cls()
            return cls(
                groups,
                {_name(name): Missing(**_texts(value)) for name, value in last["missing"].items()},
                {_name(name): module for name, module in _texts(last["modules"]).items()},
                dict(last["surroundings"]),
                str(last["python"]),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            raise StoreDamaged("The list of a snapshot's variables can't be read.", _HINT) from error


_HINT = "Take another checkpoint, or restore a whole copy of the store."


def _group_document(group: Group) -> dict[str, Any]:
    return {
        "names": list(group.names),
        "stream": [list(piece) for piece in group.stream],
        "proof": group.proof,
        "fingerprint": group.fingerprint,
        "buffers": [[list(piece) for piece in pieces] for pieces in group.buffers],
        "out_of_band": list(group.out_of_band),
        "lost": [list(each) for each in group.lost],
        "notes": list(group.notes),
    }


def _group_of(value: Mapping[str, Any]) -> Group:
    return Group(
        tuple(map(_name, value["names"])),
        _pieces(value["stream"]),
        str(value["proof"]),
        str(value["fingerprint"]),
        tuple(_pieces(pieces) for pieces in value["buffers"]),
        tuple(map(int, value["out_of_band"])),
        tuple((str(kind), str(why)) for kind, why in value["lost"]),
        tuple(map(str, value["notes"])),
    )


def _name(value: Any) -> str:
    """A variable's name. Raises ValueError for what is none: Python and IPython live in the same namespace."""
    if not is_of_user(value):
        raise ValueError(value)
    return str(value)


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(each, str) for each in value.values()):
        raise TypeError(value)
    return dict(value)


def _pieces(value: Iterable[Any]) -> Pieces:
    found: list[Piece] = []
    for digest, size in value:
        if not isinstance(digest, str) or not isinstance(size, int) or size < 0:
            raise ValueError(digest)
        found.append((digest, size))
    return tuple(found)
