"""The space that the points of a file lie in, where its header says so (``SPACE=LPS``, ``SPACE=RAS``)."""

from __future__ import annotations

import re

from isocenter.bridges import points_between_ras_and_lps
from isocenter.volume import Array


def in_lps(points: Array, header: bytes) -> Array:
    """The points in LPS; what says no space is taken to be there.

    Raises
    ------
    ValueError
        If the header names another space.
    """
    said = re.search(rb"SPACE=(\w+)", header)
    if said is None or said[1] == b"LPS":
        return points
    if said[1] == b"RAS":
        return points_between_ras_and_lps(points)
    raise ValueError(f"its points lie in the space {said[1].decode()}; LPS and RAS are read.")
