"""Files and members of zip archives as sources of bytes, and the walk over a path. Knows nothing of DICOM.

A zip archive is read in place: nothing is unpacked to disk, and of a member no more is held than was asked for.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

ZIP_MAGIC = b"PK\x03\x04"
MEMBER_LIMIT_BYTES = 1 << 30
UNPACKED_BYTES, UNPACKING = 64 << 20, 300
"""A zip member that says it is larger than the first, or than so many bytes and so many for each of its packed ones, is
left alone: no single image is."""
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
MEMBER_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What zipfile raises on damaged, encrypted or unusual members."""


@dataclass(frozen=True, slots=True, order=True)
class FileRef:
    """Where a file lies: a path on disk, and the name of the member if that path is a zip archive."""

    path: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else self.path


class ByteSource(Protocol):
    """Bytes at any place of a file.

    ``stamp`` changes when the file does: its time of modification, or the checksum of a zip member.
    """

    size: int
    stamp: int

    def at(self, position: int, count: int) -> bytes:
        """Bytes from ``position`` on: ``count`` of them, fewer only at the end of the file."""

    def close(self) -> None:
        """Give the file back."""


class DiskBytes:
    """Bytes of a file on disk."""

    __slots__ = ("fd", "size", "stamp")

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, _OPEN_FLAGS)
        status = os.fstat(self.fd)
        self.size, self.stamp = status.st_size, status.st_mtime_ns
        if not stat.S_ISREG(status.st_mode):  # a pipe would wait for its writer for ever
            self.close()
            raise OSError(errno.EINVAL, "no regular file", path)

    def at(self, position: int, count: int) -> bytes:
        """Bytes from ``position`` on."""
        return os.pread(self.fd, count, position)

    def into(self, target: memoryview, position: int) -> int:
        """Fill ``target`` with the bytes from ``position`` on; the number of bytes got."""
        got = 0
        while got < len(target):
            count = os.preadv(self.fd, [target[got:]], position + got)
            if count == 0:
                break
            got += count
        return got

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class MemoryBytes:
    """Bytes at hand."""

    __slots__ = ("content", "size", "stamp")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size, self.stamp = len(content), 0

    def at(self, position: int, count: int) -> bytes:
        """Bytes from ``position`` on."""
        return self.content[position : position + count]

    def close(self) -> None:
        """Nothing is open."""


class MemberBytes:
    """Bytes of a zip member: decompressed from its start as far as was asked for."""

    __slots__ = ("_prefix", "_stream", "size", "stamp")

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        info = archive.getinfo(name)
        if info.file_size > min(MEMBER_LIMIT_BYTES, UNPACKED_BYTES + UNPACKING * info.compress_size):
            raise ValueError(f"A zip member of {info.file_size} bytes is larger than any single image.")
        self.size, self.stamp = info.file_size, info.CRC
        self._stream = archive.open(info)
        self._prefix = bytearray()

    def at(self, position: int, count: int) -> bytes:
        """Bytes from ``position`` on."""
        missing = min(position + count, self.size) - len(self._prefix)
        if missing > 0:
            self._prefix += self._stream.read(missing)
        return bytes(self._prefix[position : position + count])

    def close(self) -> None:
        """Close the member; the archive stays open."""
        self._stream.close()


class Opener:
    """Opens files and zip members; keeps each archive open until it is closed itself. Safe to use from threads."""

    def __init__(self) -> None:
        self._archives: dict[str, zipfile.ZipFile] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Opener:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()

    def archive(self, path: str) -> zipfile.ZipFile:
        """The archive at a path."""
        with self._lock:
            if path not in self._archives:
                self._archives[path] = zipfile.ZipFile(path)
            return self._archives[path]

    def open(self, file: FileRef) -> DiskBytes | MemberBytes:
        """The bytes of a file or member; the caller closes them."""
        return MemberBytes(self.archive(file.path), file.member) if file.member else DiskBytes(file.path)

    def members(self, path: str) -> list[FileRef]:
        """The files in an archive, sorted by name."""
        names = {info.filename for info in self.archive(path).infolist() if not info.is_dir()}
        return [FileRef(path, name) for name in sorted(names)]


def walk(root: str) -> Iterator[str]:
    """Paths of all files under a folder, or the path itself if it is a file; sorted, each folder once.

    A link that leads nowhere counts as a file, for what it should lead to is missed; pipes and devices do not.
    """
    if not os.path.isdir(root):  # noqa: PTH112 - text paths: ten times faster than Path over many files
        yield root
        return
    seen: set[tuple[int, int]] = set()
    folders = [root]
    while folders:
        folder = folders.pop()
        status = os.stat(folder)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        inner: list[str] = []
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if _leads_nowhere(entry):
                    yield entry.path
                elif entry.is_dir():
                    inner.append(entry.path)
                elif entry.is_file():
                    yield entry.path
        folders.extend(reversed(inner))


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link to what is not there, or to itself."""
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110
