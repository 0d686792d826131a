"""The working image of a session: at most some 400,000 voxels, along the patient's axes, smoothed once for all clicks.

Everything is measured in voxels of this image and in its own noise, so the same scene at another scale, or turned and
flipped, gives the same result. What prompts do to it lives in ``session``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.geometry import Floats, Grid
from isocenter.ops.lattice import spacing_of
from isocenter.ops.prompting.cutting import Field, Steps, smoothed
from isocenter.ops.resample import to_orientation, to_spacing
from isocenter.volume import Volume

Mask = npt.NDArray[np.bool_]

MOST_VOXELS = 400_000
"""Size of the working image."""
KINDS = 512
"""Steps of value that are told apart."""
_SMOOTHING = 1.0  # noise; edges weaker than about this vanish
_SMOOTHING_ROUNDS = 60
_BORDER = 3.0  # what a voxel's face of border costs; one voxel's value speaks with 3 at most
_ON_EDGE = 0.1  # share of it that a border costs on a strong edge
_ROUGHLY = 0.3  # of the noise: how far values are blurred in counts of them
_ENDS = (0.1, 99.9)  # percentiles; values beyond are set to them
_LEAST_NOISE = 1e-3  # of the range of values: where there is none


@dataclass(frozen=True, eq=False)
class Scene:
    """An image made ready for prompts.

    Parameters
    ----------
    volume
        All of the image, along the patient's axes.
    grid
        Where the voxels of the working image lie.
    noise
        Standard deviation of the working image's noise, in the image's unit.
    values
        float32 (slice, row, column): the working image without its noise, in units of the noise.
    kinds
        Each voxel's step of value, from 0 to :data:`KINDS` - 1.
    width
        Width of such a step, in units of the noise.
    weights
        What a border of one voxel's face costs at each voxel.
    """

    volume: Volume
    grid: Grid
    noise: float
    values: Field = field(repr=False)
    kinds: npt.NDArray[np.int16] = field(repr=False)
    width: float
    weights: Field = field(repr=False)

    @property
    def steps(self) -> Steps:
        """Size of a working voxel along each axis; 1 on average."""
        return steps_of(self.grid.spacing_mm)

    def places(self, voxels: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """(n, 3) working voxels, each once, that hold some voxels of the whole image."""
        index = self.grid.to_index(self.volume.grid.to_world(voxels))
        inside = np.clip(np.rint(index), 0, np.asarray(self.grid.shape) - 1).astype(np.intp)
        return np.unique(inside, axis=0)

    @cached_property
    def everywhere(self) -> Floats:
        """Density of the whole working image."""
        return self.blurred(np.bincount(self.kinds.reshape(-1), minlength=KINDS))

    def density(self, mask: Mask) -> Floats:
        """Share of each step of value in a mask, somewhat blurred."""
        return self.blurred(np.bincount(self.kinds[mask], minlength=KINDS))

    def blurred(self, counts: npt.NDArray[np.intp]) -> Floats:
        """Counts of steps of value as shares, blurred by part of the noise."""
        from scipy.ndimage import gaussian_filter1d

        soft = gaussian_filter1d(counts.astype(float), max(1.0, _ROUGHLY / self.width), mode="constant")
        return np.asarray(soft / max(soft.sum(), 1e-9))


def prepare(volume: Volume) -> Scene:
    """The working image of a volume.

    Raises
    ------
    UsageError
        If this is no three-dimensional image of known voxel size, or it holds no finite value.
    """
    expect(volume, Volume)
    if volume.axes:
        raise UsageError(f"Prompts mark one image at a time, and this one has the axes {', '.join(volume.axes)} too.")
    spacing_of(volume.grid)
    whole = to_orientation(volume)
    small = _working(whole)
    values = small.array.astype(np.float32)
    values = np.clip(values, *np.percentile(values, _ENDS).astype(np.float32))
    steps = steps_of(small.grid.spacing_mm)
    noise = _noise_of(values)
    values = smoothed(values / noise, _SMOOTHING, steps, _SMOOTHING_ROUNDS)
    low, high = float(values.min()), float(values.max())
    width = max((high - low) / (KINDS - 1), 1e-6)
    kinds = np.rint((values - low) / width).astype(np.int16)
    return Scene(whole, small.grid, noise, values, kinds, width, _weights(values, steps))


def steps_of(spacing_mm: Sequence[float]) -> Steps:
    """Spacing in units of its geometric mean."""
    mean = float(np.prod(spacing_mm)) ** (1 / 3)
    k, r, c = (length / mean for length in spacing_mm)
    return k, r, c


def _working(volume: Volume) -> Volume:
    """The volume on coarser voxels, as even as can be, if it has too many."""
    if volume.array.dtype.kind == "f":
        valued = np.isfinite(volume.array)
        if not valued.any():
            raise UsageError("This image holds no finite value, so there is nothing to mark.")
        if not valued.all():
            volume = volume.with_array(np.where(valued, volume.array, volume.array[valued].min()))
    spacing = np.asarray(volume.grid.spacing_mm)
    size = spacing.min()
    while np.prod(np.asarray(volume.grid.extent_mm) / np.maximum(spacing, size)) > MOST_VOXELS:
        size *= 1.02
    if (spacing >= size).all():
        return volume
    return to_spacing(volume, np.maximum(spacing, size).tolist(), smoothing="matched")


def _noise_of(values: Field) -> float:
    """Standard deviation of the noise: what neighbours commonly differ by, above the background."""
    least = np.percentile(values, 30)
    found = []
    for axis in range(3):
        apart = np.abs(np.diff(values, axis=axis))
        seen = values.take(range(1, values.shape[axis]), axis) > least
        if seen.any():
            found.append(float(np.median(apart[seen])) * 1.4826 / np.sqrt(2))
    return max([min(found, default=0.0), _LEAST_NOISE * float(np.ptp(values)), 1e-9])


def _weights(values: Field, steps: Steps) -> Field:
    """Borders cost least on edges."""
    square = np.zeros(values.shape, np.float32)
    for axis, step in enumerate(steps):
        if values.shape[axis] > 1:
            square += (np.gradient(values, axis=axis) / np.float32(step)) ** 2
    share = _ON_EDGE + (1 - _ON_EDGE) * np.exp(-np.sqrt(square))
    return (_BORDER * share).astype(np.float32)
