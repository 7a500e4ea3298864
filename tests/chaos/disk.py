"""A disk that remembers every request in order, and gives back what a crash at any moment may leave of it.

`recorder.c` is put between a process and its C library (LD_PRELOAD), so that what the database really asks of the
disk is recorded: writes, cuts, syncs, names given and removed. A killed process leaves all it asked for, and its last
write torn between two pages. A power cut also loses what was not synced: all of it, its end, or some pages of it, and
tears a write between two sectors. Names are given and removed in order; how many of them a power cut may forget
differs between file systems, so both kinds are tried:

- any sync writes out all names so far (a journal of them, as ext4, XFS and APFS have), or
- a sync writes out only the names of its own file, or of its folder (as btrfs does, and POSIX allows).

Files below a folder that a process uses to keep count of the world outside (``WORLD``) are not on this disk: what
happened outside has happened.
"""

import random
import struct
from dataclasses import dataclass, field

WORLD = ("acknowledged", "ledger", "asked")
SECTOR, PAGE = 512, 4096
_HEAD = struct.Struct("<cHHQQ")


@dataclass(frozen=True, slots=True)
class Request:
    """One request about ``name``; ``what`` is one of

    c(reate), w(rite), t(runcate), s(ync), u(nlink), r(ename to ``other``), l(ink as ``other`` too).
    """

    what: str
    name: str
    other: str
    offset: int
    data: bytes


def requests_of(record):
    """The recorded requests, in order."""
    raw, place = record.read_bytes(), 0
    while place < len(raw):
        what, name, other, offset, length = _HEAD.unpack_from(raw, place)
        place += _HEAD.size
        first, second = place + name, place + name + other
        third = second + (length if what == b"w" else 0)
        yield Request(what.decode(), raw[place:first].decode(), raw[first:second].decode(), offset, raw[second:third])
        place = third


@dataclass(slots=True, eq=False)
class File:
    """What is safe on the disk, and what was asked for since the last sync."""

    safe: bytes = b""
    pending: list[Request] = field(default_factory=list)


class Disk:
    """Files by name while requests come in."""

    def __init__(self, found=()):
        """``found``: (name, bytes) of what lies there at first, safely."""
        self.names: dict[str, File] = {}
        self.world: dict[str, bytes] = {}
        for name, data in dict(found).items():
            if _outside(name):
                self.world[name] = data
            else:
                self.names[name] = File(data)
        self._settled = dict(self.names)
        self._steps: list[tuple[str, dict[str, File | None]]] = []
        """("names", what changed) and ("sync", the names of the file that was synced), since they were settled."""

    def take(self, request):
        """The next request, fully carried out as far as the process can see."""
        name = request.name
        if _outside(name):
            if request.what == "w":
                self.world[name] = self.world.get(name, b"") + request.data
        elif request.what == "c":
            if name not in self.names:
                self._rename({name: File()})
        elif request.what == "u":
            self._rename({name: None})
        elif request.what in "rl":
            self._rename({request.other: self.names[name]} | ({name: None} if request.what == "r" else {}))
        elif request.what == "s":
            self._sync(name)
        else:
            self.names[name].pending.append(request)

    def _rename(self, changes):
        self._steps.append(("names", changes))
        self.names = _renamed(self.names, changes)

    def _sync(self, name):
        file = self.names.get(name)
        if file is None:  # a folder
            self._settled, self._steps = dict(self.names), []
            return
        file.safe, file.pending = _applied(file.safe, file.pending), []
        self._steps.append(("sync", {each: file for each, other in self.names.items() if other is file}))

    @property
    def folding(self):
        """Whether a log is being folded into its file at this moment."""
        return any(name.endswith(".fold") for name in self.names)

    def after_crash(self, choose: random.Random):
        """{name: bytes} of what is found afterwards."""
        files = {}
        if choose.random() < 0.3:
            names, keep = self.names, _killed
        else:
            names, keep = self._names_after(choose), _powerless
        for file in names.values():
            if file not in files:
                files[file] = keep(file, choose)
        return {name: files[file] for name, file in names.items()} | self.world

    def _names_after(self, choose):
        kept = choose.choice([0, len(self._steps), choose.randint(0, len(self._steps))])
        if choose.random() < 0.5:
            synced = [place for place, (what, _) in enumerate(self._steps) if what == "sync"]
            kept = max([kept, *synced])
        names = self._settled
        for place, (what, changes) in enumerate(self._steps):
            if what == "sync" or place < kept:
                names = _renamed(names, changes)
        return names


def _outside(name):
    return name.rsplit("/", 1)[-1] in WORLD


def _renamed(names, changes):
    made = {**names, **{name: file for name, file in changes.items() if file is not None}}
    for name, file in changes.items():
        if file is None:
            made.pop(name, None)
    return made


def _killed(file, choose):
    """All that was asked for, but the last write of the process may be torn between two pages."""
    pending = list(file.pending)
    if pending and pending[-1].what == "w" and choose.random() < 0.5:
        pending[-1] = _torn(pending[-1], choose, PAGE)
    return _applied(file.safe, pending)


def _powerless(file, choose):
    """All of what was asked for, none of it, its first part with the last write torn, or of each page another part."""
    count = len(file.pending)
    kept = choose.choice([0, count, choose.randint(0, count), None])
    if kept is None:
        return _scattered(file, choose)
    pending = file.pending[:kept]
    if pending and pending[-1].what == "w" and choose.random() < 0.5:
        pending[-1] = _torn(pending[-1], choose, SECTOR)
    return _applied(file.safe, pending)


def _scattered(file, choose):
    """Pages go to the disk in any order, each as it was at some moment; what never went is the old page, or zeros."""
    states = [file.safe]
    for request in file.pending:
        states.append(_applied(states[-1], [request]))
    moments = sorted(choose.choices(range(len(states)), k=3))
    length = len(states[moments[-1]])
    pages = (states[choose.choice(moments)][place : place + PAGE] for place in range(0, length, PAGE))
    return b"".join(page.ljust(PAGE, b"\0") for page in pages)[:length]


def _torn(request, choose, unit):
    """Its first bytes, up to a border between two units of the disk."""
    first, last = request.offset // unit + 1, (request.offset + len(request.data)) // unit
    border = choose.randint(first, last) * unit if first <= last else request.offset
    return Request("w", request.name, "", request.offset, request.data[: border - request.offset])


def _applied(content, requests):
    made = bytearray(content)
    for request in requests:
        if request.what == "t":
            del made[request.offset :]
            made.extend(b"\0" * (request.offset - len(made)))
        elif request.data:
            end = request.offset + len(request.data)
            made.extend(b"\0" * (end - len(made)))
            made[request.offset : end] = request.data
    return bytes(made)
