"""Files within zip archives: a path that goes on behind the name of an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.dicom.file.files import MEMBER_FAULTS, FileRef, Opener
from isocenter.errors import InputError


@contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """The file of a path: itself, or a copy that lives as long as the context if it lies in a zip archive.

    Raises
    ------
    InputError
        If the archive is damaged, or has no such file.
    """
    archive = next((one for one in path.parents if one.is_file()), None)
    if archive is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(_unpacked(archive, path.relative_to(archive).as_posix()))
        yield copy


def _unpacked(archive: Path, member: str) -> bytes:
    try:
        with Opener() as opener:
            source = opener.open(FileRef(str(archive), member))
            try:
                return source.at(0, source.size)
            finally:
                source.close()
    except (*MEMBER_FAULTS, KeyError) as error:
        raise InputError(f"{member} cannot be read out of the archive {archive.name}.") from error
