"""Codes of augmentation."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "AUGMENTED": CodeEntry(
        _V,
        "An image was changed on purpose, so that a network sees what else could have been taken.",
        "Its values and the place of what is in it are no longer those that were measured.",
        "Use the image for training and trials alone.",
    ),
    "AUGMENTATION_UNUSUAL": CodeEntry(
        _V,
        "An image was changed in a way that is not met in images of its modality.",
        "It was changed as asked.",
        "Take the steps meant for the modality: isocenter.augment.preset names them.",
    ),
    "SIDES_MIRRORED": CodeEntry(
        _X,
        "An image is to be mirrored from left to right while its segments or labels name a side.",
        "Nothing was done.",
        "Leave the mirroring out (of a plan: mirror_axes), or name the segments without their side.",
    ),
}
