"""Fusion: one image in colour over another in grey, such as PET over CT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter import windows
from isocenter.errors import UsageError
from isocenter.report.annotation import Notes, annotated, with_bar
from isocenter.report.colors import HOT, colored
from isocenter.report.figure import Figure
from isocenter.report.pictures.overlaid import pair
from isocenter.report.pictures.views import PlaneName, window_for
from isocenter.report.planes import unit_of, window_of
from isocenter.report.stills import still
from isocenter.volume import Volume

_MOST = 0.75  # opacity of the strongest colour: what lies below stays visible


def fused(
    ground: Volume,
    over: Volume,
    *,
    plane: PlaneName = "axial",
    at_mm: float | None = None,
    window: windows.Window | str | None = None,
    limits: Sequence[float] | None = None,
) -> Figure:
    """A section of one image in grey with another over it in colour, and a colour bar.

    The other image is sampled where the section lies, by linear interpolation: both have to lie in one frame of
    reference. Its colours run from clear black over red and yellow to white, the thicker the higher the value.

    Parameters
    ----------
    ground
        The image in grey.
    over
        The image in colour.
    plane, at_mm, window
        As for :func:`isocenter.report.pictures.section`, of the image in grey.
    limits
        The values of ``over`` that are clear and white. By default for PET in SUV 0 and 10, else a range of
        percentiles. The bar states them.

    Raises
    ------
    UsageError
        If the images lie in different frames of reference, or an argument is none of the image.
    """
    found = pair(ground, over, plane, at_mm)
    shown = window_for(still(ground), window)
    chosen = window_of(still(over))
    low, high = (
        _checked(limits) if limits is not None else (chosen.center - chosen.width / 2, chosen.center + chosen.width / 2)
    )
    share = np.clip(np.nan_to_num((found.other - low) / (high - low)), 0, 1)[..., None]
    cover = _MOST * np.sqrt(share)
    grey = np.repeat(shown.grey(found.one)[..., None], 3, axis=2)
    picture = (grey * (1 - cover) + colored(found.other, (low, high), HOT) * cover + 0.5).astype(np.uint8)
    position = found.seen.position(found.index)
    head = (f"{found.seen.kind.capitalize()} {found.index + 1}/{len(found.seen)}", position)
    drawn = annotated(
        picture, found.seen, found.px_per_mm, Notes(head, (found.remark.rstrip("."), shown.name, shown.levels))
    )
    name = f"{over.modality or 'Image'} over {ground.modality or 'image'}"
    unit = unit_of(over)
    span = f"{low:.4g} to {high:.4g} {unit}".strip().replace("-", "−")
    how = "" if limits is not None else f" ({chosen.name})"
    words = (f"{position or 'Place in the patient unknown'}.", f"Grey: {shown}.", f"Colour: {span}{how}.", found.remark)
    return Figure(
        name="fused",
        title=f"{name}, {found.seen.kind}",
        caption=" ".join(word for word in words if word),
        image=with_bar(drawn, HOT, (low, high), unit),
    )


def _checked(limits: Sequence[float]) -> tuple[float, float]:
    if len(limits) != 2 or not (np.isfinite(limits).all() and limits[0] < limits[1]):
        raise UsageError(f"Limits are a lower and a higher value, not {limits!r}.")
    return float(limits[0]), float(limits[1])
