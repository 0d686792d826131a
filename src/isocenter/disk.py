"""Writing to disk: whole or not at all, and its failures as errors that say what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.errors import TryLater, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PASSING = (errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, to write a file or folder under.

    What lies there at the end gets the name ``path``, in place of an older one; on failure it is removed and the older
    one stays.

    Raises
    ------
    TryLater
        If the disk is full or fails.
    UsageError
        If ``path`` cannot be written.
    """
    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        _remove(temporary)
        yield temporary
        if path.is_dir():
            path.rename(old)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        _remove(temporary)
        _remove(old)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def explained(error: OSError, path: Path) -> TryLater | UsageError:
    """What an error of the system means for the one who called."""
    if error.errno in _FULL:
        return TryLater(f"The disk is full at {path.parent}: make room and run again; nothing half-written was left.")
    if error.errno in _PASSING:
        return TryLater(f"Writing to {path.parent} failed ({os.strerror(error.errno or 0)}): try again.")
    return UsageError(f"{path} cannot be written ({os.strerror(error.errno or 0)}): choose another place.")


def _sync(folder: Path) -> None:
    with suppress(OSError):  # not every system can sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
