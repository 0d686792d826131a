"""A chest CT phantom whose truth is known. How it is written as DICOM lives in :mod:`isocenter.testing.dicom`.

The anatomy is made of ellipsoids and tubes in patient coordinates (LPS millimetres, the origin in the middle of the
chest), so it can be had on any grid: thick slices, oblique, left-handed, cropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.testing.shapes import Paint, Point, Shape, paint
from isocenter.volume import Volume

OUTSIDE, LUNG_RIGHT, LUNG_LEFT, AIRWAYS, SOFT, FAT, BONE, GAS = range(8)

_IN_LUNG = (LUNG_RIGHT, LUNG_LEFT)
_SIDES = {"right": -1, "left": 1}
AIR_HU = -1000.0
_LATTICE_MM = 1.0

SEGMENTS = (
    Segment("lung_right", LUNG_RIGHT, "Right lung", codes.RIGHT_LUNG, color=(90, 160, 230)),
    Segment("lung_left", LUNG_LEFT, "Left lung", codes.LEFT_LUNG, color=(110, 200, 120)),
    Segment("airways", AIRWAYS, "Trachea and main bronchi", codes.TRACHEA_AND_BRONCHUS, color=(240, 200, 80)),
    Segment("soft_tissue", SOFT, "Soft tissue", codes.TISSUE, codes.TISSUE, color=(200, 90, 80)),
    Segment("fat", FAT, "Fat", codes.FAT, codes.TISSUE, color=(230, 220, 120)),
    Segment("bone", BONE, "Bone", codes.BONE, color=(240, 240, 220)),
    Segment("bowel_gas", GAS, "Bowel gas", codes.TISSUE, codes.TISSUE, color=(120, 120, 120)),
)
"""The structures of the truth."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A dense part of a lung.

    Parameters
    ----------
    center_mm, radii_mm
        The ellipsoid in LPS; only what lies inside a lung is painted.
    hu
        Its density.
    """

    center_mm: Point
    radii_mm: Point
    hu: float


CONSOLIDATION = Patch((-78, 30, 0), (24, 20, 26), 30)
"""Airless lung, surrounded by aerated lung."""
GROUND_GLASS = Patch((72, 20, 30), (28, 26, 30), -550)
"""Hazy lung that does not hide the vessels."""
PLEURAL_CONSOLIDATION = Patch((-80, 76, -20), (18, 10, 18), 30)
"""Airless lung along the chest wall."""


@dataclass(frozen=True, slots=True)
class ChestOptions:
    """What the phantom shows.

    Parameters
    ----------
    lung_hu
        Mean density of aerated lung; it grows by 0.4 HU per millimetre towards the back.
    blood_hu
        Density of heart and great vessels: 45 without contrast, about 200 with.
    noise_hu
        Standard deviation of the noise.
    patches
        Dense parts of the lungs.
    vessel_generations
        How often the pulmonary vessels fork; 0 leaves them out.
    surroundings
        What lies outside the patient: any of ``"table"`` and ``"blanket"``.
    """

    lung_hu: float = -860
    blood_hu: float = 45
    noise_hu: float = 20
    patches: tuple[Patch, ...] = ()
    vessel_generations: int = 6
    surroundings: tuple[str, ...] = ("table",)


@dataclass(frozen=True)
class ChestPhantom:
    """A phantom and its truth.

    Parameters
    ----------
    volume
        int16 CT in HU.
    truth
        Label map of the structure that holds each voxel's centre (:data:`SEGMENTS`).
    shapes
        What it was painted from.
    """

    volume: Volume
    truth: Segmentation
    shapes: tuple[Shape, ...] = field(repr=False)

    @cached_property
    def volumes_ml(self) -> Mapping[str, float]:
        """Volume of each structure inside the field of view.

        Counted on a lattice of at most 1 mm that divides the voxels evenly: exact to 0.1 % for a lung.
        """
        fine, labels = self.truth.grid, self.truth.array
        factors = [max(1, int(np.ceil(s / _LATTICE_MM - 1e-9))) for s in fine.spacing_mm]
        if max(factors) > 1:
            fine = fine.with_shape([n * f for n, f in zip(fine.shape, factors, strict=True)])
            _, labels = paint(fine, self.shapes, AIR_HU)
        counts = np.bincount(labels.reshape(-1), minlength=len(SEGMENTS) + 1)
        return MappingProxyType({s.name: float(counts[s.label]) * fine.voxel_volume_ml for s in SEGMENTS})


def chest_grid(shape: Sequence[int] = (120, 256, 256), spacing_mm: Sequence[float] = (2.5, 1.4, 1.4)) -> Grid:
    """Axial grid (slices head to feet) around the middle of the phantom's chest."""
    grid = Grid.from_vectors(shape, spacing_mm=spacing_mm)
    x, y, z = grid.center_mm
    return Grid.from_vectors(shape, spacing_mm=spacing_mm, origin_mm=(-x, 8 - y, -z))


def chest_phantom(grid: Grid | None = None, *, options: ChestOptions | None = None, seed: int = 0) -> ChestPhantom:
    """Make the phantom.

    Parameters
    ----------
    grid
        Where to make it; :func:`chest_grid` by default.
    options
        What it shows.
    seed
        Seeds the pulmonary vessels and the noise: the same seed gives the same bytes.
    """
    grid = grid or chest_grid()
    options = options or ChestOptions()
    shapes = chest_shapes(options, seed)
    values, labels = paint(grid, shapes, AIR_HU)
    if options.noise_hu > 0:
        noise = np.random.default_rng(seed).standard_normal(grid.shape, np.float32)
        values += np.multiply(noise, options.noise_hu, out=noise)
    np.clip(np.rint(values, out=values), -1024, 3071, out=values)
    volume = Volume(values.astype(np.int16), grid, codes.HU, modality="CT")
    truth = Segmentation((labels,), grid, SEGMENTS, Algorithm("Chest phantom", "1", (("seed", seed),)))
    return ChestPhantom(volume, truth, tuple(shapes))


# --- anatomy ---------------------------------------------------------------------------------------------------------


def chest_shapes(options: ChestOptions, seed: int) -> list[Shape]:
    """The shapes of the phantom, in order of painting."""
    return [
        *_surroundings(options),
        *_trunk(),
        *_lungs(options),
        *_lung_vessels(options, np.random.default_rng(seed)),
        *_lobar_bronchi(),
        *(Paint(p.hu, over=_IN_LUNG).ellipsoid(p.center_mm, p.radii_mm) for p in options.patches),
        *_abdomen(),
        *_mediastinum(options),
        *_spine(),
        *_ribs(),
        *_shoulders(),
        *_airways(),
    ]


def _surroundings(options: ChestOptions) -> Iterator[Shape]:
    if "table" in options.surroundings:
        yield Paint(-250).ellipsoid((0, 150, 0), (215, 22, 1e4), 4)
        yield Paint(-920).ellipsoid((0, 150, 0), (212, 19, 1e4), 4)
    if "blanket" in options.surroundings:
        yield Paint(-300).ellipsoid((0, 5, 0), (176, 132, 1e4), 3)
        yield Paint(-1000).ellipsoid((0, 5, 0), (172, 128, 1e4), 3)


def _trunk() -> Iterator[Shape]:
    yield Paint(-105, FAT).ellipsoid((0, 5, 0), (168, 122, 700), 3)
    yield Paint(50, SOFT).ellipsoid((0, 5, -10), (152, 107, 600), 3)


def _lungs(options: ChestOptions) -> Iterator[Shape]:
    for label, x in ((LUNG_RIGHT, -72), (LUNG_LEFT, 70)):
        lung = Paint(options.lung_hu, label, slope=0.4)
        yield lung.ellipsoid((x, -2, 10), (59, 82, 120))


def _mediastinum(options: ChestOptions) -> Iterator[Shape]:
    yield Paint(5, SOFT).ellipsoid((2, 8, 0), (33, 70, 150))
    blood = Paint(options.blood_hu, SOFT)
    yield Paint(-95, FAT).ellipsoid((26, -32, -50), (55, 48, 58))
    yield blood.ellipsoid((26, -32, -48), (51, 44, 54))
    yield from blood.path([(22, 48, -160), (22, 48, 40), (20, 34, 66), (6, -8, 72), (-8, -30, 50), (6, -28, 0)], 12)
    yield from blood.path([(-24, -22, 120), (-24, -22, 10)], 9)
    yield from blood.path([(8, -30, 10), (12, -18, 32), (30, 0, 34)], 12)
    yield from blood.path([(10, -14, 30), (-26, 4, 26)], 10)
    yield from Paint(40, SOFT).path([(8, 30, 160), (8, 32, -160)], 7)


def _abdomen() -> Iterator[Shape]:
    yield Paint(60, SOFT).ellipsoid((-62, 2, -150), (80, 84, 78))
    yield Paint(45, SOFT).ellipsoid((68, 6, -156), (74, 82, 76))
    gas = Paint(-990, GAS)
    yield gas.ellipsoid((58, -32, -122), (30, 22, 18))
    yield gas.ellipsoid((-30, -66, -142), (30, 16, 14))
    yield from gas.path([(20, -72, -146), (70, -60, -150), (98, -20, -154)], 12)


def _spine() -> Iterator[Shape]:
    for z in range(-170, 190, 26):
        yield Paint(420, BONE).ellipsoid((0, 72, z), (19, 16, 11), 4)
        yield Paint(190, BONE).ellipsoid((0, 72, z), (17, 14, 9), 4)
        yield from Paint(380, BONE).path([(0, 100, z), (0, 113, z - 12)], 4)
        for side in (-1, 1):
            yield from Paint(380, BONE).path([(13 * side, 86, z), (6 * side, 100, z), (0, 100, z)], 3.5)
            yield from Paint(380, BONE).path([(12 * side, 88, z), (34 * side, 96, z + 3)], 4)
    yield Paint(30, SOFT).ellipsoid((0, 92, 0), (8, 6, 1e4))


def _rib_line(side: int, top_mm: float) -> Iterator[Point]:
    """From the spine around the chest, falling towards the front; just outside the lung's ellipsoid."""
    for angle in np.radians(np.arange(-4, 150, 7.0)):
        z = top_mm - 52 * (1 - np.cos(angle)) / 2 - 4
        wide = np.sqrt(max(1 - ((z - 10) / 128) ** 2, 0.12 if z > 10 else 0.44))
        x = 22 + 50 * wide**0.5 + (60 * wide + 6) * np.sin(angle) if angle > 0 else 34.0
        yield side * float(x), float(-2 + (82 * wide + 8) * np.cos(angle)), float(z)


def _ribs() -> Iterator[Shape]:
    for side in (-1, 1):
        for top in range(-150, 128, 24):
            line = list(_rib_line(side, top))
            yield from Paint(480, BONE).path(line, 4.5)
            yield from Paint(260, BONE).path(line, 2.5)
    yield Paint(420, BONE).ellipsoid((0, -90, 20), (17, 6, 85), 4)
    yield Paint(200, BONE).ellipsoid((0, -90, 20), (15, 4, 83), 4)


def _shoulders() -> Iterator[Shape]:
    for side in (-1, 1):
        yield from Paint(400, BONE).path([(12 * side, -82, 112), (70 * side, -66, 128), (130 * side, -30, 146)], 6)
        for drop in range(7):
            z = 128 - 14 * drop
            inner, outer = 84 + 5 * drop, 136 - 5 * drop
            yield from Paint(330, BONE).path([(inner * side, 97 - drop, z), (outer * side, 76 + 2 * drop, z)], 3.2)


def _airways() -> Iterator[Shape]:
    trachea = [(0.0, 2.0, 180.0), (0.0, 6.0, 90.0), (1.0, 12.0, 46.0)]
    right = [trachea[-1], (-36.0, 14.0, 18.0)]
    left = [trachea[-1], (40.0, 16.0, 14.0)]
    wall, air = Paint(20), Paint(-1000, AIRWAYS, (SOFT, FAT, AIRWAYS))
    for line, radius in ((trachea, 8.5), (right, 7.0), (left, 6.2)):
        yield from Paint(wall.value, SOFT, (SOFT, FAT)).path(line, radius + 1.4)
    for line, radius in ((trachea, 8.5), (right, 7.0), (left, 6.2)):
        yield from air.path(line, radius)


def _lobar_bronchi() -> Iterator[Shape]:
    for side in (-1, 1):
        root = (34.0 * side, 15.0, 18.0)
        for end in ((62.0 * side, 4.0, 62.0), (72.0 * side, -20.0, 0.0), (62.0 * side, 40.0, -40.0)):
            yield Paint(-200, over=_IN_LUNG).tube(root, end, (6.2, 2.6))
            yield Paint(-1000, over=_IN_LUNG).tube(root, end, (4.8, 1.4))


def _lung_vessels(options: ChestOptions, rng: np.random.Generator) -> Iterator[Shape]:
    """Trees of tubes that start at the hilum and fork."""
    vessel = Paint(options.blood_hu, over=_IN_LUNG)
    if options.vessel_generations == 0:
        return
    for side in _SIDES.values():
        for target in ((80, -20, 80), (85, -50, 0), (95, 5, 10), (75, 45, -50), (80, 40, 60), (85, -5, -60)):
            root = np.array([36.0 * side, 8.0, 20.0])
            heading = np.array([target[0] * side, target[1], target[2]]) - root
            yield from _fork(vessel, rng, root, heading * 0.45, 5.5, options.vessel_generations)


def _fork(
    vessel: Paint,
    rng: np.random.Generator,
    start: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    radius_mm: float,
    generations: int,
) -> Iterator[Shape]:
    end = start + step
    thin = radius_mm * 0.78
    yield vessel.tube((start[0], start[1], start[2]), (end[0], end[1], end[2]), (radius_mm, thin))
    if generations <= 1:
        return
    length = float(np.linalg.norm(step))
    across = np.cross(step, rng.standard_normal(3))
    across *= 0.62 * length / np.linalg.norm(across)
    for sign in (-1, 1):
        child = step + sign * across
        yield from _fork(vessel, rng, end, child * (0.8 * length / np.linalg.norm(child)), thin, generations - 1)
