"""Whether a registration is worth anything: numbers that need no truth, and the reasons they give."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from isocenter.geometry import Floats
from isocenter.ops.registration.agreement import Metric, Samples, cost, meet, samples_of, scale_of
from isocenter.ops.registration.linear import View
from isocenter.ops.registration.transform import Transform
from isocenter.reasons import Reason
from isocenter.volume import Array

_SAMPLES = 20_000
_FAILED_MM = 10.0
"""Beyond this the way there and the way back are two different answers."""
DOUBTFUL_MM = 3.0
"""Beyond this they differ by more than a registration may."""
_LITTLE_COVERED = 0.4
_LITTLE_OVERLAP = 0.7
_SIZE = 1.3
"""Change of volume by a linear transform that no patient undergoes."""
_SLACK = 1e-3
_BINS = 24
_LITTLE_CORRELATED = 0.25
"""Two CT of one body lie far above it, a chest on an abdomen at 0.14."""
_LITTLE_SHARED = 0.03

Likeness = Literal["one kind", "two kinds"]
"""Whether two images show the same quantity, so that their values may be compared."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What a registration is worth, measured at points spread over the fixed image (its mask, if there is one).

    Parameters
    ----------
    metric
        The metric: ``"mattes"``, ``"ncc"`` or ``"msd"``; a cost, smaller where the images agree better.
    before, after
        Its value with the images as their worlds (or the given start) have them, and after registration; None where
        they overlapped too little to say.
    covered
        Share of the fixed image's body that the moved image reaches.
    overlap
        Dice coefficient of both bodies where both images reach.
    correlation, shared_information
        Inside both bodies: Pearson's correlation of the values, and the information that they share over what they hold
        (twice the mutual information over the sum of both entropies, 0 to 1). The outlines of two bodies agree easily;
        these do not unless the inside does.
    move_mm, largest_move_mm
        Mean and largest way of a point of the fixed image's body.
    inconsistency_mm
        Mean distance by which a second, independent registration the other way round misses the way back (linear part).
    folded
        Share of the displacement's voxels where the map folds (Jacobian determinant 0 or less).
    least_growth, greatest_growth
        Least and greatest Jacobian determinant; 1 keeps the volume.
    """

    metric: Metric
    before: float | None
    after: float | None
    covered: float
    overlap: float
    correlation: float
    shared_information: float
    move_mm: float
    largest_move_mm: float
    inconsistency_mm: float
    folded: float
    least_growth: float
    greatest_growth: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def judged(view: View, transform: Transform, start: Floats, back: Floats, metric: Metric) -> Quality:
    """The quality of a transform.

    Parameters
    ----------
    view
        Both images at one level.
    transform
        The transform.
    start
        (4, 4) matrix that the images are compared by beforehand.
    back
        (4, 4) matrix of a second registration, from the moving to the fixed world.
    metric
        What to compare by.
    """
    samples = samples_of(view.fixed, _SAMPLES, view.fixed_mask)
    before = _cost(view, samples, samples.points_mm @ start[:3, :3].T + start[:3, 3], metric)
    there = transform.points(samples.points_mm)
    after = _cost(view, samples, there, metric)
    is_body = samples.values > threshold(view.fixed.array)
    body, body_there = samples.points_mm[is_body], there[is_body]
    met = meet(view.moving, view.moving.to_index[:3], there, view.moving_mask)
    is_moving_body = met.values > threshold(view.moving.array)
    is_both = is_body & is_moving_body & met.inside
    both = int(is_both.sum())
    either = int((is_body & met.inside).sum() + (is_moving_body & met.inside).sum())
    moves = np.linalg.norm(body_there - body, axis=1)
    linear = body @ transform.affine[:3, :3].T + transform.affine[:3, 3]
    returned = np.linalg.norm(linear @ back[:3, :3].T + back[:3, 3] - body, axis=1)
    folded, least, greatest = _growth(transform)
    return Quality(
        metric=metric,
        before=before,
        after=after,
        covered=float(met.inside[is_body].mean()) if len(body) else 0.0,
        overlap=2 * both / either if either else 0.0,
        correlation=_correlation(samples.values[is_both], met.values[is_both]),
        shared_information=_shared_information(samples.values[is_both], met.values[is_both]),
        move_mm=float(moves.mean()) if len(body) else 0.0,
        largest_move_mm=float(moves.max()) if len(body) else 0.0,
        inconsistency_mm=float(returned.mean()) if len(body) else 0.0,
        folded=folded,
        least_growth=least,
        greatest_growth=greatest,
    )


def reasons_of(quality: Quality, transform: Transform, likeness: Likeness) -> tuple[Reason, ...]:
    """What is to be said of a registration of a quality, of images of one kind or of two."""
    found = [*_about_agreement(quality), *_about_inside(quality, likeness), *_about_frame(quality, transform)]
    growth = float(np.linalg.det(transform.affine[:3, :3]))
    if not 1 / _SIZE < growth < _SIZE:
        text = f"The linear part changes volumes by a factor of {growth:.2f}."
        found.append(Reason("REGISTRATION_DOUBTFUL", text))
    if quality.covered < _LITTLE_COVERED or (likeness == "one kind" and quality.overlap < _LITTLE_OVERLAP):
        text = (
            f"The moved image reaches {quality.covered:.0%} of the fixed image's body, and there the Dice coefficient "
            f"of both bodies is {quality.overlap:.2f}."
        )
        found.append(Reason("LITTLE_OVERLAP", text))
    if quality.folded > 0:
        found.append(Reason("FOLDED", f"The map folds in {quality.folded:.2%} of the displacement's voxels."))
    return tuple(found)


def _about_agreement(quality: Quality) -> list[Reason]:
    if quality.after is None or (quality.before is not None and quality.after > quality.before + _SLACK):
        return [Reason("REGISTRATION_FAILED", "The images agree no better after it than before.")]
    miss = f"The way there and a way back found apart from it miss each other by {quality.inconsistency_mm:.1f} mm."
    if quality.inconsistency_mm > _FAILED_MM:
        return [Reason("REGISTRATION_FAILED", miss)]
    return [Reason("REGISTRATION_DOUBTFUL", miss)] if quality.inconsistency_mm > DOUBTFUL_MM else []


def _about_inside(quality: Quality, likeness: Likeness) -> list[Reason]:
    if likeness == "one kind" and quality.correlation < _LITTLE_CORRELATED:
        text = f"Inside the bodies, images of one kind have a correlation of {quality.correlation:.2f} only."
        return [Reason("REGISTRATION_FAILED", text)]
    if quality.shared_information < _LITTLE_SHARED:
        text = f"Inside the bodies, the images share {quality.shared_information:.1%} of their information only."
        return [Reason("REGISTRATION_DOUBTFUL", text)]
    return []


def _about_frame(quality: Quality, transform: Transform) -> list[Reason]:
    uid = transform.fixed.frame_of_reference_uid
    if uid is None or uid != transform.moving.frame_of_reference_uid or quality.move_mm <= DOUBTFUL_MM:
        return []
    text = f"The images share a frame of reference, and registration moved them by {quality.move_mm:.1f} mm against it."
    return [Reason("MOVED_AGAINST_FRAME", text)]


def threshold(array: Array) -> float:
    """Value between the background and the body: Otsu's threshold of a histogram of 256 bins."""
    counts, edges = np.histogram(array, 256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mass = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below[:-1] * above[1:] * (mass[:-1] / below[:-1] - (mass[-1] - mass[:-1]) / above[1:]) ** 2
    return float(edges[1:][np.nanargmax(apart)])


def _correlation(fixed: Floats, moving: Floats) -> float:
    if fixed.size < 2 or np.ptp(fixed) == 0 or np.ptp(moving) == 0:
        return 0.0
    return float(np.corrcoef(fixed, moving)[0, 1])


def _shared_information(fixed: Floats, moving: Floats) -> float:
    joint, _, _ = np.histogram2d(fixed, moving, _BINS)
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return 2 * (apart - _entropy(joint.ravel())) / apart if apart > 0 else 0.0


def _entropy(counts: Floats) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _cost(view: View, samples: Samples, places: Floats, metric: Metric) -> float | None:
    met = meet(view.moving, view.moving.to_index[:3], places, view.moving_mask)
    value, _ = cost(metric, samples, met, scale_of(samples, view.moving))
    return value if np.isfinite(value) else None


def _growth(transform: Transform) -> tuple[float, float, float]:
    if transform.displacement is None:
        growth = float(np.linalg.det(transform.affine[:3, :3]))
        return 0.0, growth, growth
    found = transform.jacobian().array
    return float((found <= 0).mean()), float(found.min()), float(found.max())
