"""Codes of data sets."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

_LEFT_OUT = "The case was left out."

CODES: dict[str, CodeEntry] = {
    "CASE_DAMAGED": CodeEntry(
        _X,
        "A file of a case is missing, damaged, or no image or label file of the kind that the data set has.",
        _LEFT_OUT,
        "Copy the file again from its source.",
    ),
    "IMAGE_MISSING": CodeEntry(
        _X,
        "A data set holds labels of a case, but not its image, or not all of its channels.",
        _LEFT_OUT,
        "Look for the image: it may be missing from a copy, or named otherwise than its label.",
    ),
    "LABEL_MISSING": CodeEntry(
        _X,
        "A data set with labels holds a case that has none.",
        _LEFT_OUT,
        "Look for its label; or use the image in a set without labels.",
    ),
    "CASE_TWICE": CodeEntry(
        _X,
        "Two cases of a data set have the same name.",
        "The first was kept, the other was left out.",
        "Give each case a name of its own.",
    ),
    "IMAGE_TWICE": CodeEntry(
        _X,
        "The same image is in a data set twice, under two names: learning and proof could share it.",
        "The first was kept, the other was left out.",
        "Find out which of the two is right, and remove the other.",
    ),
    "LABEL_ELSEWHERE": CodeEntry(
        _X,
        "The labels of a case lie on another grid than its image.",
        _LEFT_OUT,
        "Find out which place is right; isocenter.onto brings labels onto the grid of an image.",
    ),
    "HEADERS_ROUNDED": CodeEntry(
        _I,
        "The places that the headers of the files of a case state differ by less than a tenth of a voxel.",
        "The files were taken to lie on one grid, that of the first image.",
        "Nothing.",
    ),
    "LABEL_UNKNOWN": CodeEntry(
        _X,
        "The labels of a case hold a value, or a name, that the data set does not list.",
        _LEFT_OUT,
        "List it with its name, or correct the labels.",
    ),
    "LABEL_NOT_WHOLE": CodeEntry(
        _X,
        "The label file of a case holds values that are no whole numbers from 0 to 65535, or further axes.",
        _LEFT_OUT,
        "Write the labels again, without interpolating or scaling them.",
    ),
    "LABEL_NAMED_OTHERWISE": CodeEntry(
        _X,
        "A label file names its values otherwise than the data set does.",
        _LEFT_OUT,
        "Find out which of the two tables is right.",
    ),
    "LABELS_OVERLAP": CodeEntry(
        _V,
        "Structures of a case overlap, while a network tells one structure for each voxel.",
        "The later one in the order of the data set's labels has the voxels.",
        "List the structures in the order in which they lie on each other, the innermost last.",
    ),
    "LABEL_EMPTY": CodeEntry(
        _V, "The labels of a case hold background alone.", "It was kept.", "Look whether nothing is to be seen there."
    ),
    "LABEL_UNUSED": CodeEntry(
        _V,
        "A data set lists a label that no case holds.",
        "It was kept in the list; a network cannot learn it.",
        "Check the list of labels.",
    ),
    "LABELS_UNNAMED": CodeEntry(
        _I,
        "Nothing says what the values in label files mean.",
        "They were found in the files and named by their number, such as label_1.",
        "Write a dataset.json with their names beside the folders.",
    ),
    "SERIES_LEFT_OUT": CodeEntry(
        _X,
        "A folder of DICOM holds a series, or a stored segmentation, that cannot be a case of the data set.",
        "It was left out.",
        "See by `isocenter index` what is in the folder.",
    ),
    "LOCKED_CASE": CodeEntry(
        _X,
        "A case is locked: its image is held out to prove models by.",
        "Nothing was learned from it.",
        "Leave the case out of learning; or lock another set and prove the model anew.",
    ),
}
