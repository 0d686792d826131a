"""Patches of prepared cases, drawn so that rare structures are seen. What is done to them lives in ``augment``.

Where a patch lies is drawn as nnU-Net does (Isensee 2021): a third of them is centred on a voxel of a label, the label
drawn from those that the case has, so that small ones come as often as large ones; the others lie anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from isocenter.errors import InputError
from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase
from isocenter.volume import Array


@dataclass(frozen=True, slots=True)
class Sampling:
    """How patches are drawn and cut.

    Parameters
    ----------
    shape
        Slices, rows, columns of a patch.
    neighbours
        Slices on each side that are further channels of a patch of one slice, as of
        :class:`isocenter.nets.windows.window.Window`.
    foreground
        Share of the patches that is centred on a label.
    """

    shape: Triple
    neighbours: int = 0
    foreground: float = 1 / 3

    @classmethod
    def of(cls, plan: Plan) -> Sampling:
        """That of a plan."""
        return cls(plan.patch, plan.neighbours)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a patch lies.

    Parameters
    ----------
    case
        In which case.
    start
        Index of its first voxel; below 0 where it begins before the image does.
    """

    case: CachedCase
    start: Triple


@dataclass(frozen=True, eq=False)
class Patch:
    """A box cut out of a case.

    Parameters
    ----------
    image
        float32 (channel, slice, row, column).
    labels
        (slice, row, column); None of a case without.
    place
        Where it was cut.
    """

    image: Array = field(repr=False)
    labels: Array | None = field(repr=False)
    place: Place


def draw(cases: Sequence[CachedCase], how: Sampling, rng: np.random.Generator, *, count: int) -> list[Place]:
    """Random places of patches in random cases.

    Parameters
    ----------
    cases
        What to draw from, each as likely as any other.
    how
        What patches are like. Those that are centred on a label are spread evenly over the batch from a random start:
        by the default exactly one of three in a row.
    rng
        All chance; nothing else is kept from call to call.
    count
        How many.
    """
    turn = rng.random() + np.arange(count + 1) * how.foreground
    places = []
    for centred in np.diff(np.floor(turn)) > 0:
        case = cases[int(rng.integers(len(cases)))]
        start = _start_on_label(case, how, rng) if centred and case.places else _start(case, how, rng)
        places.append(Place(case, start))
    return places


def cut(place: Place, how: Sampling, *, margin: Triple = (0, 0, 0)) -> Patch:
    """The patch at a place; only the pages of the file that it touches are read.

    Parameters
    ----------
    place
        Where.
    how
        What it is like.
    margin
        Voxels to cut on each side beyond its shape, for a rotation to turn into it.

    Returns
    -------
    The patch with its margin. What lies beyond the border of the image is 0, as in a window of prediction, and
    background.

    Raises
    ------
    InputError
        If the case cannot be read; the message names it.
    """
    case = place.case
    k, r, c = (int(begin) - more for begin, more in zip(place.start, margin, strict=True))
    deep, high, wide = (n + 2 * more for n, more in zip(how.shape, margin, strict=True))
    start, shape = (k, r, c), (deep, high, wide)
    try:
        labels = _box(case.labels(), start, shape) if case.is_labelled else None
        return Patch(_image(case.image(), start, shape, how.neighbours), labels, place)
    except (OSError, ValueError) as error:
        raise InputError(f"The prepared case {case.id} in {case.folder} cannot be read: {error}.") from error


def _image(array: Array, start: Triple, shape: Triple, neighbours: int) -> Array:
    if not neighbours:
        return _box(array, start, shape)
    shifts, last = range(-neighbours, neighbours + 1), array.shape[1] - 1
    near = (min(max(start[0] + shift, 0), last) for shift in shifts)
    slices = [_box(array[:, k : k + 1], (0, *start[1:]), shape) for k in near]
    return np.stack(slices, axis=1).reshape(-1, *shape)


def _limits(case: CachedCase, how: Sampling) -> list[tuple[int, int]]:
    """First and last start along each axis: the patch lies in the image, or the image in the patch."""
    return [(min(0, n - size), max(0, n - size)) for n, size in zip(case.space, how.shape, strict=True)]


def _start(case: CachedCase, how: Sampling, rng: np.random.Generator) -> Triple:
    k, r, c = (int(rng.integers(low, high + 1)) for low, high in _limits(case, how))
    return k, r, c


def _start_on_label(case: CachedCase, how: Sampling, rng: np.random.Generator) -> Triple:
    labels = list(case.places)
    label = labels[int(rng.integers(len(labels)))]
    place = case.place(label, int(rng.integers(case.places[label])))
    limits = _limits(case, how)
    k, r, c = (min(max(p - n // 2, a), b) for p, n, (a, b) in zip(place, how.shape, limits, strict=True))
    return k, r, c


def _box(array: Array, start: Sequence[int], shape: Sequence[int]) -> Array:
    """A box of the last three axes, 0 where it leaves the array; a copy."""
    first = [max(begin, 0) for begin in start]
    last = [min(begin + size, n) for begin, size, n in zip(start, shape, array.shape[-3:], strict=True)]
    out = np.zeros((*array.shape[:-3], *shape), array.dtype)
    if all(a < b for a, b in zip(first, last, strict=True)):
        k, r, c = (slice(a, b) for a, b in zip(first, last, strict=True))
        z, y, x = (slice(a - s, b - s) for a, b, s in zip(first, last, start, strict=True))
        out[..., z, y, x] = array[..., k, r, c]
    return out
