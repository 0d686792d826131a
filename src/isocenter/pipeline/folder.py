"""Folders of results: whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.errors import TryLater, UsageError


def writable(folder: Path) -> Path:
    """The folder, made if need be.

    Raises
    ------
    UsageError
        If it cannot be written.
    TryLater
        If the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise _explained(error, folder) from error


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A folder to fill, under a temporary name; it becomes ``target`` when all went well and vanishes otherwise.

    An older ``target`` is replaced only then.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        _replace(partial, target)
    except OSError as error:
        raise _explained(error, target.parent) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_if_empty(target.parent)


def _replace(partial: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _explained(error: OSError, folder: Path) -> TryLater | UsageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TryLater(f"The disk is full at {folder}: make room and run again; nothing half-written was left.")
    if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY):
        return TryLater(f"Writing to {folder} failed ({os.strerror(error.errno)}): try again.")
    return UsageError(f"{folder} cannot be written ({os.strerror(error.errno or 0)}): choose another folder.")
