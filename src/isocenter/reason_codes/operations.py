"""Codes of operations on voxels: intensity, resampling, filters, masks."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "NO_NUMBER_LEFT_OUT": CodeEntry(
        _I,
        "Some voxels have no finite value.",
        "They are in no segment and in no histogram.",
        "Look where they come from, if you did not make them so.",
    ),
    "NOTHING_TO_PART": CodeEntry(
        _X,
        "The image has fewer different values than classes are asked for.",
        "No threshold was chosen.",
        "Check the image and where you let it look, or ask for fewer classes.",
    ),
    "SEED_OUTSIDE_LIMITS": CodeEntry(
        _V,
        "A seed lies on a voxel that its region may not have.",
        "Nothing grew from it.",
        "Move the seed, or widen the limits or the place where to grow.",
    ),
    "SEGMENT_VANISHED": CodeEntry(
        _V,
        "A segment that had voxels has none after its shape was changed.",
        "It is empty.",
        "Take a shorter length or a smaller volume, if the segment matters.",
    ),
    "OUTLINE_MOVED_FAR": CodeEntry(
        _V,
        "Refining a segment changed its volume by more than half.",
        "The refined segment is returned.",
        "Look at the contours; start nearer to the border, or lower the reach or the pull.",
    ),
    "FACE_VISIBLE": CodeEntry(
        _V,
        "A picture seems to show a face, which names its patient.",
        "Nothing was changed.",
        "Look at it, and leave it out or cover the face before it leaves the hospital.",
    ),
    "FILTER_FINER_THAN_VOXELS": CodeEntry(
        _I,
        "A filter is narrower than the voxels along an axis.",
        "Nothing was changed along that axis.",
        "State a longer reach there, if you meant the filter to work.",
    ),
    "FILTER_BEYOND_IMAGE": CodeEntry(
        _V,
        "A filter reaches farther than the image is long along an axis.",
        "Beyond its faces the image was taken to go on as its mirror image.",
        "Shorten the reach along that axis, or set it to 0 there.",
    ),
    "FILTER_UNFINISHED": CodeEntry(
        _V,
        "An iterative filter used up its iterations before its result stood still.",
        "The result of the last iteration is returned.",
        "Allow more iterations.",
    ),
    "NOISE_ADDED": CodeEntry(
        _V,
        "Noise was added to the image on purpose.",
        "The values are no longer those that were measured.",
        "Use the image for training and trials alone.",
    ),
    "NOISE_NOT_MEASURABLE": CodeEntry(
        _X,
        "Too few voxels show nothing but noise.",
        "No noise level was stated.",
        "Give a segment of even tissue, or choose another method.",
    ),
    "SEGMENT_LOST": CodeEntry(
        _V,
        "Segments that had voxels have none on the grid they were brought onto.",
        "They are empty there.",
        "Take a finer grid, one that holds them, or look at them on their own.",
    ),
    "CURVED_PLANE": CodeEntry(
        _I,
        "A picture along a curve was asked for.",
        "It is flat, and has no place in the patient.",
        "Measure lengths along its rows and columns alone; take the image that it was made of for all else.",
    ),
}
