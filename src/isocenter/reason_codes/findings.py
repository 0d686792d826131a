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
    "STRUCTURE_LEFT_OUT": CodeEntry(
        _V,
        "A stored structure cannot be drawn on the grid.",
        "It was left out; the others were taken.",
        "Read it on the image that it was drawn on.",
    ),
    "STRUCTURE_WITHOUT_AREA": CodeEntry(
        _I,
        "A stored structure, or part of it, has no closed contours: it is only named, or marks points or lines.",
        "What fills nothing was left out.",
        "Nothing.",
    ),
    "STRUCTURE_EMPTY": CodeEntry(
        _V,
        "A stored structure is drawn, but holds no voxel of the grid: it is too small for it, or lies elsewhere.",
        "It is there, and empty.",
        "Read it on a finer grid, or on that of its own images.",
    ),
    "FRAME_OTHER": CodeEntry(
        _X,
        "A stored structure and the grid belong to different frames of reference.",
        "It was refused: it would lie in a wrong place.",
        "Give the image that it was drawn on, or register the two.",
    ),
    "FRAME_UNKNOWN": CodeEntry(
        _V,
        "Nothing says that stored structures and the grid share a frame of reference.",
        "They were taken to share it.",
        "Look at the contours.",
    ),
    "CONTOURS_BETWEEN_SLICES": CodeEntry(
        _G,
        "Contours do not lie in the planes of the slices.",
        "Each slice took the nearest contours, within half the distance of their planes.",
        "Read them on the image that they were drawn on.",
    ),
    "CONTOURS_APART": CodeEntry(
        _V,
        "Slices between the contours of a structure have none.",
        "They were left empty.",
        "Look whether the structure is meant to go on there.",
    ),
    "CONTOURS_CROSS": CodeEntry(
        _V,
        "Contours of one plane overlap without one lying within the other.",
        "They were combined by exclusive or, as contours with holes are.",
        "Look at the named structure.",
    ),
    "CONTOURS_REPEATED": CodeEntry(
        _R, "A contour is there twice, point for point.", "One of each was taken: two would cancel out.", "Nothing."
    ),
    "SEGMENTATION_UNEVEN": CodeEntry(
        _X,
        "The frames of a stored segmentation differ in orientation or pixel spacing, or do not lie on one lattice.",
        "It was refused.",
        "Read it onto the grid of the image that it was drawn on, or convert it with another tool.",
    ),
    "SEGMENT_UNDESCRIBED": CodeEntry(
        _V,
        "Frames or voxels belong to a segment that the stored segmentation does not describe.",
        "They were left out.",
        "Export the segmentation again.",
    ),
    "FRACTIONS_CUT": CodeEntry(
        _G,
        "The stored segmentation holds fractions: how much of a voxel is filled, or how probable it is.",
        "A voxel was taken to belong to the segment from one half on.",
        "Read the fractions themselves if the border matters.",
    ),
}
