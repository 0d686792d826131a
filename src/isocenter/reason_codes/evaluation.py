"""Codes of evaluation and drift."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "GRIDS_APART": CodeEntry(
        _X,
        "A prediction and its truth lie in different frames of reference, or share no place in the world.",
        "They are not compared.",
        "Check that both are of the same image, and that neither lost its place on the way (affine, origin).",
    ),
    "PREDICTION_RESAMPLED": CodeEntry(
        _V,
        "A prediction lies on another lattice than the truth.",
        "Its labels were brought onto the grid of the truth by the nearest voxel, which changes scores a little.",
        "Bring predictions back onto the grid of the image that was labelled, and evaluate them there.",
    ),
    "TRUTH_UNCOVERED": CodeEntry(
        _V,
        "The truth reaches beyond the grid of the prediction.",
        "What lies there counts as missed.",
        "Check that the prediction is of the whole image.",
    ),
    "PAIRED_ALONE": CodeEntry(
        _I,
        "Prediction and truth have one segment each, under different names.",
        "The two are compared.",
        "Rename one if they are not the same structure.",
    ),
    "PAIRED_BY_LABEL": CodeEntry(
        _G,
        "Prediction and truth have no name in common.",
        "Segments of the same number in the label map are compared.",
        "Write the names of the labels into both files, or rename the segments.",
    ),
    "NOT_IN_TRUTH": CodeEntry(
        _V,
        "Structures were predicted that the truth does not have.",
        "They are left out of the scores.",
        "Name them (names=, --segment) if the truth means that they are absent.",
    ),
    "NO_DISTANCES": CodeEntry(
        _I,
        "The size of the pixels is unknown.",
        "Overlaps are computed; distances and volumes are not.",
        "State the size of the pixels (Space.PLANE) if it is known.",
    ),
}
