"""The single decisions of a plan that need no network: grid, scale of the values, mirroring, cleaning.

Each gives what was decided and the sentence for it. How they come together lives in ``planning``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocenter.datasets.loading import modality_of
from isocenter.errors import Refused
from isocenter.geometry import Floats, Triple
from isocenter.nets.plan import Normalisation, Plan, Spacing, Task
from isocenter.nets.planning.fingerprint import Fingerprint
from isocenter.nets.structures import sided_of
from isocenter.reasons import Reason, counted

_ANISOTROPIC = 3.0  # times as coarse as the others, from which an axis is treated by itself (nnU-Net)
_ALONG = ("IPL", "PIL", "LIP")  # orientation with slices towards the feet, the back, the left
_AXES = ("slice", "row", "column")
COLOURS = ("red", "green", "blue", "alpha")
_ENOUGH_CASES = 10
_ONE_PIECE = 0.99

_NUMBERED = re.compile(r"label_\d+|channel_\d+|\d+")
_LOPSIDED = (
    *("liver", "spleen", "stomach", "gallbladder", "pancreas", "duodenum", "colon", "appendix", "caecum", "bowel"),
    *("heart", "atrium", "ventricle", "myocardium", "aorta", "vena", "portal", "trachea", "esophagus", "oesophagus"),
    *("pulmonary", "intestine"),
)


@dataclass(frozen=True, slots=True)
class Lattice:
    """The grid that images are brought to, and why.

    Parameters
    ----------
    orientation, spacing_mm
        As of a plan.
    median
        Median shape of the images on it.
    as_taken
        Median shape of the images in that orientation on their own voxels.
    why_orientation, why_spacing
        The sentences.
    """

    orientation: str
    spacing_mm: Spacing | None
    median: Triple
    as_taken: Triple
    why_orientation: str
    why_spacing: str


def lattice_of(seen: Fingerprint) -> Lattice:
    """The grid for a data set: nnU-Net's target spacing, with slices along the coarsest axis.

    That is the median spacing along each axis; along one that is more than three times as coarse as the others and has
    less than a third of their voxels, the 10th percentile (Isensee 2021).

    Raises
    ------
    Refused
        If the size of the voxels is known of some cases and not of others (``CASES_UNLIKE``).
    """
    facts = seen.cases.values()
    known = [one for one in facts if one.spacing_mm is not None]
    spacings = seen.spacings_mm
    if spacings is None:
        stored = {one.orientation for one in facts}
        if known or len(stored) > 1:
            raise _unlike("Some cases say how large their voxels are, or how they lie, and others do not.")
        median = _whole(np.median(seen.shapes, axis=0))
        why = "The axes of the pictures are kept."
        return Lattice(stored.pop(), None, median, median, why, "None: no size of a pixel is known.")
    target, is_percentile = _target(seen.shapes, spacings)
    axis = int(np.argmax(target)) if _stands_out(target) else 0
    order = (axis, *(one for one in range(3) if one != axis))
    spacing = tuple(round(float(target[one]), 6) for one in order)
    sizes = np.median(seen.shapes * spacings / target, axis=0)[list(order)]
    why = "The median along each axis."
    if is_percentile:
        why = "The median along each axis; along the slices, which vary, the 10th percentile."
    because = "Slices run along the coarsest axis." if _stands_out(target) else "As a common axial stack."
    return Lattice(
        _ALONG[axis],
        (spacing[0], spacing[1], spacing[2]),
        _whole(sizes),
        _whole(np.median(seen.shapes, axis=0)[list(order)]),
        because,
        why,
    )


def _target(shapes: Floats, spacings: Floats) -> tuple[Floats, bool]:
    """Target spacing, and whether a percentile was taken for an axis."""
    target = np.median(spacings, axis=0)
    sizes = np.median(shapes * spacings / target, axis=0)
    worst = int(np.argmax(target))
    others = np.delete(target, worst)
    is_short = sizes[worst] * _ANISOTROPIC < np.delete(sizes, worst).min()
    if not (target[worst] > _ANISOTROPIC * others.max() and is_short):
        return target, False
    low = float(np.percentile(spacings[:, worst], 10))
    target[worst] = max(low, others.max())
    return target, True


def _stands_out(target: Floats) -> bool:
    worst = int(np.argmax(target))
    return bool(target[worst] >= 2 * np.delete(target, worst).max())


def _whole(shape: Floats) -> Triple:
    a, b, c = (max(1, round(float(n))) for n in shape)
    return a, b, c


def _unlike(message: str) -> Refused:
    return Refused([Reason("CASES_UNLIKE", f"{message} One network cannot learn from all of them.")])


def channels_of(seen: Fingerprint) -> tuple[str, ...]:
    """Names of the channels of a network: those of the data set, or the colours of its pictures.

    Raises
    ------
    Refused
        If some pictures are coloured and others are not (``CASES_UNLIKE``).
    """
    samples = {one.samples for one in seen.cases.values()}
    if len(samples) > 1 or (max(samples) > 1 and len(seen.dataset.channels) > 1):
        raise _unlike("Some images have colours and others do not.")
    (count,) = samples
    return seen.dataset.channels if count == 1 else COLOURS[:count]


def normalisation_of(seen: Fingerprint, task: Task) -> tuple[tuple[Normalisation, ...], str]:
    """How the values of each channel of the data set are scaled, and why."""
    facts = seen.cases.values()
    if all(one.kind == "uint8" and one.spacing_mm is None for one in facts):
        return (
            Normalisation("range", 0.0, 255.0),
        ), "Pictures of 8 bits: their brightness means the same in all of them."
    if task not in ("segmentation", "classification"):
        return (
            Normalisation("zscore"),
        ), "By the mean and deviation of each image: nothing is cut, so all can come back."
    found, because = [], []
    for name, values in zip(seen.dataset.channels, seen.intensities, strict=False):
        if (modality_of(name) or seen.modality) == "CT" and values.deviation > 0:
            found.append(Normalisation("ct", values.low, values.high, values.mean, values.deviation))
            where = "labelled voxels" if seen.dataset.labels else "voxels"
            what = (
                "HU mean the same everywhere" if modality_of(name) else "the values are, or look like, HU in all cases"
            )
            because.append(f"{name}: {what}; cut to percentiles 0.5 and 99.5 of the {where}.")
        else:
            found.append(Normalisation("zscore"))
            because.append(f"{name}: by the mean and deviation of each image, since its values are not known to be HU.")
    return tuple(found), " ".join(because)


def mirror_axes_of(plan: Plan) -> tuple[tuple[int, ...], str]:
    """Axes along which a mirrored image could be a real one with the same labels, and why no others."""
    if plan.spacing_mm is None:
        return (), "None: nothing is known of how the images lie."
    names = [name.lower().replace("_", " ") for name in plan.labels]
    if all(_NUMBERED.fullmatch(name) for name in plan.labels):
        return (), "None: the labels have no names, so they may be sided."
    if sided := sided_of(plan.labels):
        return (), f"None: labels are sided ({', '.join(sided[:3])})."
    lopsided = [name for name in names if any(word in name for word in _LOPSIDED)]
    if lopsided:
        return (), f"None: a body is not the same on both sides ({', '.join(lopsided[:3])})."
    axis = next(n for n, letter in enumerate(plan.orientation) if letter in "LR")
    return (axis,), f"Left to right ({_AXES[axis]} axis): no label is sided. Not head to feet or front to back."


def largest_only_of(seen: Fingerprint) -> tuple[tuple[str, ...], str]:
    """Labels that are one piece in every case, so that further pieces can only be wrong, and why."""
    kept = []
    for label in seen.dataset.labels:
        found = seen.structures(label)
        if len(found) >= _ENOUGH_CASES and min(one.largest_share for one in found) >= _ONE_PIECE:
            kept.append(label)
    if not kept:
        return (), f"None: no label is one piece (99 % of its voxels) in all of {_ENOUGH_CASES} cases or more."
    return tuple(kept), "In every case that has them, one piece holds 99 % of the voxels or more."


def facts_in_short(seen: Fingerprint) -> dict[str, Any]:
    """The fingerprint in a few words, by what they are about."""
    shapes, spacings = seen.shapes, seen.spacings_mm

    def spread(values: Floats) -> str:
        low, middle, high = np.percentile(values, (0, 50, 100), axis=0)
        texts = [" x ".join(f"{n:.4g}" for n in np.atleast_1d(one)) for one in (low, middle, high)]
        return texts[1] if texts[0] == texts[2] else f"{texts[1]} ({texts[0]} to {texts[2]})"

    facts = {"cases": str(len(seen.cases)), "shape": spread(shapes)}
    facts["spacing_mm"] = "unknown" if spacings is None else spread(spacings)
    for name, values in zip(seen.dataset.channels, seen.intensities, strict=False):
        facts[name] = f"{values.median:.4g} ({values.low:.4g} to {values.high:.4g})"
    for label in seen.dataset.labels:
        found = seen.structures(label)
        if found and not np.isnan(found[0].volume_ml):
            facts[label] = (
                f"{np.median([one.volume_ml for one in found]):.3g} ml in {counted(len(found), 'case', 'cases')}"
            )
        else:
            facts[label] = f"in {counted(len(found), 'case', 'cases')}"
    return facts
