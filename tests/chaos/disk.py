"""A disk that remembers every request in order, and gives back what a crash at any moment may leave of it.

`recorder.c` is put between a process and its C library (LD_PRELOAD), so that what the database really asks of the
disk is recorded: writes, cuts, syncs, names given and removed. A killed process leaves all it asked for, and its last
write torn between two pages. A power cut also loses what was not synced: all of it, its end, or some pages of it, and
tears a write between two sectors. Names are given and removed in order; how many of them a power cut may forget
differs between file systems, so both kinds are tried:

- any sync writes out all names so far (a journal of them, as ext4, XFS and APFS have), or
- a sync writes out only the names of its own file, or in its folder (as btrfs does, and POSIX allows).

What happens outside (`outside.FILES`) is not on this disk: what happened has happened.
"""

import random
import struct
from dataclasses import dataclass, field

from outside import FILES

SECTOR, PAGE = 512, 4096
_HEAD = struct.Struct("<cHHQQ")

KILLS = ("killed", "killed-in-a-write")
POWER_CUTS = ("only-what-was-synced", "names-lost", "cut-short", "scattered")
FATES = (*KILLS, *POWER_CUTS)
"""What may become of a disk: the process was killed, or the power failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request about ``name``; ``what`` is one of

    c(reate), m(ake folder), w(rite), t(runcate), s(ync), u(nlink), r(ename to ``other``), l(ink as ``other`` too).
    """

    what: str
    name: str
    other: str
    offset: int
    data: bytes

    @property
    def outside(self):
        """Whether it is about the world outside."""
        return self.name.rpartition("/")[2] in FILES


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
    folder: bool = False

    def settle(self):
        """All of it is safe now."""
        self.safe, self.pending = _applied(self.safe, self.pending), []


class Disk:
    """Files by name while requests come in."""

    def __init__(self):
        self.names: dict[str, File] = {}
        self.world: dict[str, bytes] = {}
        self._folders: set[str] = set()
        self._last: Request | None = None
        self._settled: dict[str, File] = {}
        self._steps: list[tuple[str, dict[str, File | None]]] = []
        """("names", what changed) and ("sync", the names that were written out), since all were settled."""

    def take(self, request):
        """The next request, fully carried out as far as the process can see; whether it changed anything."""
        self._last = request
        name, what = request.name, request.what
        if request.outside:
            return self._happened(request)
        if what in "cm":
            if name in self.names:
                return False
            self._folders |= {name} if what == "m" else set()
            self._rename({name: File(folder=what == "m")})
        elif what == "u":
            self._rename({name: None})
        elif what in "rl":
            self._rename({request.other: self.names[name]} | ({name: None} if what == "r" else {}))
        elif what == "s":
            self._sync(name)
        else:
            self.names[name].pending.append(request)
        return True

    def _happened(self, request):
        if request.what == "w":
            self.world[request.name] = self.world.get(request.name, b"") + request.data
        elif request.what == "u":
            self.world.pop(request.name, None)
        return request.what == "w"

    def _rename(self, changes):
        self._steps.append(("names", changes))
        self.names = _renamed(self.names, changes)

    def _sync(self, name):
        file = self.names.get(name)
        if file is not None and not file.folder:
            file.settle()
            self._steps.append(("sync", {each: file for each, other in self.names.items() if other is file}))
            return
        changed = {each for _, changes in self._steps for each in changes}
        inside = {each for each in changed if each.rpartition("/")[0] == name}
        self._steps.append(("sync", {each: self.names.get(each) for each in inside}))
        if inside == changed:
            self._settled, self._steps = dict(self.names), []

    def settle(self):
        """All that was asked for is safe: a life begins."""
        for file in self.names.values():
            file.settle()
        self._settled, self._steps = dict(self.names), []

    @property
    def folding(self):
        """Whether a log is being folded into its file at this moment."""
        return any(name.endswith(".fold") for name in self.names)

    @property
    def quiet(self):
        """Whether everything is safe, so that all fates are one."""
        return not self._steps and not any(file.pending for file in self.names.values())

    def after_crash(self, fate, choose: random.Random):
        """{name: bytes} of what is found afterwards."""
        if fate in KILLS:
            names, keep = self.names, self._killed if fate == "killed" else self._torn
        else:
            names, keep = self._names_after(fate, choose), _KEEPS[fate]
        contents: dict[File, bytes] = {}
        found = {}
        for name, file in names.items():
            if not file.folder and self._reached(name, names):
                if file not in contents:
                    contents[file] = keep(file, choose)
                found[name] = contents[file]
        return found | self.world

    def _reached(self, name, names):
        """A file is found where all folders on the way to it are."""
        while name := name.rpartition("/")[0]:
            if name in self._folders and name not in names:
                return False
        return True

    def _names_after(self, fate, choose):
        kept = {POWER_CUTS[0]: 0, "cut-short": len(self._steps)}.get(fate, choose.randint(0, len(self._steps)))
        if choose.random() < 0.5:
            synced = [place for place, (what, _) in enumerate(self._steps) if what == "sync"]
            kept = max([kept, *synced])
        names = self._settled
        for place, (what, changes) in enumerate(self._steps):
            if what == "sync" or place < kept:
                names = _renamed(names, changes)
        return names

    def _killed(self, file, _choose):
        return _applied(file.safe, file.pending)

    def _torn(self, file, choose):
        """All that was asked for, but the last write of the process is torn between two pages."""
        pending = list(file.pending)
        if pending and pending[-1] is self._last and self._last.what == "w":
            pending[-1] = _torn(pending[-1], choose, PAGE)
        return _applied(file.safe, pending)


def _renamed(names, changes):
    made = {**names, **{name: file for name, file in changes.items() if file is not None}}
    for name, file in changes.items():
        if file is None:
            made.pop(name, None)
    return made


def _safe(file, _choose):
    return file.safe


def _all(file, _choose):
    return _applied(file.safe, file.pending)


def _cut_short(file, choose):
    """The first part of what was asked for, its last write torn between two sectors."""
    pending = file.pending[: choose.randint(0, len(file.pending))]
    if pending and pending[-1].what == "w":
        pending[-1] = _torn(pending[-1], choose, SECTOR)
    return _applied(file.safe, pending)


def _scattered(file, choose):
    """Pages go to the disk in any order, each as it was at some moment; what never went is the old page, or zeros."""
    if not file.pending:
        return file.safe
    moments = sorted(choose.choices(range(len(file.pending) + 1), k=3))
    states = {moment: _applied(file.safe, file.pending[:moment]) for moment in set(moments)}
    length = len(states[moments[-1]])
    pages = (states[choose.choice(moments)][place : place + PAGE] for place in range(0, length, PAGE))
    return b"".join(page.ljust(PAGE, b"\0") for page in pages)[:length]


_KEEPS = dict(zip(POWER_CUTS, (_safe, _all, _cut_short, _scattered), strict=True))


def _torn(request, choose, unit):
    """Its first bytes, up to a border between two units of the disk."""
    first, last = request.offset // unit + 1, (request.offset + len(request.data)) // unit
    border = choose.randint(first, last) * unit if first <= last else request.offset
    return Request("w", request.name, "", request.offset, request.data[: border - request.offset])


def _applied(content, requests):
    if not requests:
        return content
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
