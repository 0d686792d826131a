"""What an image is, whatever its file is called: a digest of its voxels alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from isocenter.geometry import Space
from isocenter.volume import Array, Volume

_HEAD_TO_FEET = "IPL"


def content_digest(images: Sequence[Volume]) -> str:
    """SHA-256 (hex) of the voxels of a case's images, by value and in one orientation.

    Name, format, compression, number type and the order of axes do not change it; nor do place and spacing, which a
    copy may have lost. Values are compared as float32.
    """
    digest = hashlib.sha256()
    for image in images:
        turned = _turned(image)
        digest.update(repr(turned.shape).encode())
        for plane in turned:
            values = np.ascontiguousarray(plane, np.float32) + np.float32(0)  # -0 is 0
            digest.update(values.tobytes())
    return digest.hexdigest()


def _turned(image: Volume) -> Array:
    """A view of the values with slices from head to feet; of a picture, whose place is unknown, as they are."""
    if image.grid.space is not Space.PATIENT:
        return image.array
    order, flips = image.grid.axes_towards(_HEAD_TO_FEET)
    return np.flip(image.array.transpose(*order, *range(3, image.array.ndim)), flips)
