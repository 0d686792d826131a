"""Codes of the segmenters and prompts."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "CALCIUM_IMPLAUSIBLE": CodeEntry(
        _V,
        "More counts as calcium than vessels and valves hold.",
        "It was counted as it is.",
        "See that the region holds no bone, metal or contrast medium.",
    ),
    "CALCIUM_SLICES": CodeEntry(
        _V,
        "The slices are not axial and 3 mm apart, as those that the calcium score was made for.",
        "The score was scaled by their distance.",
        "Do not hold it against reference values without care.",
    ),
    "NODULE_CANDIDATES": CodeEntry(
        _V,
        "Places in the lungs look like solid nodules; forks of vessels and scars do too.",
        "Each was drawn as a candidate.",
        "Look at each. That none is found does not prove that there is none.",
    ),
    "NODULES_MISSED": CodeEntry(
        _V,
        "The voxels are too long for small nodules.",
        "Larger ones were looked for.",
        "Reconstruct thin slices if there are any.",
    ),
    "PROMPTED_NOTHING": CodeEntry(
        _V,
        "Around what was marked nothing belongs to it.",
        "The mask holds the marked voxels alone.",
        "Mark more of the structure, by a line or a box.",
    ),
    "PROMPTED_TO_BORDER": CodeEntry(
        _V,
        "The mask of a prompted structure reaches the border of the image: it is cut there, or leaked.",
        "It was reported.",
        "Look at the contours; mark what does not belong to it as outside.",
    ),
    "PROMPTS_CONTRADICT": CodeEntry(
        _V,
        "A voxel is marked both as inside and as outside.",
        "The later prompt counts.",
        "Take one of them back.",
    ),
    "VESSELS_WITH_DENSE_LUNG": CodeEntry(
        _V,
        "The lungs hold dense tissue, which is not told from vessels where it is thin.",
        "What is thin counts as vessel.",
        "Do not measure vessels where there are infiltrates.",
    ),
}
