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
    margin
        Voxels cut beyond them on each side, for a rotation to turn into the patch.
    neighbours
        Slices on each side that are further channels of a patch of one slice, as of
        :class:`isocenter.nets.window.Window`.
    foreground
        Share of the patches that is centred on a label.
    """

    shape: Triple
    margin: Triple = (0, 0, 0)
    neighbours: int = 0
    foreground: float = 1 / 3

    @classmethod
    def of(cls, plan: Plan, *, margin: Triple = (0, 0, 0)) -> Sampling:
        """That of a plan."""
        return cls(plan.patch, margin, plan.neighbours)

    @property
    def whole(self) -> Triple:
        """The shape with its margin."""
        k, r, c = (n + 2 * more for n, more in zip(self.shape, self.margin, strict=True))
        return k, r, c


@dataclass(frozen=True, eq=False)
class Patch:
    """A box cut out of a case.

    Parameters
    ----------
    image
        float32 (channel, slice, row, column).
    labels
        (slice, row, column); None of a case without.
    case
        Name of the case.
    start
        Index of its first voxel in the case; below 0 where it begins before the image does.
    """

    image: Array = field(repr=False)
    labels: Array | None = field(repr=False)
    case: str
    start: Triple


def draw(cases: Sequence[CachedCase], how: Sampling, rng: np.random.Generator, *, count: int) -> list[Patch]:
    """Patches of random cases at random places.

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

    Returns
    -------
    The patches with their margin. What lies beyond the border of an image is 0, and background.
    """
    turn = rng.random() + np.arange(count + 1) * how.foreground
    patches = []
    for centred in np.diff(np.floor(turn)) > 0:
        case = cases[int(rng.integers(len(cases)))]
        start = _start_on_label(case, how, rng) if centred and case.places else _start(case, how, rng)
        patches.append(cut(case, start, how))
    return patches


def cut(case: CachedCase, start: Triple, how: Sampling) -> Patch:
    """The patch of a case that begins at a voxel, with its margin around; only the pages that it touches are read.

    Raises
    ------
    InputError
        If the case cannot be read; the message names it.
    """
    k, r, c = (int(begin) - more for begin, more in zip(start, how.margin, strict=True))
    try:
        labels = _box(case.labels(), (k, r, c), how.whole) if case.is_labelled else None
        return Patch(_image(case, (k, r, c), how), labels, case.id, (k, r, c))
    except (OSError, ValueError) as error:
        raise InputError(f"The prepared case {case.id} in {case.folder} cannot be read: {error}.") from error


def _image(case: CachedCase, start: Triple, how: Sampling) -> Array:
    array = case.image()
    if not how.neighbours:
        return _box(array, start, how.whole)
    shifts, last = range(-how.neighbours, how.neighbours + 1), case.space[0] - 1
    near = (min(max(start[0] + shift, 0), last) for shift in shifts)
    slices = [_box(array[:, k : k + 1], (0, *start[1:]), how.whole) for k in near]
    return np.stack(slices, axis=1).reshape(-1, *how.whole)


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
