"""Features that are undefined for a region are NaN within this room, and absent with a sentence outside of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isocenter.geometry import Floats


def ratio(one: float, other: float) -> float:
    """One number over another; NaN where that is zero, or nothing but rounding."""
    return one / other if other != 0 else math.nan


def mean_of(rows: Sequence[Floats], length: int) -> Floats:
    """Mean of each feature over slices or directions; those in which it is undefined are left out."""
    if not rows:
        return np.full(length, np.nan)
    table = np.array(rows)
    defined = np.isfinite(table)
    number = defined.sum(axis=0)
    total = np.where(defined, table, 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
