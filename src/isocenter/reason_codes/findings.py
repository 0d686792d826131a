"""Codes of findings: segmentation and measuring."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "BODY_NOT_FOUND": CodeEntry(
        _X, "No body was found in the image.", "Nothing was segmented.", "Check the units of the image."
    ),
    "BODY_CUT": CodeEntry(
        _V,
        "The body reaches the border of the field of view.",
        "What is visible was measured.",
        "Do not read the volumes as those of the whole body.",
    ),
    "LUNGS_NOT_FOUND": CodeEntry(
        _X, "No lung was found.", "Nothing was called lung.", "Choose a series that holds the chest."
    ),
    "LUNG_MISSING": CodeEntry(_V, "Only one lung was found.", "It was reported alone.", "Look at the contours."),
    "LUNG_VOLUME_IMPLAUSIBLE": CodeEntry(
        _V, "The lung volume is outside what is plausible.", "It was reported.", "Look at the contours."
    ),
    "LUNG_CUT": CodeEntry(
        _V,
        "The lung reaches the border of the field of view.",
        "What is visible was measured.",
        "Do not read the volume as that of the whole lung.",
    ),
    "LUNG_LEAK": CodeEntry(
        _V, "The mask may have leaked out of the lung.", "It was reported.", "Look at the contours."
    ),
    "GAS_BESIDE_LUNG": CodeEntry(
        _V,
        "Plain gas without vessels lies along the chest wall: a pneumothorax or a bulla.",
        "It was not counted as lung.",
        "Look at the contours there.",
    ),
    "LUNG_DISCONTINUOUS": CodeEntry(
        _V, "The mask changes abruptly from slice to slice.", "It was reported.", "Look at the named slices."
    ),
    "LUNGS_SPLIT_BY_PLANE": CodeEntry(
        _G,
        "Left and right lung touch and could not be told apart by their shape.",
        "They were divided at the midline.",
        "Look at the border between them.",
    ),
    "LUNG_SIDE_GUESSED": CodeEntry(
        _G, "The side of a lung is uncertain.", "It was named after its place.", "Look at the contours."
    ),
    "DENSE_LUNG_INCLUDED": CodeEntry(
        _I,
        "Part of the lung is dense (infiltrate, collapse, effusion edge).",
        "It was included by the shape of the lung around it.",
        "Mind that it raises mean density and mass.",
    ),
    "AIRWAYS_NOT_FOUND": CodeEntry(
        _V,
        "The trachea was not found.",
        "Airways were not taken out of the lungs.",
        "Look at the contours near the midline.",
    ),
    "AIRWAYS_LEAK": CodeEntry(
        _V, "The airways leaked into the lung.", "They were cut back to the last sure wall.", "Look at them."
    ),
    "SEGMENT_EMPTY": CodeEntry(_V, "A structure was not found.", "Its segment is empty.", "Look at the image."),
    "SEGMENT_LIMITED": CodeEntry(
        _V,
        "A structure was looked for in a part of the image only.",
        "What lies beyond was left out.",
        "Do not read the volume as that of the whole image.",
    ),
    "SEGMENT_CUT": CodeEntry(
        _V,
        "Segments were brought onto a grid that does not hold all of them.",
        "What lies outside was left out.",
        "Do not read their volume as that of the whole structure.",
    ),
    "DENSITY_UNCERTAIN": CodeEntry(
        _V,
        "The lung density depends on contrast, thick slices or a sharp kernel.",
        "It was reported.",
        "Compare only with scans made alike.",
    ),
}
