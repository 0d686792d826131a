"""Calcium score of a region: Agatston's score and the volume of calcifications, slice by slice along the body.

Agatston et al., J Am Coll Cardiol 15 (1990) 827; scaled to slices 3 mm apart as Ohnesorge et al., Radiology 225 (2002)
373. Which region is scored (the coronary arteries, the aorta) comes in; nothing here finds a vessel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from isocenter import codes
from isocenter.errors import Refused, expect
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.ops.anatomy.coarse import AXIAL, to_volume_axes
from isocenter.ops.lattice import expect_one_grid, spacing_of
from isocenter.ops.resample import to_orientation
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

CALCIUM_HU = 130.0
LEAST_MM2 = 1.0
STANDARD_MM = 3.0
"""Distance of the slices that the score was made for."""
_WEIGHT_HU = (130, 200, 300, 400)
_SLACK_MM = 0.2
_MOST_ML = 15.0
CALCIFICATION = Segment(
    "calcification", 1, "Calcification", codes.CALCIFICATION, codes.MORPHOLOGIC_ABNORMALITY, (250, 210, 80)
)


@dataclass(frozen=True, eq=False)
class CalciumScore:
    """What was counted, and what it amounts to.

    Parameters
    ----------
    calcifications
        The voxels that count, on the image's grid.
    agatston
        Agatston score; without a unit.
    volume_mm3
        Volume of the voxels that count.
    lesions
        Number of calcifications, each counted once in every slice that it is seen in.
    """

    calcifications: Segmentation = field(repr=False)
    agatston: float
    volume_mm3: float
    lesions: int

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The numbers as findings, for tables and Structured Reports."""
        names = self.calcifications.names
        how = f"Agatston, {CALCIUM_HU:g} HU, {LEAST_MM2:g} mm2 or more, scaled to slices {STANDARD_MM:g} mm apart"
        return (
            Measurement("agatston", "Agatston score", self.agatston, codes.ONE, codes.CALCIUM_SCORE, names, method=how),
            Measurement("volume", "Volume", self.volume_mm3 / 1000, codes.ML, codes.VOLUME, names),
        )


def calcium_score(volume: Volume, region: Segmentation, *names: str) -> CalciumScore:
    """Agatston score and volume of the calcifications in a region.

    In each axial slice, pixels of 130 HU or more that touch each other (corners count) and cover 1 mm2 or more are a
    lesion. Its score is its area in mm2 times 1, 2, 3 or 4 for a peak from 130, 200, 300 or 400 HU on. The sum over all
    slices is scaled by the distance of the slices over 3 mm.

    Parameters
    ----------
    volume
        CT in HU, without contrast medium.
    region
        Where to look, on the same grid; a lesion counts as far as it lies in it.
    names
        The segments that make up the region; without names, all.

    Returns
    -------
    The score. Slices that are not 3 mm apart, or planes that are not axial, are told by reasons: the scaled score then
    compares only roughly with reference values.

    Raises
    ------
    UsageError
        If the region lies on another grid.
    Refused
        With ``WRONG_MODALITY`` if the volume is no CT in HU.
    """
    expect(volume, Volume)
    if volume.unit != codes.HU or volume.axes:
        raise Refused([Reason("WRONG_MODALITY", f"Calcium is scored in HU; this volume is in {volume.unit.value}.")])
    expect_one_grid(volume, region)
    axial = to_orientation(volume, AXIAL)
    where = to_orientation(region, AXIAL).mask(*names)
    depth_mm, height_mm, width_mm = spacing_of(axial.grid)
    counted, scores = _lesions(axial.array, where, height_mm * width_mm)
    how = Algorithm("Isocenter calcium score", "1", (("threshold_hu", CALCIUM_HU), ("least_mm2", LEAST_MM2)))
    found = Segmentation.of(to_volume_axes(counted, volume.grid), volume, [CALCIFICATION], how)
    volume_mm3 = int(np.count_nonzero(counted)) * volume.grid.voxel_volume_mm3
    told = found.with_reasons([*_doubts(axial, depth_mm), *_amount(volume_mm3)])
    return CalciumScore(told, float(sum(scores)) * depth_mm / STANDARD_MM, volume_mm3, len(scores))


def _lesions(array: Array, where: Array, pixel_mm2: float) -> tuple[Array, list[float]]:
    """Mask of the pixels that count, and the score of each lesion."""
    from scipy import ndimage

    hard = where & (array >= CALCIUM_HU)
    counted, scores = np.zeros(array.shape, bool), []
    for k in np.flatnonzero(hard.any(axis=(1, 2))):
        pieces, count = ndimage.label(hard[k], np.ones((3, 3)))
        places = range(1, count + 1)
        areas = ndimage.sum_labels(hard[k], pieces, places) * pixel_mm2
        peaks = ndimage.maximum(array[k], pieces, places)
        kept = [place for place, area in zip(places, areas, strict=True) if area >= LEAST_MM2 * (1 - 1e-9)]
        counted[k] = np.isin(pieces, kept)
        scores += [float(areas[place - 1] * np.searchsorted(_WEIGHT_HU, peaks[place - 1], "right")) for place in kept]
    return counted, scores


def _doubts(axial: Volume, depth_mm: float) -> list[Reason]:
    found = []
    if abs(depth_mm - STANDARD_MM) > _SLACK_MM:
        text = f"The slices lie {depth_mm:.3g} mm apart; the score was scaled to {STANDARD_MM:g} mm."
        found.append(Reason("CALCIUM_SLICES", text))
    tilt = abs(float(axial.grid.direction[2, 0]))
    if tilt < np.cos(np.radians(5)):
        found.append(Reason("CALCIUM_SLICES", f"The slices are turned by {np.degrees(np.arccos(tilt)):.0f} degrees."))
    return found


def _amount(volume_mm3: float) -> list[Reason]:
    if volume_mm3 <= _MOST_ML * 1000:
        return []
    text = f"{volume_mm3 / 1000:.0f} ml count as calcium, more than vessels and valves of the heart hold."
    return [Reason("CALCIUM_IMPLAUSIBLE", text)]
