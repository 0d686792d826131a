"""Codes of registration."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "REGISTRATION_FAILED": CodeEntry(
        _H,
        "A registration ended no better than it began, or two of them, one each way, gave different answers.",
        "The transform is returned and held, and so is all that it brings over.",
        "Look at both images: do they show the same part of the same body? Give a start, a mask or another metric.",
    ),
    "REGISTRATION_DOUBTFUL": CodeEntry(
        _V,
        "Two registrations, one each way, differ by millimetres, or the body was made larger or smaller than any is.",
        "The transform is returned as it is.",
        'Look at the moved image over the fixed one; try kind="rigid", a mask or a start.',
    ),
    "LITTLE_OVERLAP": CodeEntry(
        _V,
        "The moved image reaches little of the fixed image's body, or the bodies overlap little.",
        "The transform is returned as it is; beyond the overlap nothing supports it.",
        "Look at the moved image over the fixed one, and rely on it only where both show the patient.",
    ),
    "FOLDED": CodeEntry(
        _V,
        "A displacement folds: some points of the fixed image lead to one point of the moving image, in reverse order.",
        "The transform is returned as it is; where it folds it has no way back.",
        "Bend less: a greater distance of knots, a stiffer field, or the diffeomorphic kind.",
    ),
    "MOVED_AGAINST_FRAME": CodeEntry(
        _V,
        "Images of one frame of reference, as of one visit, were moved by millimetres against it.",
        "The transform is returned as it is.",
        "If the patient lay still, lay them over each other by their frame (iso.registration.by_frame) instead.",
    ),
    "NOTHING_TO_REGISTER": CodeEntry(
        _X,
        "An image is constant, or both overlap too little to be compared.",
        "No transform is made.",
        "Look at both images and their masks; give a start at which they overlap.",
    ),
    "ALIGNED_BY_FRAME": CodeEntry(
        _I,
        "Images were laid over each other by their shared frame of reference, not by what they show.",
        "No value is changed by it.",
        "A patient who moved between the scans is not corrected for: register the images if that matters.",
    ),
}
