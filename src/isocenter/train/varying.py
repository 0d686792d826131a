"""How a patch is varied while it is learned from: an augmentation by name, and the margin that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isocenter.errors import UsageError
from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.train.patches import Patch


@dataclass(frozen=True)
class Varying:
    """An augmentation for patches of a plan.

    Parameters
    ----------
    augmentation
        What is done; None for nothing.
    margin
        Voxels that a patch is cut larger by on each side.
    """

    augmentation: Any = None
    margin: Triple = (0, 0, 0)

    @classmethod
    def of(cls, plan: Plan, name: str) -> Varying:
        """That of a name, for a plan."""
        if name not in ("none", "default"):
            raise UsageError(f"There is no augmentation {name!r}; there are: default, none.")
        return cls()

    def varied(self, patch: Patch, rng: np.random.Generator) -> Patch:
        """The patch without its margin, varied by chance."""
        return patch
