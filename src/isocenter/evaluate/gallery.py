"""Pictures of cases that went wrong: truth and prediction as outlines, where they differ most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.evaluate.numbering import Both, paired, same_place
from isocenter.evaluate.structures import scored
from isocenter.findings import Segment, Segmentation
from isocenter.geometry import Space
from isocenter.ops.lattice import expect_one_grid
from isocenter.ops.masks import joined
from isocenter.report.figure import Figure
from isocenter.report.pictures import planes
from isocenter.volume import Volume

_COLORS = (
    ((255, 205, 150), (250, 110, 0)),
    ((170, 215, 255), (30, 110, 255)),
    ((190, 250, 180), (0, 170, 60)),
    ((255, 185, 250), (215, 30, 195)),
    ((255, 250, 170), (220, 185, 0)),
    ((255, 185, 185), (225, 20, 40)),
)
"""For each structure that is drawn, those with the worst Dice, the colours of its truth and of its prediction."""


def differing(image: Volume, prediction: Segmentation | None, truth: Segmentation, *, name: str) -> Figure:
    """Three sections through the place where prediction and truth differ most, with both as outlines.

    Parameters
    ----------
    image
        On the grid of the truth.
    prediction, truth
        As of :func:`isocenter.evaluate.scores`.
    name
        Of the case, for the title.

    Raises
    ------
    Refused
        If prediction and truth lie apart.
    UsageError
        If the image lies on another grid than the truth.
    """
    expect_one_grid(image, truth)
    moved = None if prediction is None else same_place(prediction, truth)
    pairs: dict[str, Both] = {one.name: (None, one) for one in truth.segments}
    if moved is not None:
        known = paired(moved, truth)[0]
        pairs = {key: both for key, both in known.items() if both[1] is not None}
    worst = sorted(
        scored(moved, truth, names=None, tolerance_mm=1.0).of, key=lambda one: np.nan_to_num(one.dice, nan=2)
    )
    shown = [one.structure for one in worst if one.structure in pairs][: len(_COLORS)]
    sides = [_side(truth, {key: pairs[key][1] for key in shown}, "truth")]
    if moved is not None:
        sides.append(_side(moved, {key: pairs[key][0] for key in shown}, "predicted"))
    both = joined(*sides)
    where = _place(both, len(sides)) if truth.grid.space is Space.PATIENT else None
    drawn = planes(image, both, at_mm=where)
    said = ", ".join(f"{one.structure} {one.dice:.2f}" for one in worst if one.structure in shown)
    words = (
        "Each structure has its colour: pale is the truth, full the prediction, which hides the truth where both agree."
    )
    caption = f"{words} Dice: {said}. {drawn.caption}"
    return replace(drawn, name=f"case_{name}", title=f"Case {name}", caption=caption)


def _side(found: Segmentation, segments: dict[str, Segment | None], word: str) -> Segmentation:
    """One side alone, its segments named after the structure and the side, each in its colour of that side."""
    named = tuple(
        replace(one, name=f"{key}, {word}", title=f"{one.title}, {word}", color=pair[word == "predicted"])
        for (key, one), pair in zip(segments.items(), _COLORS, strict=False)
        if one is not None
    )
    return replace(found, segments=named)


def _place(both: Segmentation, sides: int) -> tuple[float, float, float] | None:
    """World point of the sections on which the sides differ most; None if they are equal."""
    masks = [
        both.mask(*(one for one in both.names if one.endswith(word))) for word in (", truth", ", predicted")[:sides]
    ]
    apart = masks[0] ^ masks[1] if sides == 2 else masks[0]
    if not apart.any():
        return None
    k, r, c = (int(apart.sum(axis=tuple(a for a in range(3) if a != axis)).argmax()) for axis in range(3))
    x, y, z = both.grid.to_world((k, r, c))
    return float(x), float(y), float(z)
