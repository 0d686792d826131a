"""Codes of surfaces and slabs: what making and changing a mesh changed, what a slice stands for."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

CODES = {
    "SURFACE_CUT": CodeEntry(
        Severity.INFO,
        "The structure reaches the border of the image.",
        "Its surface was closed there, along the outer faces of the voxels.",
        "Take a flat end of the surface for the end of the image, not of the structure.",
    ),
    "SURFACE_SMOOTHED": CodeEntry(
        Severity.INFO,
        "A surface was smoothed.",
        "Its vertices were moved; the change of volume is stated.",
        "Take volumes from the segmentation, or from the surface as it was before.",
    ),
    "SURFACE_DECIMATED": CodeEntry(
        Severity.INFO,
        "Triangles of a surface were merged.",
        "The change of volume is stated.",
        "Take volumes from the segmentation, or from the surface as it was before.",
    ),
    "PROJECTED": CodeEntry(
        Severity.INFO,
        "An image of slabs was asked for.",
        "Each voxel holds the most, least or mean value over a thickness.",
        "Measure nothing in it; take the image that it was made of.",
    ),
}
