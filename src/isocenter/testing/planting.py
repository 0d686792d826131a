"""Nodules planted into a CT of the chest, at known places: a truth for detectors where no labelled set is at hand.

A nodule is a shape in patient millimetres, seen as the scanner sees it: blurred by its point spread, averaged over the
thickness of a slice, and with the noise that was there. What is planted is a demonstration: real nodules are more
various, so what a detector reaches on these says nothing about patients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused, UsageError, expect, expect_word
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.geometry import Floats
from isocenter.ops.lattice import expect_three_axes, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Volume

Form = Literal["sphere", "ellipsoid", "lobulated", "spiculated", "ground_glass"]
Point = tuple[float, float, float]
Singles = npt.NDArray[np.float32]

SMOOTH, SUSPICIOUS = 1, 2
SEGMENTS = (Segment.named("nodule_smooth", SMOOTH), Segment.named("nodule_suspicious", SUSPICIOUS))
"""Structures of the truth: what the rule of :attr:`Nodule.suspicion` calls so."""

_SOLID_HU, _GLASS_HU = 30.0, -600.0
_FINE_MM = (0.4, 1.0)  # least and greatest step of the lattice that shapes are drawn on
_STEPS = 20  # of that lattice across a nodule
_GRAIN_MM = 1.5  # below this size texture is noise, and stays
_MOST_NOISE_HU = 80.0
_DENSE_HU = -600.0
_CLEAR_MM = 2.0  # from the middle of a nodule to the next vessel
_MOST_DENSE = 0.15  # of the voxels that a nodule takes the place of
_APART_MM = 6.0
_TRIES = 4000


@dataclass(frozen=True, slots=True)
class Nodule:
    """A nodule to plant.

    Parameters
    ----------
    center_mm
        Its middle in the patient (LPS).
    diameter_mm
        Of the ball of its volume, spicules left out.
    form
        What it looks like.
    hu
        Density of its inside; None takes 30 HU, or -600 HU of ground glass.
    seed
        Of its bumps, spicules and axes.
    """

    center_mm: Point
    diameter_mm: float
    form: Form = "sphere"
    hu: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        expect_word(self.form, Form, "The form of a nodule")
        if not 1 <= self.diameter_mm <= 60:
            raise UsageError(f"A nodule has a diameter from 1 to 60 mm, not {self.diameter_mm!r}.")

    @property
    def density_hu(self) -> float:
        """Density of its inside."""
        if self.hu is not None:
            return self.hu
        return _GLASS_HU if self.form == "ground_glass" else _SOLID_HU

    @property
    def suspicion(self) -> float:
        """From 0 to 1, by a rule of size and border alone: a logistic curve of the diameter, half at 12 mm.

        Spicules count as 6 mm more, lobes as 3 mm, ground glass as 4 mm less. The rule was made for planted nodules, so
        that a score can be learned whose truth is known; it is no risk of cancer.
        """
        bonus = {"spiculated": 6.0, "lobulated": 3.0, "ground_glass": -4.0}.get(self.form, 0.0)
        return 1 / (1 + math.exp(-(self.diameter_mm + bonus - 12) / 2))


@dataclass(frozen=True, eq=False)
class Planted:
    """A CT with its nodules.

    Parameters
    ----------
    volume
        The CT.
    truth
        Where the nodules are: voxels that are filled by half or more, told apart by their suspicion.
    nodules
        What was planted.
    """

    volume: Volume
    truth: Segmentation
    nodules: tuple[Nodule, ...] = field(default=())


def plant(
    volume: Volume, nodules: Sequence[Nodule], *, blur_mm: float = 0.6, thickness_mm: float | None = None
) -> Planted:
    """Plant nodules at their places.

    Parameters
    ----------
    volume
        A CT in HU.
    nodules
        What to plant.
    blur_mm
        Standard deviation of the scanner's point spread.
    thickness_mm
        Thickness of a slice; None takes the distance between slices.

    Raises
    ------
    UsageError
        If the volume has further axes or no size, or the middle of a nodule lies outside.
    """
    expect_three_axes(volume, "Nodules are planted")
    spacing_of(volume.grid)
    array = volume.array.astype(np.float32)
    labels = np.zeros(volume.shape, np.uint8)
    for nodule in nodules:
        expect(nodule, Nodule)
        box, share = _share(volume, nodule, blur_mm, thickness_mm or volume.spacing_mm[0])
        there = array[box].copy()
        array[box] += share * (_seen(there, nodule, volume.spacing_mm) - there)
        labels[box][share >= 0.5] = SUSPICIOUS if nodule.suspicion >= 0.5 else SMOOTH
    kept = np.clip(np.rint(array), -1024, None).astype(np.int16) if volume.array.dtype.kind in "iu" else array
    algorithm = Algorithm("planted nodules", "1", (("blur_mm", blur_mm), ("nodules", len(nodules))))
    changed = volume.with_array(kept)
    return Planted(changed, Segmentation.of(labels, changed, SEGMENTS, algorithm), tuple(nodules))


def scattered(
    volume: Volume, lungs: Segmentation, count: int, *, seed: int, diameters_mm: tuple[float, float] = (5, 20)
) -> tuple[Nodule, ...]:
    """Nodules of all forms at random places inside the lungs, beside vessels and apart from each other.

    Parameters
    ----------
    volume
        A CT in HU.
    lungs
        Its lungs; all segments are taken together.
    count
        How many.
    seed
        Of all chance.
    diameters_mm
        Least and greatest; the logarithm is spread evenly, so that small ones are frequent.

    Raises
    ------
    Refused
        With ``NO_PLACE_TO_PLANT`` if the lungs have no room for so many.
    """
    import edt

    rng, spacing = np.random.default_rng(seed), spacing_of(volume.grid)
    inside = lungs.mask()
    clear = edt.edt(inside & (volume.array < _DENSE_HU), anisotropy=spacing, black_border=True)
    within = edt.edt(_filled(inside), anisotropy=spacing, black_border=True)
    found: list[Nodule] = []
    places = np.argwhere(clear >= _CLEAR_MM)
    for place in rng.permutation(len(places))[:_TRIES] if len(places) else ():
        if len(found) == count:
            break
        diameter = float(np.exp(rng.uniform(*np.log(diameters_mm))))
        index = places[place]
        middle = volume.grid.to_world(index + rng.uniform(-0.5, 0.5, 3))
        x, y, z = (float(one) for one in middle)
        form = get_args(Form)[int(rng.integers(len(get_args(Form))))]
        nodule = Nodule((x, y, z), diameter, form, seed=int(rng.integers(2**31)))
        fits = within[tuple(index)] > diameter / 2 + 1 and _is_apart(nodule, found)
        if fits and _dense_share(volume, index, diameter) <= _MOST_DENSE:
            found.append(nodule)
    if len(found) < count:
        text = f"The lungs have room for {len(found)} such nodules, not for {count}: plant fewer or smaller ones."
        raise Refused([Reason("NO_PLACE_TO_PLANT", text)])
    return tuple(found)


def _is_apart(nodule: Nodule, others: Sequence[Nodule]) -> bool:
    return all(
        math.dist(nodule.center_mm, one.center_mm) > (nodule.diameter_mm + one.diameter_mm) / 2 + _APART_MM
        for one in others
    )


def _filled(mask: Mask) -> Mask:
    """The lungs with their vessels."""
    from scipy import ndimage

    filled: Mask = np.stack([ndimage.binary_fill_holes(one) for one in mask])
    return filled


def _dense_share(volume: Volume, index: npt.NDArray[np.int64], diameter_mm: float) -> float:
    reach = np.maximum(np.rint(diameter_mm / 2 / np.array(volume.spacing_mm)), 0).astype(int)
    box = tuple(slice(max(i - n, 0), i + n + 1) for i, n in zip(index.tolist(), reach.tolist(), strict=True))
    return float((volume.array[box] > _DENSE_HU).mean())


def _share(volume: Volume, nodule: Nodule, blur_mm: float, thickness_mm: float) -> tuple[tuple[slice, ...], Singles]:
    """A box of voxels, and how much of each is nodule, as the scanner sees it."""
    from scipy import ndimage

    grid, middle = volume.grid, np.array(nodule.center_mm)
    index = grid.to_index(middle)
    if (index < -0.5).any() or (index > np.array(grid.shape) - 0.5).any():
        raise UsageError("The middle of a nodule lies outside the image.")
    reach_mm = nodule.diameter_mm * 1.2 + 4 * blur_mm + max(grid.spacing_mm)
    step_mm = min(max(nodule.diameter_mm / _STEPS, _FINE_MM[0]), _FINE_MM[1])
    half = math.ceil(reach_mm / step_mm)
    axis = np.arange(-half, half + 1) * step_mm
    fine = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    drawn = ndimage.gaussian_filter(_inside(fine, nodule).astype(np.float32), blur_mm / step_mm, mode="constant")
    reach = np.ceil(reach_mm / np.array(grid.spacing_mm)).astype(int)
    first = np.maximum(np.floor(index).astype(int) - reach, 0)
    last = np.minimum(np.ceil(index).astype(int) + reach + 1, grid.shape)
    box = tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))
    voxels = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), -1)
    total = np.zeros(voxels.shape[:3], np.float32)
    steps = list(_through(thickness_mm, step_mm))
    for offset in steps:
        apart = grid.to_world(voxels + np.array([offset / grid.spacing_mm[0], 0.0, 0.0])) - middle
        total += ndimage.map_coordinates(drawn, np.moveaxis(apart / step_mm + half, -1, 0), order=1, mode="constant")
    total /= len(steps)
    return box, total


def _through(thickness_mm: float, step_mm: float) -> Iterator[float]:
    """Places through the thickness of a slice, in millimetres from its middle."""
    count = max(1, math.ceil(thickness_mm / step_mm))
    yield from (((n + 0.5) / count - 0.5) * thickness_mm for n in range(count))


def _seen(there: Singles, nodule: Nodule, spacing_mm: Sequence[float]) -> Singles:
    """What the inside of a nodule looks like where an image was: with its noise; vessels show through ground glass."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(there, [_GRAIN_MM / s for s in spacing_mm], mode="nearest")
    inside: Singles = np.float32(nodule.density_hu) + np.clip(there - smooth, -_MOST_NOISE_HU, _MOST_NOISE_HU)
    return np.maximum(inside, there) if nodule.form == "ground_glass" else inside


# --- forms -----------------------------------------------------------------------------------------------------------


def _inside(points: Floats, nodule: Nodule) -> Mask:
    """Which points (..., 3), in millimetres from its middle, lie in a nodule."""
    rng, radius = np.random.default_rng(nodule.seed), nodule.diameter_mm / 2
    away = np.linalg.norm(points, axis=-1)
    if nodule.form == "sphere":
        ball: Mask = away <= radius
        return ball
    if nodule.form in ("ellipsoid", "ground_glass"):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        stretch = np.exp(rng.uniform(-0.3, 0.3, 3))
        stretch /= stretch.prod() ** (1 / 3)
        egg: Mask = np.linalg.norm(points @ turn / stretch, axis=-1) <= radius
        return egg
    towards = points / np.maximum(away, 1e-9)[..., None]
    bumps, spikes = (8, 0) if nodule.form == "lobulated" else (6, int(rng.integers(8, 15)))
    border = np.full(away.shape, 0.85 * radius)
    for place in _directions(rng, bumps):
        border += 0.3 * radius * np.exp(8 * (towards @ place - 1))
    inside: Mask = away <= border
    for place in _directions(rng, spikes):
        length, thick = radius * rng.uniform(1.4, 2.0), rng.uniform(0.8, 1.4)
        along = points @ place
        aside = np.sqrt(np.maximum(away**2 - along**2, 0))
        inside |= (along > 0) & (along <= length) & (aside <= thick * (1 - 0.7 * along / length))
    return inside


def _directions(rng: np.random.Generator, count: int) -> Floats:
    found = rng.normal(size=(count, 3))
    directions: Floats = found / np.linalg.norm(found, axis=1, keepdims=True)
    return directions
