"""Slices: those of a series one by one, as soon as each is decoded, and the volume when all are there.

For viewers, and for work that can begin before the last slice has come. It is the reading of
:mod:`isocenter.dicom.reading.pixels` in a thread of its own, which is ended where nobody asks for further slices.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import Any

import numpy.typing as npt

from isocenter.dicom.reading.pixels import read_showing
from isocenter.dicom.sorting.series import Series
from isocenter.volume import Volume


@dataclass(frozen=True, eq=False, slots=True)
class Slice:
    """A slice that was decoded.

    Parameters
    ----------
    place
        Its place in the series' ``frames``: in slice order along the native grid.
    array
        (row, column[, color]) real values, read-only.
    """

    place: int
    array: npt.NDArray[Any]


class _UnwantedError(Exception):
    """Nobody asks for further slices."""


def read_slices(series: Series) -> Generator[Slice, None, Volume]:
    """Read a series slice by slice, each as soon as it is decoded, in about the order of the series.

    Values are what :func:`isocenter.read` gives them; only the whole volume is checked in all ways, so take no result
    from slices before the volume has come. Slices of a tilted series lie on its native grid.

    Parameters
    ----------
    series
        As for :func:`isocenter.read`.

    Yields
    ------
    Each slice once. Where a later one does not fit into the type of the first, it has a wider one.

    Returns
    -------
    The volume, as the value of the generator::

        volume = yield from read_slices(series)

    Raises
    ------
    Refused
        As for :func:`isocenter.read`. A slice that cannot be decoded is left out, and the refusal comes in place of the
        volume.
    """
    found: Queue[Slice | Volume | BaseException] = Queue()
    unwanted = Event()
    thread = Thread(target=_read, args=(series, found, unwanted), name="isocenter-slices")
    thread.start()
    try:
        while True:
            one = found.get()
            if isinstance(one, Volume):
                return one
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        unwanted.set()
        thread.join()


def _read(series: Series, found: Queue[Slice | Volume | BaseException], unwanted: Event) -> None:
    shown: set[int] = set()

    def show(place: int, array: npt.NDArray[Any]) -> None:
        if unwanted.is_set():
            raise _UnwantedError
        if place not in shown:
            shown.add(place)
            found.put(Slice(place, array))

    try:
        found.put(read_showing(series, show))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the slices are asked for
        found.put(error)
