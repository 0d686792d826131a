"""Fusion without registration: images that already share one patient coordinate system (PET/CT, PET/MR, one visit)."""

from __future__ import annotations

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.ops.registration.transform import Transform
from isocenter.reasons import Reason
from isocenter.volume import Volume


def by_frame(fixed: Volume, moving: Volume) -> Transform:
    """The transform between two images that share a frame of reference: none at all.

    ``by_frame(ct, pet).apply(pet, outside=0)`` is the PET on the grid of the CT.

    Parameters
    ----------
    fixed, moving
        Two images whose frames of reference (DICOM's Frame of Reference UID) are known and the same.

    Raises
    ------
    UsageError
        If a frame of reference is unknown, or they differ: then the images have to be registered.
    """
    for image in (fixed, moving):
        expect(image, Volume)
        if image.grid.frame_of_reference_uid is None:
            raise UsageError(
                "An image's frame of reference is unknown, so nothing says that they lie in one: register."
            )
    if fixed.grid.frame_of_reference_uid != moving.grid.frame_of_reference_uid or fixed.grid.space != moving.grid.space:
        raise UsageError("The images lie in different frames of reference: register them (isocenter.register).")
    said = Reason("ALIGNED_BY_FRAME", "The images were laid over each other by their shared frame of reference.")
    return Transform(np.eye(4), fixed.grid, moving.grid, reasons=(said,))
