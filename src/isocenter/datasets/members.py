"""Files within zip archives: a path that goes on behind the name of an archive."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        try:
            with (
                zipfile.ZipFile(archive) as opened,
                opened.open(path.relative_to(archive).as_posix()) as source,
                copy.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
            raise InputError(f"{path.name} cannot be read out of the archive {archive.name}.") from error
        yield copy
