"""Codes of pixels: decoding, values, units."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "PIXELS_MISSING": CodeEntry(
        _X, "The instance has no pixel data.", "The series was refused.", "Fetch the instance again."
    ),
    "PIXELS_TRUNCATED": CodeEntry(
        _X,
        "The pixel data are shorter than the header says.",
        "The series was refused: missing voxels are never filled in.",
        "Fetch the instance again.",
    ),
    "PIXELS_SURPLUS": CodeEntry(
        _H,
        "The pixel data are longer than rows and columns say.",
        "The series was held: one of the two is wrong.",
        "Export the series again from its source.",
    ),
    "PIXELS_UNDECODABLE": CodeEntry(
        _X, "The compressed pixel data cannot be decoded.", "The series was refused.", "Fetch the instance again."
    ),
    "PIXEL_FORMAT_GUESSED": CodeEntry(
        _G,
        "An attribute that says how the pixels are stored is missing or no number.",
        "The named ones were taken as they mostly are: one unsigned sample that fills its cell, pixel by pixel.",
        "Export the series again from its source.",
    ),
    "SIGN_UNKNOWN": CodeEntry(
        _H,
        "Pixel Representation is missing, and the values use their highest bit.",
        "The series was held: with and without a sign the values are others.",
        "Export the series again from its source.",
    ),
    "RESCALE_MISSING": CodeEntry(
        _G,
        "A CT without Rescale Slope and Intercept.",
        "The stored values were taken as HU, as they look like HU.",
        "Check the scanner's export.",
    ),
    "RESCALE_UNKNOWN": CodeEntry(
        _H,
        "A CT without Rescale Slope and Intercept whose values do not look like HU.",
        "The series was held.",
        "Export the series again with its Modality LUT.",
    ),
    "UNIT_NOT_HU": CodeEntry(
        _H,
        "Rescale Type says that the values of a CT are not plain Hounsfield units.",
        "The series was held: no value is passed off as HU.",
        "Choose a series in HU.",
    ),
    "BITS_BEYOND_STORED": CodeEntry(
        _H,
        "Pixel cells of a quantity such as HU hold something outside their stored bits; no overlay explains it.",
        "The series was held: with and without those bits the values are others.",
        "Export the series again from its source.",
    ),
    "BITS_DROPPED": CodeEntry(
        _V,
        "Pixel cells hold something outside their stored bits, and no overlay explains it.",
        "Only the stored bits were taken, as the header says: values that need more are too low.",
        "Look whether bright regions have dark holes.",
    ),
    "RESCALE_VARIES": CodeEntry(
        _I, "Slices have rescale values of their own.", "Each was used for its slice.", "Nothing."
    ),
    "OUTSIDE_SCAN_CIRCLE": CodeEntry(
        _R,
        "Pixels outside the scanner's circle hold padding, not a measurement.",
        "They were set to air (-1024 HU).",
        "Nothing.",
    ),
    "PADDING_EMPTIED": CodeEntry(
        _R,
        "Pixels hold padding, not a measurement.",
        "They were set to no signal (0), in a parametric map to no number (NaN).",
        "Nothing.",
    ),
    "PADDING_KEPT": CodeEntry(
        _I,
        "Pixels hold padding, not a measurement, and no value of this kind of image stands for nothing measured.",
        "They were left as they are.",
        "Leave them out of statistics.",
    ),
    "TABLE_INVALID": CodeEntry(
        _X,
        "A table by which stored values become others is damaged, missing or contradicts itself.",
        "The series was refused.",
        "Export the series again from its source.",
    ),
    "REAL_WORLD_MAP": CodeEntry(
        _I,
        "The header maps the stored values to a further quantity, by a real-world value map.",
        "The values are those of the Modality LUT; of a parametric map those of its first map.",
        "Apply the map if that quantity is wanted.",
    ),
    "VALUES_UNMAPPED": CodeEntry(
        _V,
        "Stored values of a parametric map lie beyond those that its real-world value map is for.",
        "They were mapped as the nearest of a table, or along the same line.",
        "Look whether they are measurements.",
    ),
    "MONOCHROME1": CodeEntry(
        _I, "Low values of the image are to be shown bright.", "The values were not inverted.", "Invert what is shown."
    ),
    "SYNTAX_DIFFERS": CodeEntry(
        _V,
        "The pixel data are compressed in another way than the transfer syntax says.",
        "They were decoded as what they are.",
        "Compare the picture with the source.",
    ),
    "LOSSY": CodeEntry(
        _I,
        "The image was compressed with loss.",
        "Its values were used as they are.",
        "Take the original for measurements if there is one.",
    ),
    "UNITS_DIFFER": CodeEntry(
        _H,
        "Slices of one volume have values in different units.",
        "The series was held: values of different units are never mixed.",
        "Find out which slices belong together.",
    ),
    "UNIT_UNKNOWN": CodeEntry(
        _I,
        "The file does not say what its values mean.",
        "They are taken without a unit.",
        "Nothing where only shapes matter; else state it, iso.load(path, unit=iso.codes.HU), or give the DICOM.",
    ),
    "UNIT_GUESSED": CodeEntry(
        _G,
        "The file does not say what its values mean.",
        "They look like CT numbers and were taken as HU.",
        "Use the DICOM original if there is one.",
    ),
    "SUV_UNKNOWN": CodeEntry(
        _X,
        "What a standardized uptake value needs is missing from the header of a PET image, or cannot be.",
        "No SUV was computed: no weight, dose or time is made up.",
        "Read the values as they are stored, or correct the header at its source.",
    ),
    "INJECTION_DAY_GUESSED": CodeEntry(
        _G,
        "The time of the injection of a PET has no date, and is later than that of the scan.",
        "It was taken for the day before, as it is at most four half-lives away.",
        "Check the time of the injection.",
    ),
    "FRAME_GUESSED": CodeEntry(
        _G,
        "The file does not say surely how it lies in the patient.",
        "The stated transform was taken.",
        "Check left and right.",
    ),
}
