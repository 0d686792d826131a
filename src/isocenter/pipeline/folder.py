"""Folders of results: whole or not at all; and what they are called."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.disk import explained, replacing

_LONGEST_NAME = 100


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


def folder_name(text: str) -> str:
    """A text as the name of one folder: as it is if that is safe, else with its other characters replaced, and a mark.

    What stands in a header or a file's name leads to no other folder, whatever it is.
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip(".")[:_LONGEST_NAME]
    return safe if safe == text else f"{safe}_{mark_of(text)}"


def mark_of(text: str) -> str:
    """Eight letters that tell this text from others."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
