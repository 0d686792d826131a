"""Codes of series: geometry, grouping, order."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "SPLIT": CodeEntry(
        _I, "The DICOM series holds several volumes.", "It was split into one series per volume.", "Nothing."
    ),
    "LOCALIZER": CodeEntry(_I, "The image is a localizer or scout.", "It was split off from the volume.", "Nothing."),
    "SINGLE_SLICE": CodeEntry(
        _I, "The volume has one slice.", "Slice thickness stands in for the slice spacing.", "Nothing."
    ),
    "POSITION_MISSING": CodeEntry(
        _H,
        "Image Position (Patient) or Image Orientation (Patient) is missing.",
        "The series was held: no place in the patient is made up.",
        "Export the series again with its positions.",
    ),
    "SPACING_MISSING": CodeEntry(
        _H, "Pixel Spacing is missing.", "The series was held: no spacing is made up.", "Export the series again."
    ),
    "DEPTH_UNKNOWN": CodeEntry(
        _V,
        "A single slice without Slice Thickness.",
        "It was taken as a picture of known pixel size: no depth is made up.",
        "Measure no volume in it.",
    ),
    "PIXEL_SIZE_UNKNOWN": CodeEntry(
        _I, "The header does not say how large a pixel is.", "The image is in pixels.", "Measure no length in it."
    ),
    "PIXEL_SIZE_MAGNIFIED": CodeEntry(
        _V,
        "The pixel size of a projection is not that in the patient.",
        "It was taken as it is: objects in the patient are smaller than they measure.",
        "Calibrate before measuring.",
    ),
    "PIXEL_SIZE_OF_REGION": CodeEntry(
        _I,
        "The pixel size is that of the calibrated region of an ultrasound image.",
        "It was taken for the image.",
        "Measure within the region alone.",
    ),
    "SLICE_GAP": CodeEntry(
        _H,
        "One or more slices are missing between others.",
        "The series was held: a gap is never closed in silence.",
        "Fetch the missing slices, or ask for an even grid: read(series, gaps='regrid'), --gaps regrid.",
    ),
    "SLICES_MADE": CodeEntry(
        _G,
        "Slices are missing or unevenly spaced, and an even grid was asked for.",
        "The slices that are not there were made linearly between their neighbours; they have no source.",
        "Measure nothing that lies in them alone.",
    ),
    "GAPS_ABSURD": CodeEntry(
        _X,
        "Slices are too far apart, or too uneven, to be brought onto an even grid.",
        "The series was refused.",
        "Fetch the missing slices.",
    ),
    "SLICES_APART": CodeEntry(
        _V,
        "The slices lie much farther apart than they are thick.",
        "They were taken as one volume; what lies between them was not imaged, or slices are missing.",
        "Compare the number of slices with the scanner's.",
    ),
    "SLICES_FEWER": CodeEntry(
        _V,
        "The volume has fewer slices than its header says, or than another one of its series there.",
        "Those that are there were taken.",
        "Fetch the missing slices, or measure nothing that may reach into them.",
    ),
    "SLICES_INTERLEAVED": CodeEntry(
        _V,
        "The slices are numbered as if they were two stacks, one between the other.",
        "They were taken as one volume that was acquired interleaved.",
        "Look whether neighbouring slices are alike.",
    ),
    "STACK_DIVIDED": CodeEntry(
        _V,
        "Slices that continue the stack differ from it in a way that keeps them out of its volume.",
        "They were split off.",
        "Look whether the volume is whole.",
    ),
    "SPACING_VARIES": CodeEntry(
        _H,
        "The distance between slices varies.",
        "The series was held.",
        "Take a reconstruction of even spacing, or ask for one: read(series, gaps='regrid'), --gaps regrid.",
    ),
    "DUPLICATE_POSITION": CodeEntry(
        _H,
        "Several slices lie at one position and nothing tells which volume each belongs to.",
        "The series was held: slices are never interleaved.",
        "Remove the slices that do not belong.",
    ),
    "PARTED_BY_TIME": CodeEntry(
        _I,
        "Volumes at the same positions follow each other in time.",
        "The slices were divided by the order of their times.",
        "Nothing.",
    ),
    "PARTED_BY_ORDER": CodeEntry(
        _G,
        "No attribute tells which volume a slice belongs to, but the slices are numbered volume by volume.",
        "They were divided by that order.",
        "Check the number of volumes with the scanner's.",
    ),
    "PART_INCOMPLETE": CodeEntry(
        _H,
        "A volume lacks slices that another one of the same series has.",
        "The volume was held; the whole ones were not.",
        "Fetch the missing slices.",
    ),
    "FRAMES_CONTRADICT": CodeEntry(
        _H,
        "What a multi-frame image says of its frames does not fit their number.",
        "The series was held: it cannot be told which frame lies where.",
        "Export the image again from its source.",
    ),
    "MOSAIC_UNCLEAR": CodeEntry(
        _H,
        "A mosaic (many slices tiled into one picture) does not say what lies where.",
        "The series was held: no place is made up.",
        "Export the series with the scanner's private attributes, or as single slices.",
    ),
    "PLACE_IN_VOLUME": CodeEntry(
        _V,
        "The positions are those in the volume of an ultrasound transducer, not in the patient.",
        "They were taken as they are: lengths are right, directions are the transducer's.",
        "Trust no left, right, head or feet.",
    ),
    "TILT": CodeEntry(
        _R,
        "The slices are sheared against each other (gantry tilt).",
        "The volume was resampled onto an orthogonal grid; the shear is recorded.",
        "Nothing.",
    ),
    "ORIENTATION_INVALID": CodeEntry(
        _X,
        "Image Orientation (Patient) is not two perpendicular unit vectors.",
        "The series was refused.",
        "Export the series again.",
    ),
    "SERIES_INCONSISTENT": CodeEntry(
        _H,
        "Instances of one series contradict each other.",
        "The series was held.",
        "Find out which instances belong.",
    ),
    "SERIES_UID_MISSING": CodeEntry(
        _G,
        "The images have no Series Instance UID.",
        "Images of one folder that agree otherwise were taken as one series.",
        "Check that they belong together.",
    ),
    "UNSUPPORTED": CodeEntry(
        _X, "This kind of image is not read yet.", "The series was refused.", "Convert it with another tool."
    ),
}
