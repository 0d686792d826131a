"""Folders of results: whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.disk import explained, replacing


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
        raise explained(error, folder) from error


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A folder to fill, under a temporary name; it becomes ``target`` when all went well and vanishes otherwise.

    An older ``target`` is replaced only then.
    """
    try:
        with replacing(target) as folder:
            folder.mkdir(parents=True)
            yield folder
    finally:
        with suppress(OSError):  # the study's folder, if nothing is in it
            target.parent.rmdir()
