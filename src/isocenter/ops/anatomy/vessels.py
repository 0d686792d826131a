"""Vessels of the lungs: what is denser than half-way between lung and blood, thin, and in one piece with more of it.

Arteries and veins are not told apart. Thin or frayed infiltrates look the same and are taken too, which is said where
the lungs hold dense tissue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.ops.anatomy.lungs import AIR_HU, segment_lungs
from isocenter.ops.masks.morphology import components, dilate, erode, opened
from isocenter.reasons import Reason, merge
from isocenter.volume import Volume

_PLEURA_MM = 1.5
"""Not looked at: the pleura is as dense as a vessel."""
_WALL_MM = 2.5
"""Thickness of the walls of the airways."""
_THICK_MM = 7.0
"""What holds a ball of this radius is no vessel but an infiltrate, or heart."""
_LEAST_ML = 0.05

VESSELS = Segment("lung_vessels", 1, "Vessels of the lungs", codes.BLOOD_VESSEL, color=(220, 70, 70), region=codes.LUNG)
ALGORITHM = Algorithm("Isocenter lung vessels", "1", (("denser_hu", AIR_HU), ("thick_mm", _THICK_MM)))


def segment_vessels(volume: Volume) -> Segmentation:
    """Arteries and veins of the lungs together, from about 2 mm of width on.

    Parameters
    ----------
    volume
        A CT in HU of the chest, on a grid of any orientation.

    Returns
    -------
    Segmentation on the volume's grid; its reasons are those of the lungs.
    """
    lungs = segment_lungs(volume)
    spacing = volume.grid.spacing_mm
    inner = erode(lungs.mask("lung_right", "lung_left"), _PLEURA_MM, spacing)
    dense = inner & (volume.array > AIR_HU) & ~dilate(lungs.mask("airways"), _WALL_MM, spacing)
    dense &= ~opened(dense, _THICK_MM, spacing)
    pieces, counts = components(dense)
    kept = counts * volume.grid.voxel_volume_ml >= _LEAST_ML
    kept[0] = False
    found: npt.NDArray[np.bool_] = kept[pieces]
    reasons = merge(lungs.reasons, _about(lungs, found))
    return replace(Segmentation.of(found, volume, [VESSELS], ALGORITHM), reasons=reasons)


def _about(lungs: Segmentation, found: npt.NDArray[np.bool_]) -> Iterator[Reason]:
    if not found.any():
        yield Reason("SEGMENT_EMPTY", f"The image holds no voxel of: {VESSELS.title}.")
    elif any(reason.code == "DENSE_LUNG_INCLUDED" for reason in lungs.reasons):
        yield Reason("VESSELS_WITH_DENSE_LUNG", "The lungs hold dense tissue, of which thin parts count as vessels.")
