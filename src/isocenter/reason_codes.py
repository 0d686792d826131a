"""The table of reason codes: how much each weighs, what was met, what was done, what the user can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How much a reason weighs, lightest first."""

    INFO = "info"
    """Worth knowing; no value is changed by it."""
    REPAIRED = "repaired"
    """A fault was mended, and the sentence says how."""
    GUESSED = "guessed"
    """A missing fact was replaced by the stated guess."""
    REVIEW = "review"
    """The result stands, but a person should look at it before relying on it."""
    HELD = "held"
    """Stopped until a person decides: more than one reading is possible."""
    REJECTED = "rejected"
    """Refused: no right result can be made of this input."""

    @property
    def rank(self) -> int:
        """Place in the order from light to heavy, from 0."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One row of the table of codes.

    Parameters
    ----------
    severity
        How much a reason of this code weighs.
    meaning
        What was met.
    done
        What the software did about it.
    advice
        What the user can do.
    """

    severity: Severity
    meaning: str
    done: str
    advice: str


_I, _R, _G, _V, _H, _X = Severity

CODES: MappingProxyType[str, CodeEntry] = MappingProxyType(
    {
        # --- files -------------------------------------------------------------------------------------------------
        "NOT_DICOM": CodeEntry(_I, "The file is not DICOM.", "It was left out.", "Nothing, if it is not an image."),
        "EMPTY_FILE": CodeEntry(_I, "The file has no bytes.", "It was left out.", "Copy the study again."),
        "NOT_IMAGE": CodeEntry(
            _I, "A DICOM object without pixels.", "It was listed, not read as an image.", "Nothing."
        ),
        "HEADER_UNREADABLE": CodeEntry(
            _I, "The DICOM header is damaged.", "The file was left out.", "Export the instance again from its source."
        ),
        "ARCHIVE_UNREADABLE": CodeEntry(
            _I,
            "The zip archive is damaged, encrypted or lies in another one.",
            "It was left out.",
            "Unpack it and give the folder.",
        ),
        "FILES_LEFT_OUT": CodeEntry(
            _V,
            "Beside the files of the series lie some that cannot be read and may be slices of it.",
            "The series was taken without them.",
            "Copy the study again and compare the number of slices.",
        ),
        "FILE_CHANGED": CodeEntry(
            _X,
            "A file was changed or removed while it was worked on.",
            "The series was refused.",
            "Run again when nothing else writes to the folder.",
        ),
        "NO_PREAMBLE": CodeEntry(
            _I, "The file has no DICOM preamble or meta header.", "Its encoding was found by trial.", "Nothing."
        ),
        "DUPLICATE_INSTANCE": CodeEntry(
            _I, "The same instance is there twice, byte for byte.", "One copy was taken.", "Nothing."
        ),
        "INSTANCE_CONFLICT": CodeEntry(
            _H,
            "Two different files carry the same SOP Instance UID.",
            "The series was held.",
            "Find out which file is right and remove the other.",
        ),
        # --- series ------------------------------------------------------------------------------------------------
        "SPLIT": CodeEntry(
            _I, "The DICOM series holds several volumes.", "It was split into one series per volume.", "Nothing."
        ),
        "LOCALIZER": CodeEntry(
            _I, "The image is a localizer or scout.", "It was split off from the volume.", "Nothing."
        ),
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
        "SLICE_GAP": CodeEntry(
            _H,
            "One or more slices are missing between others.",
            "The series was held: a gap is never closed in silence.",
            "Fetch the missing slices.",
        ),
        "SLICES_APART": CodeEntry(
            _V,
            "The slices lie much farther apart than they are thick.",
            "They were taken as one volume; what lies between them was not imaged, or slices are missing.",
            "Compare the number of slices with the scanner's.",
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
            "Take a reconstruction of even spacing.",
        ),
        "DUPLICATE_POSITION": CodeEntry(
            _H,
            "Several slices lie at one position and nothing tells which volume each belongs to.",
            "The series was held: slices are never interleaved.",
            "Remove the slices that do not belong.",
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
        # --- pixels ------------------------------------------------------------------------------------------------
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
            "Pixel cells of a CT hold something outside their stored bits, and no overlay explains it.",
            "The series was held: with and without those bits the values are others.",
            "Export the series again from its source.",
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
        "LOSSY": CodeEntry(
            _I,
            "The image was compressed with loss.",
            "Its values were used as they are.",
            "Take the original for measurements if there is one.",
        ),
        "UNIT_UNKNOWN": CodeEntry(
            _I, "The file does not say what its values mean.", "They are taken without a unit.", "Nothing."
        ),
        "UNIT_GUESSED": CodeEntry(
            _G,
            "The file does not say what its values mean.",
            "They look like CT numbers and were taken as HU.",
            "Use the DICOM original if there is one.",
        ),
        "FRAME_GUESSED": CodeEntry(
            _G,
            "The file does not say surely how it lies in the patient.",
            "The stated transform was taken.",
            "Check left and right.",
        ),
        # --- choosing ----------------------------------------------------------------------------------------------
        "NOT_CHOSEN": CodeEntry(
            _I, "Another series of the study fits the rule better.", "It was not processed.", "Use --series or --all."
        ),
        "SEVERAL_PATIENTS": CodeEntry(
            _I,
            "The input holds studies of several patients.",
            "Each study was processed by itself.",
            "Check that this is meant.",
        ),
        "OTHER_SERIES_HELD": CodeEntry(
            _V,
            "Another series of the study would fit the pipeline too, but was held or rejected.",
            "The best of the others was processed.",
            "Mend that series, or see that the result of this one will do.",
        ),
        "WRONG_MODALITY": CodeEntry(
            _X, "The pipeline does not take this modality.", "The series was refused.", "Choose another series."
        ),
        "NO_SERIES_FITS": CodeEntry(
            _X, "No series of the study fits the pipeline.", "Nothing was processed.", "See the reason of each series."
        ),
        "COVERAGE_SHORT": CodeEntry(
            _V,
            "The series covers too short a length of the body to hold the whole organ.",
            "It was processed, and what it holds was measured.",
            "Do not read the values as those of the whole organ.",
        ),
        "INPUT_DAMAGED": CodeEntry(
            _X, "A file of the case cannot be read.", "The case was refused.", "Give the file again from its source."
        ),
        # --- preparing ---------------------------------------------------------------------------------------------
        "SAMPLED_COARSELY": CodeEntry(
            _I,
            "The image was resampled to voxels much larger than it had.",
            "It was sampled without smoothing first, so fine structures may alias.",
            "Keep to the image's own spacing for measurements.",
        ),
        "CASE_FAILED": CodeEntry(
            _X,
            "The software itself failed on this case.",
            "The case was refused; the others went on.",
            "Report it with the record of the run.",
        ),
        "RESULT_REPLACED": CodeEntry(
            _I, "There was an earlier result of this case.", "It was replaced by this one.", "Nothing."
        ),
        "RESULT_KEPT_ASIDE": CodeEntry(
            _I,
            "There was an earlier, usable result here, of another input or better than this one.",
            "The earlier one was kept under another name.",
            "Find out what has changed in the input.",
        ),
        # --- segmentation ------------------------------------------------------------------------------------------
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
        # --- measuring ---------------------------------------------------------------------------------------------
        "DENSITY_UNCERTAIN": CodeEntry(
            _V,
            "The lung density depends on contrast, thick slices or a sharp kernel.",
            "It was reported.",
            "Compare only with scans made alike.",
        ),
        # --- objects -----------------------------------------------------------------------------------------------
        "SOURCE_HEADER_REPAIRED": CodeEntry(
            _R,
            "The source lacks attributes that derived objects need.",
            "They were filled in a copy; the source is untouched.",
            "Mend the export of the source.",
        ),
        "PATIENT_ID_AMBIGUOUS": CodeEntry(
            _V,
            "The Patient ID has several values, or one that cannot stand in a DICOM object.",
            "The first value was taken; what does not fit was left empty.",
            "Make sure whose the results are before they are filed.",
        ),
        "SOURCES_WITHOUT_UID": CodeEntry(
            _I,
            "The source images lack UIDs.",
            "No DICOM objects were made: they could not refer to their sources.",
            "Export the series again with its UIDs.",
        ),
        "NO_DICOM_OBJECTS": CodeEntry(
            _I,
            "The input was not DICOM.",
            "No DICOM objects were made.",
            "Give the DICOM original to get SEG and SR.",
        ),
    }
)
"""Every code: severity, meaning, what was done, what the user can do."""
