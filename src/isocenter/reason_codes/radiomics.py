"""Codes of radiomics."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

CODES: dict[str, CodeEntry] = {
    "REGION_EMPTY": CodeEntry(
        Severity.REJECTED,
        "A segment whose features are wanted holds no voxel.",
        "No features were computed.",
        "Check the segmentation, or name other segments.",
    ),
    "REGION_EMPTIED": CodeEntry(
        Severity.REJECTED,
        "Interpolation or re-segmentation left no voxel of a segment.",
        "No features were computed.",
        "Choose a finer spacing or a wider intensity range.",
    ),
    "REGION_LEFT_OUT": CodeEntry(
        Severity.REVIEW,
        "All segments were to be measured, and one of them is empty, or nothing of it was left.",
        "It has no features; the other segments have.",
        "Check that the segment is to be empty.",
    ),
    "REGION_NOT_FINITE": CodeEntry(
        Severity.REPAIRED,
        "Voxels of a segment have no value (NaN or infinity).",
        "They did not count for intensities and textures; the shape is that of the whole segment.",
        "Check where the values were lost.",
    ),
    "REGION_BESIDE_GAPS": CodeEntry(
        Severity.REJECTED,
        "Cubic interpolation was asked for where voxels in or near a segment have no value (NaN or infinity).",
        "No features were computed, as a spline would spread the gap over all of the segment.",
        "Interpolate linearly, or fill the gaps.",
    ),
    "REGION_AT_BORDER": CodeEntry(
        Severity.REVIEW,
        "A segment reaches the border of the image.",
        "Features were computed of what the image shows.",
        "Check that the segment is complete before its shape is relied on.",
    ),
    "MASK_MOVED": CodeEntry(
        Severity.REVIEW,
        "A mask lies on another lattice of voxels than its image.",
        "Each voxel of the image took the label of the nearest voxel of the mask.",
        "Draw or export the mask on the voxels of the image, as shape depends on them.",
    ),
    "FEATURES_ABSENT": CodeEntry(
        Severity.INFO,
        "Features are undefined for this segment, such as a correlation of a single grey level.",
        "They are absent, each with its cause; none was replaced by a number.",
        "Look at what the segment holds, or at the bins.",
    ),
    "BINS_WITHOUT_UNIT": CodeEntry(
        Severity.REVIEW,
        "Bins of a fixed size were asked for in intensities without a unit, as of MR or of a filter.",
        "Features were computed as asked.",
        "Take a fixed number of bins, as the IBSI advises, or standardise the intensities of all images first.",
    ),
}
