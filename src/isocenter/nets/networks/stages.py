"""Stages of an encoder: how often each axis is halved, and how far a kernel reaches, from a patch and its spacing.

Plain numbers, without torch, so that a planner can ask. The rule is nnU-Net's (Isensee 2021, supplement): an axis is
halved while it is long enough and not much coarser than the finest, and a kernel is flat along an axis until the
others have become as coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from isocenter.errors import UsageError
from isocenter.nets.plan import Plan

Steps = tuple[int, ...]

_SHORTEST = 4  # voxels left of an axis after its last halving
_COARSER = 2.0  # an axis as many times as coarse as the finest waits


class Stages(NamedTuple):
    """One entry for each stage, from the finest.

    Parameters
    ----------
    strides
        By how much each axis is coarsened on the way into the stage; ones for the first.
    kernels
        Size of the kernels in the stage.
    """

    strides: tuple[Steps, ...]
    kernels: tuple[Steps, ...]

    @property
    def multiple(self) -> Steps:
        """Product of the strides along each axis."""
        found = [1] * len(self.strides[0])
        for step in self.strides:
            found = [a * b for a, b in zip(found, step, strict=True)]
        return tuple(found)


def stages(patch: Sequence[int], spacing_mm: Sequence[float] | None = None, *, most: int = 6) -> Stages:
    """Strides and kernels that suit a patch.

    Parameters
    ----------
    patch
        Voxels along each axis of the network (two or three).
    spacing_mm
        Spacing along the same axes; None takes all as equal.
    most
        Stages at most.
    """
    sizes, spacing = [int(n) for n in patch], [float(s) for s in spacing_mm or [1.0] * len(patch)]
    strides, kernels = [(1,) * len(sizes)], [_kernel(spacing)]
    while len(strides) < most:
        long = [n >= 2 * _SHORTEST for n in sizes]
        if not any(long):
            break
        finest = min(s for s, is_long in zip(spacing, long, strict=True) if is_long)
        step = tuple(1 + (is_long and s < _COARSER * finest) for s, is_long in zip(spacing, long, strict=True))
        sizes = [-(-n // d) for n, d in zip(sizes, step, strict=True)]
        spacing = [s * d for s, d in zip(spacing, step, strict=True)]
        strides.append(step)
        kernels.append(tuple(max(pair) for pair in zip(kernels[-1], _kernel(spacing), strict=True)))
    return Stages(tuple(strides), tuple(kernels))


def stages_of(plan: Plan, *, most: int = 6) -> Stages:
    """Strides and kernels of a plan's network: those of its options, else those that suit its patch.

    Raises
    ------
    UsageError
        If the options do not fit each other or the number of axes.
    """
    first = 3 - plan.dimensions
    options = plan.network.options
    if "features" in options and "strides" not in options:
        most = len(options["features"])
    found = stages(plan.patch[first:], plan.spacing_mm[first:] if plan.spacing_mm else None, most=most)
    strides = _given(options, "strides", found.strides, plan.dimensions)
    kernels = _given(options, "kernels", found.kernels, plan.dimensions)
    if len(kernels) > len(strides):
        kernels = kernels[: len(strides)]
    if len(kernels) < len(strides):
        raise UsageError(f"The network has {len(strides)} strides but {len(kernels)} kernels: one of each per stage.")
    return Stages(strides, kernels)


def _kernel(spacing: Sequence[float]) -> Steps:
    finest = min(spacing)
    return tuple(1 if s >= _COARSER * finest else 3 for s in spacing)


def _given(options: Any, name: str, otherwise: tuple[Steps, ...], dimensions: int) -> tuple[Steps, ...]:
    """An option that has one entry for each stage: a number for all axes, or one for each axis."""
    if name not in options:
        return otherwise
    found = tuple((one,) * dimensions if isinstance(one, int) else tuple(one) for one in options[name])
    if any(len(one) != dimensions or min(one) < 1 for one in found):
        raise UsageError(f"Each of the {name} is a number, or one of 1 or more for each of the {dimensions} axes.")
    return found
