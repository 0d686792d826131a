"""Before and after treatment: how much each structure's volume and mean density changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.findings import Measurement, Segmentation
from isocenter.ops.measure import Density, densities
from isocenter.ops.registration.transform import Transform
from isocenter.reasons import Reason, merge
from isocenter.volume import Volume


@dataclass(frozen=True, eq=False)
class Change:
    """What became of the structures.

    Parameters
    ----------
    measurements
        For each structure: its volume before and after and the change in percent; the mean density before and after,
        and their difference. A structure that is empty has a volume of 0 ml and no density.
    after
        The structures on the later image: those handed over, or the earlier ones brought there.
    reasons
        Those of both images, both segmentations and the transform.
    """

    measurements: tuple[Measurement, ...]
    after: Segmentation
    reasons: tuple[Reason, ...] = ()


def change(before: Volume, found_before: Segmentation, after: Volume, found_after: Segmentation | Transform) -> Change:
    """The change of volume and mean density of each structure between two scans.

    Parameters
    ----------
    before, found_before
        The earlier image, and its structures on its grid.
    after
        The later image, in the same unit.
    found_after
        Its structures, of the same names, found in it on its own; or the transform of ``register(after, before)``,
        which brings the earlier structures over. Volumes of these are as right as the registration, and with a rigid
        transform no volume can change: take a kind that bends, or segment both scans.

    Raises
    ------
    UsageError
        If units differ, a segmentation lies on another grid than its image, structures have other names, or the
        transform does not lead from ``after`` to ``before``.
    """
    expect(after, Volume)
    expect(found_after, Segmentation, Transform)
    first = densities(before, found_before)
    if before.unit != after.unit:
        raise UsageError(f"The scans have different units, {before.unit.value!r} and {after.unit.value!r}.")
    there = found_after
    if isinstance(there, Transform):
        if not there.fixed.may_share_frame(after.grid):
            raise UsageError("The transform does not begin in the later image: take that of register(after, before).")
        there = there.apply(found_before, onto=after.grid)
    if set(there.names) != set(found_before.names):
        raise UsageError("The structures before and after have different names: choose the same by .only(...).")
    second = densities(after, there)
    found = [
        one
        for name in found_before.names
        for one in _changes(
            name,
            (found_before.volume_ml(name), there.volume_ml(name)),
            (first[name], second[name]),
            after.unit,
        )
    ]
    reasons = merge(before.reasons, found_before.reasons, after.reasons, there.reasons)
    return Change(tuple(found), there, reasons)


def _changes(
    name: str, volumes_ml: tuple[float, float], values: tuple[Density | None, Density | None], unit: codes.Code
) -> list[Measurement]:
    old_ml, new_ml = volumes_ml
    where = (name,)
    found = [
        Measurement("volume_before", "Volume before", old_ml, codes.ML, codes.VOLUME, where),
        Measurement("volume_after", "Volume after", new_ml, codes.ML, codes.VOLUME, where),
    ]
    if old_ml > 0:
        percent = 100 * (new_ml - old_ml) / old_ml
        method = "Volume after less volume before, over volume before"
        found.append(
            Measurement("volume_change", "Change of volume", percent, codes.PERCENT, codes.VOLUME, where, method=method)
        )
    means = [None if one is None else one.mean for one in values]
    for word, mean in zip(("before", "after"), means, strict=True):
        if mean is not None:
            title = f"Mean density {word}"
            found.append(Measurement(f"mean_{word}", title, mean, unit, codes.ATTENUATION, where, codes.MEAN))
    if means[0] is not None and means[1] is not None:
        apart = float(np.subtract(means[1], means[0]))
        title = "Change of mean density"
        found.append(Measurement("mean_change", title, apart, unit, codes.ATTENUATION, where, codes.MEAN))
    return found
