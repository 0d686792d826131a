"""Writing to disk: whole or not at all, and its failures as errors that say what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.errors import TryLater, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PASSING = (errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY)
_ATTEMPTS = 8


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
    temporary, old = (path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{e}") for e in ("part", "old"))
    try:
        _clear_leftovers(path)
        yield temporary
        _swap(temporary, path, old)
        _sync(path.parent)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        _remove(temporary)
        _put_back_or_remove(old, path)


def _swap(temporary: Path, path: Path, old: Path) -> None:
    """Give ``temporary`` the name ``path``; what lies there becomes ``old`` if it is a folder."""
    for attempt in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # another run may have taken it away meanwhile
            if path.is_dir():
                _remove(old)
                path.rename(old)
        try:
            temporary.replace(path)
        except OSError as error:  # another run may have put its folder there meanwhile
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _put_back_or_remove(old: Path, path: Path) -> None:
    """Remove an older folder once there is a newer one; else give it its name back."""
    if old.exists() and not path.exists():
        with suppress(OSError):
            old.rename(path)
    _remove(old)


def _clear_leftovers(path: Path) -> None:
    """Remove what processes of this machine left that were killed while they wrote to ``path``."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.{re.escape(socket.gethostname())}\.(\d+)\.(part|old)")
    for found in path.parent.iterdir() if path.parent.is_dir() else ():
        match = pattern.fullmatch(found.name)
        if match and not _is_alive(int(match[1])):
            _put_back_or_remove(found, path) if match[2] == "old" else _remove(found)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # what lies there is of an earlier process with the same number
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def explained(error: OSError, path: Path) -> TryLater | UsageError:
    """What an error of the system means for the one who called."""
    is_short = error.errno is None and "requested and" in str(error)  # how NumPy tells that only a part was written
    if error.errno in _FULL or is_short:
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
