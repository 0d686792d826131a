"""How a patch is varied while it is learned from: drawn first, then cut as much larger as the drawn turn needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter.augment import space
from isocenter.augment.chain import Augmentation, Drawn, Window
from isocenter.augment.presets import preset
from isocenter.augment.scale import Scale
from isocenter.datasets.loading import modality_of
from isocenter.errors import UsageError
from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.nets.structures import expect_mirrors
from isocenter.train.cache import CachedCase
from isocenter.train.patches import Patch, Place, Sampling, cut

PRESETS = ("CT", "MR", "photograph")
_COLOURS = {"red", "green", "blue", "r", "g", "b"}


@dataclass(frozen=True)
class Varying:
    """Patches of a plan, varied by an augmentation.

    Parameters
    ----------
    sampling
        What patches are like.
    augmentation
        What may be done to them; None for nothing.
    """

    sampling: Sampling
    augmentation: Augmentation | None = None

    @classmethod
    def of(cls, plan: Plan, name: str = "default") -> Varying:
        """That of a plan, by the name of a preset of :mod:`isocenter.augment`; or ``"none"``.

        By default the preset is that of CT for a plan whose first channel is CT, of photographs for one of colours, and
        of MR for all others.

        Raises
        ------
        UsageError
            If there is no such preset.
        Refused
            With ``SIDES_MIRRORED`` if the plan mirrors from left to right what its labels tell apart by side.
        """
        if name == "none":
            return cls(Sampling.of(plan))
        if name not in ("default", *PRESETS):
            raise UsageError(f"There is no augmentation {name!r}; there are: default, none, {', '.join(PRESETS)}.")
        expect_mirrors(plan)
        kind = kind_of(plan) if name == "default" else name
        return cls(Sampling.of(plan), preset(kind, mirror_axes=plan.mirror_axes))  # type: ignore[arg-type]

    def patch(self, place: Place, rng: np.random.Generator) -> Patch:
        """The patch at a place, varied by chance.

        Where it turns, what lies beside it in the image comes in, not an edge.
        """
        if self.augmentation is None:
            return cut(place, self.sampling)
        drawn = self.augmentation.sample(rng)
        scale = scale_of(place.case, neighbours=self.sampling.neighbours)
        margin = reach(drawn, self.sampling.shape, scale)
        given = cut(place, self.sampling, margin=margin)
        made = drawn.apply(given.image, given.labels, scale=scale, window=Window(margin, self.sampling.shape))
        return Patch(made.images, made.labels, place)


def scale_of(case: CachedCase, *, neighbours: int = 0) -> Scale:
    """What a case's array stands for: HU where it is a CT's, else deviations of its values.

    Parameters
    ----------
    case
        The case.
    neighbours
        Slices on each side that are further channels.
    """
    times = 2 * neighbours + 1
    one = case.deviations
    if case.modality == "CT":
        one = tuple(1 / factor for _, factor in case.scales)
    zero: tuple[float, ...] | None = None
    if case.modality in ("CT", "MR"):  # what has no signal is 0 in both
        zero = tuple(-offset / factor for offset, factor in case.scales for _ in range(times))
    return Scale(case.grid.spacing_mm, zero, tuple(value for value in one for _ in range(times)))


def reach(drawn: Drawn, shape: Triple, scale: Scale) -> Triple:
    """How many voxels beyond a patch of a shape a drawn augmentation looks, along each axis."""
    pull = space.pull(drawn.steps, shape, scale.spacing_mm)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1)
    there = pull.matrix[:, :3] @ corners + pull.matrix[:, 3:]
    last = np.array(shape) - 1
    beyond = np.maximum(-there.min(axis=1), there.max(axis=1) - last)
    beyond += np.abs(pull.controls).max(axis=(1, 2, 3), initial=0)
    k, r, c = (int(np.ceil(one)) if one > 1e-6 else 0 for one in beyond)
    return k, r, c


def kind_of(plan: Plan) -> str:
    """The preset that suits the images of a plan."""
    if modality_of(plan.channels[0]) == "CT":
        return "CT"
    return "photograph" if {one.lower() for one in plan.channels} <= _COLOURS else "MR"
