"""Held-out sets locked by what their images are: a file of digests, without names, that learning is asked against."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from isocenter.datasets.checking import digests_of
from isocenter.datasets.dataset import Dataset
from isocenter.disk import replacing, write_synced
from isocenter.errors import InputError, Refused, UsageError
from isocenter.reasons import Reason

_FORMAT = 1
_PathLike = str | os.PathLike[str]


def lock(dataset: Dataset, path: _PathLike) -> Mapping[str, str]:
    """Lock the cases of a data set: write the SHA-256 of each image's voxels to a file of JSON.

    Parameters
    ----------
    dataset
        What is held out.
    path
        File to write; one that is there already is an earlier lock, and is left as it is.

    Returns
    -------
    The digest of each case, by its name.

    Raises
    ------
    UsageError
        If there is a file already.
    Refused
        If an image cannot be read.
    """
    place = Path(path)
    if place.exists():
        raise UsageError(f"{place} is there already: a lock is never replaced. Give another name.")
    digests = digests_of(dataset)
    values = sorted(digests.values())
    content = {"format": _FORMAT, "images": values, "sha256": _sum(values)}
    with replacing(place) as temporary:
        write_synced(temporary, json.dumps(content, indent=1).encode())
    return digests


def locked_in(path: _PathLike) -> frozenset[str]:
    """The digests in a lock.

    Raises
    ------
    UsageError
        If there is no such file.
    InputError
        If it is damaged, or was changed.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError(f"There is no lock {place}.")
    try:
        said = json.loads(place.read_text(encoding="utf-8"))
        values, is_whole = said["images"], said["format"] == _FORMAT and said["sha256"] == _sum(said["images"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"The lock {place.name} is damaged.") from error
    if not is_whole:
        raise InputError(f"The lock {place.name} is not as it was written: its checksum is another.")
    return frozenset(values)


def expect_unlocked(dataset: Dataset, locks: Iterable[_PathLike], *, digests: Mapping[str, str] | None = None) -> None:
    """Refuse to learn from what is locked, whatever it is called now.

    Parameters
    ----------
    dataset
        What is to be learned from.
    locks
        Files that :func:`lock` wrote.
    digests
        The digest of each case where a check has taken them already; they are taken anew otherwise.

    Raises
    ------
    Refused
        If a case is locked (``LOCKED_CASE``), a reason for each.
    UsageError, InputError
        As :func:`locked_in`.
    """
    closed = frozenset[str]().union(*map(locked_in, locks))
    if not closed:
        return
    known = digests_of(dataset) if digests is None else digests
    found = [case.id for case in dataset.cases if known[case.id] in closed]
    if found:
        text = "The image of the case {} is locked: it is held out to prove models by."
        raise Refused([Reason("LOCKED_CASE", text.format(name), (name,)) for name in found])


def _sum(values: list[str]) -> str:
    return hashlib.sha256("".join(values).encode()).hexdigest()
