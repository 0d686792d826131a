"""Bytes to disk: under a temporary name, then renamed; and gzip by several threads, always the same bytes."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from isocenter.errors import TryLater, UsageError

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # deflate, no name, no time, fastest, unknown system
_CHUNK = 1 << 21
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` to write a file or folder under; renamed at the end, removed on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if path.is_dir() and temporary.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        if error.errno in _FULL:
            raise TryLater(f"The disk is full: {path.name} was not written.") from error
        raise UsageError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write byte strings one after another into a file."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


def gzipped(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """One gzip member of the parts together, deflated at the fastest level in chunks side by side (RFC 1952).

    No time and no name stand in it. A chunk's deflate blocks end on a byte, so that they can be joined.
    """
    yield _GZIP_HEADER
    check, length = 0, 0
    chunks = [chunk for part in parts for chunk in _chunks(memoryview(part))]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for chunk, deflated in zip(chunks, pool.map(_deflated, chunks), strict=True):
            check, length = zlib.crc32(chunk, check), length + len(chunk)
            yield deflated
    yield b"\x03\x00" + struct.pack("<II", check, length & 0xFFFFFFFF)  # an empty last block, then the trailer


def _chunks(part: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(part), _CHUNK):
        yield part[start : start + _CHUNK]


def _deflated(chunk: memoryview) -> bytes:
    engine = zlib.compressobj(1, zlib.DEFLATED, -15)
    return engine.compress(chunk) + engine.flush(zlib.Z_SYNC_FLUSH)
