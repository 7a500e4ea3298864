"""Reads a file that may change meanwhile, and cuts its content into chunks of which only new ones are put."""

from __future__ import annotations

import os
import stat
import time
from io import FileIO

from statebook.errors import StoreDamaged
from statebook.state.snapshots.contents.cutting import stream_cuts
from statebook.state.snapshots.seams import Chunks, Piece, Pieces, check_room, digest_of

from .places import BINARY, NOFOLLOW, NONBLOCK, Place

_TRIES = 3
_PAUSE = 0.01
"""Seconds before a file that changed while it was read is read again."""
_BLOCK = 1 << 20


class Unsteady(Exception):
    """The file could not be read as it was at one moment; the text tells why, as the end of a sentence."""


def same_status(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether a file did not change between two looks, as far as its status tells."""
    return (
        one.st_mtime_ns == other.st_mtime_ns
        and one.st_size == other.st_size
        and one.st_ctime_ns == other.st_ctime_ns
        and one.st_ino == other.st_ino
        and one.st_mode == other.st_mode
    )


def read_steadily(place: Place, path: str, most: int) -> tuple[bytes, os.stat_result]:
    """A file's content at one moment, and its status then. Raises FileNotFoundError, Unsteady.

    ``most`` is the bytes that it may have.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        try:
            with place.parent(path) as (handle, name):
                descriptor = os.open(handle.at(name), os.O_RDONLY | NOFOLLOW | NONBLOCK | BINARY, dir_fd=handle.fd)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - it is a descriptor
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    raise Unsteady("is no regular file, which is not kept")
                if before.st_size > most:
                    raise Unsteady(f"grew beyond {most:,} bytes while it was read")
                data = _whole(file, before.st_size)
                after = os.fstat(descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unsteady(f"can't be read: {(error.strerror or 'unknown').lower()}") from error
        if same_status(before, after) and len(data) == after.st_size:
            return data, after
    raise Unsteady("kept changing while it was read")


def _whole(file: FileIO, size: int) -> bytes:
    """All of the file, and one byte more where it grew."""
    data = file.read(size + 1)
    while len(data) <= size and (more := file.read(size + 1 - len(data))):  # a read may give less than it was asked
        data += more
    return data


def put(data: bytes, known: Pieces, chunks: Chunks) -> tuple[str, Pieces, int]:
    """Keep a content: its digest, its pieces, and how many bytes were new.

    The pieces that it had before are looked for at its beginning and at its end; only what lies between is cut anew,
    where its content says so: then an insertion early in a file costs about one piece, not all that comes after it.
    """
    digest = digest_of(data)
    view = memoryview(data)
    head, start = _same(view, known)
    tail, end = _same_at_end(view, known[len(head) :], start)
    middle = bytes(view[start:end])
    pieces = [*head, *((digest_of(middle[a:b]), b - a) for a, b in stream_cuts(middle) if b > a), *tail]
    place = new = 0
    for each, size in pieces:
        if not chunks.has(each):
            chunks.put(each, bytes(view[place : place + size]))
            new += size
        place += size
    return digest, tuple(pieces), new


def _same(view: memoryview, known: Pieces) -> tuple[list[Piece], int]:
    """The pieces that the content begins with, and where they end."""
    found: list[Piece] = []
    place = 0
    for piece in known:
        end = place + piece[1]
        if end > len(view) or digest_of(view[place:end]) != piece[0]:
            break
        found.append(piece)
        place = end
    return found, place


def _same_at_end(view: memoryview, known: Pieces, start: int) -> tuple[list[Piece], int]:
    """The pieces that the content after ``start`` ends with, and where they begin."""
    found: list[Piece] = []
    place = len(view)
    for piece in reversed(known):
        begin = place - piece[1]
        if begin < start or digest_of(view[begin:place]) != piece[0]:
            break
        found.append(piece)
        place = begin
    return found[::-1], place


def fetch(pieces: Pieces, chunks: Chunks) -> bytearray:
    """The content that the pieces make up. Raises StoreDamaged when one is missing or damaged, or memory is short."""
    size = sum(size for _, size in pieces)
    try:
        check_room(size)
    except ValueError as error:
        raise StoreDamaged(f"A kept content can't be read: {error}.", "Nothing of it is put back.") from error
    data = bytearray(size)
    view = memoryview(data)
    place = 0
    for digest, size in pieces:
        chunks.get_into(digest, view[place : place + size])
        place += size
    view.release()
    return data


def digest_at(place: Place, path: str) -> str:
    """The digest of a file's content now. Raises OSError."""
    import xxhash

    digest = xxhash.xxh3_128()
    with place.parent(path) as (handle, name):
        descriptor = os.open(handle.at(name), os.O_RDONLY | NOFOLLOW | NONBLOCK | BINARY, dir_fd=handle.fd)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - it is a descriptor
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
