"""Writing objects: whole or not at all, and read back before they count as written. What is in them lives elsewhere."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from isocenter.dicom.making import encode
from isocenter.errors import Bug, TryLater, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class Written:
    """An object that lies on disk and was read back.

    Parameters
    ----------
    path
        The file.
    sha256
        Digest of its bytes, in hexadecimal.
    size_bytes
        Its length.
    """

    path: Path
    sha256: str
    size_bytes: int


def write(dataset: Dataset, path: str | os.PathLike[str], *, check: Callable[[Dataset], None]) -> Written:
    """Write an object to a file: under a temporary name, synced, read back, checked, then renamed.

    Parameters
    ----------
    dataset
        The object, with file meta information.
    path
        The file to write; one that is there is replaced.
    check
        Compares what was read back with what was meant, as ``seg.check``, ``sr.check`` and their like do; raises if
        they differ.

    Raises
    ------
    TryLater
        If the disk is full or fails.
    UsageError
        If the folder is missing or not writable.
    Bug
        If what was read back is not what was meant; no file is left then.
    """
    target = Path(path)
    data = encode(dataset)
    digest = hashlib.sha256(data).hexdigest()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write_synced(temporary, data)
        back = temporary.read_bytes()
        if hashlib.sha256(back).hexdigest() != digest:
            raise TryLater(f"The disk does not give back what was written to {target.name}: check it and try again.")
        check(dcmread(temporary))
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _ours(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Written(target, digest, len(data))


def differs(what: str) -> Bug:
    """The error of an object that was read back and is not what was meant."""
    return Bug(f"A written object was read back and differs from what was meant: {what}. Please report this.")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _ours(error: OSError, target: Path) -> TryLater | UsageError:
    if error.errno in _FULL:
        return TryLater(f"The disk is full or failing at {target.parent}: make room and run again; nothing is lost.")
    if error.errno in _FORBIDDEN:
        return UsageError(f"The folder {target.parent} is missing or not writable: choose another one.")
    return TryLater(f"Writing {target.name} failed ({os.strerror(error.errno or 0)}): try again.")
