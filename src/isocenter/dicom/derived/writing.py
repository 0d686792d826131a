"""Writing objects: whole or not at all, and read back before they count as written. What is in them lives elsewhere."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import DataElement, Dataset, dcmread, dcmwrite
from pydicom.tag import Tag

from isocenter.dicom.file.quiet import quietly
from isocenter.disk import replacing
from isocenter.errors import Bug, TryLater

_LARGE_BYTES = 2**26
"""Larger pixels are written piece by piece, and read back when they are asked for: they are in memory but once."""
_PIXELS = Tag("PixelData")


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


@quietly()
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
    with replacing(target) as temporary:
        with _Digesting(temporary, "wb") as raw, io.BufferedWriter(raw) as file, _streamed(dataset):
            dcmwrite(file, dataset, enforce_file_format=True)
            file.flush()
            os.fsync(file.fileno())
        with temporary.open("rb") as file_again:
            if hashlib.file_digest(file_again, "sha256").digest() != raw.sha256.digest():
                raise TryLater(
                    f"The disk does not give back what was written to {target.name}: check it and try again."
                )
        check(dcmread(temporary, defer_size=_LARGE_BYTES))
        size_bytes = temporary.stat().st_size
    return Written(target, raw.sha256.hexdigest(), size_bytes)


@contextmanager
def _streamed(dataset: Dataset) -> Iterator[None]:
    """Let an object hold large pixels as a stream for as long as it is written: of bytes pydicom makes a copy first."""
    pixels: Any = dataset.get_item(_PIXELS)
    if pixels is None or not isinstance(pixels.value, bytes) or len(pixels.value) <= _LARGE_BYTES:
        yield
        return
    is_encapsulated = {"is_undefined_length": pixels.is_undefined_length}
    dataset[_PIXELS] = DataElement(_PIXELS, pixels.VR, io.BytesIO(pixels.value), **is_encapsulated)
    try:
        yield
    finally:
        dataset[_PIXELS] = pixels


class _Digesting(io.FileIO):
    """A file that keeps the SHA-256 of what is written to it, one byte after the other."""

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.sha256.update(memoryview(data)[:count])
        return count


def differs(what: str) -> Bug:
    """The error of an object that was read back and is not what was meant."""
    return Bug(f"A written object was read back and differs from what was meant: {what}. Please report this.")
