"""Codes of the segmenters and prompts."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
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
}
