"""Writing objects: whole or not at all, and read back before they count as written. What is in them lives elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from isocenter.dicom.derived.making import encode
from isocenter.dicom.file.quiet import quietly
from isocenter.disk import replacing, write_synced
from isocenter.errors import Bug, TryLater


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
    data = encode(dataset)
    digest = hashlib.sha256(data).hexdigest()
    with replacing(target) as temporary:
        write_synced(temporary, data)
        if hashlib.sha256(temporary.read_bytes()).hexdigest() != digest:
            raise TryLater(f"The disk does not give back what was written to {target.name}: check it and try again.")
        check(dcmread(temporary))
    return Written(target, digest, len(data))


def differs(what: str) -> Bug:
    """The error of an object that was read back and is not what was meant."""
    return Bug(f"A written object was read back and differs from what was meant: {what}. Please report this.")
