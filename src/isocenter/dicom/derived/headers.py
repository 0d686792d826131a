"""Headers of source images, made fit for derived objects: copied, mended in the copy, reported.

Only what derived objects need is copied: patient, study, place in space, and which scanner it was. Private attributes
and all others stay behind, and with them what is broken in them. The sources are never changed. How pixels are read,
and what a series is worth, lives in :mod:`isocenter.dicom.sorting.series` and :mod:`isocenter.dicom.reading.pixels`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from copy import deepcopy
from io import BytesIO

import numpy as np
from pydicom import DataElement, Dataset, dcmwrite
from pydicom.charset import convert_encodings, encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import DSfloat, format_number_as_ds

from isocenter.dicom.derived import uids
from isocenter.dicom.derived.mending import PLACE, TEXT, passes, sound
from isocenter.dicom.derived.references import Reference, by_instance
from isocenter.dicom.file.quiet import quietly
from isocenter.errors import Refused, UsageError
from isocenter.reasons import Reason

# Patient, General Study, Patient Study and Clinical Trial modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2, C.7.1.3, C.7.2.3):
# a derived object belongs to the same patient and study, and says so in the same words.
_STUDY = (
    "SpecificCharacterSet", "TimezoneOffsetFromUTC",
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "PatientBirthDate", "PatientSex",
    "OtherPatientIDsSequence", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "ResponsiblePerson", "ResponsiblePersonRole",
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName", "StudyDescription", "ProcedureCodeSequence",
    "PatientAge", "PatientSize", "PatientWeight", "PatientSexNeutered", "AdmissionID",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
)  # fmt: skip
_EQUIPMENT = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "StationName",
    "InstitutionName", "SeriesNumber", "SeriesDescription", "BodyPartExamined", "Laterality",
    "AcquisitionDate", "AcquisitionTime",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_SLICE = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "InstanceNumber",
    "FrameOfReferenceUID", "PositionReferenceIndicator", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "SliceThickness", "Rows", "Columns",
)  # fmt: skip
_MUST_BE_THERE = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_MUST_HAVE_A_VALUE = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "Rows", "Columns",
)  # fmt: skip
_SAME_ORIENTATION = 1e-4


class Headers(tuple[Dataset, ...]):
    """Headers of the slices, in slice order, fit for derived objects.

    The first one tells all of patient, study and scanner; the others only their UIDs and their place.

    Attributes
    ----------
    reasons
        What had to be mended in the copies.
    references
        What an object that comes from a slice has to refer to, slice by slice.
    """

    reasons: tuple[Reason, ...]
    references: tuple[Reference, ...]

    def __new__(
        cls, slices: Iterable[Dataset], reasons: Iterable[Reason] = (), numbers: Iterable[int | None] | None = None
    ) -> Headers:
        """Keep the headers together with their reasons, and with the Frame Numbers of those in multi-frame images."""
        made = super().__new__(cls, slices)
        made.reasons = tuple(reasons)
        known = [None] * len(made) if numbers is None else numbers
        made.references = tuple(_reference(header, number) for header, number in zip(made, known, strict=True))
        return made

    @property
    def sources(self) -> tuple[Reference, ...]:
        """The images that hold the slices, each once."""
        return by_instance(self.references)


def _reference(header: Dataset, number: int | None) -> Reference:
    frames = () if number is None else (number,)
    return Reference(str(header.SOPClassUID), str(header.SOPInstanceUID), frames)


@quietly()  # what pydicom warns of is mended here, and said in a reason
def repair(sources: Sequence[Dataset]) -> Headers:
    """Copy what derived objects need of the sources' headers, and mend it.

    Missing attributes of type 2 are added empty; of several values where there can be one the first is kept; texts that
    are too long are cut; identifiers that do not fit, and what else breaks its value representation, are emptied; a
    missing frame of reference gets a UID that follows from the series'; a missing slice thickness becomes the distance
    between slices. SpacingBetweenSlices is always the distance measured between the slice positions.

    Parameters
    ----------
    sources
        Headers without pixel data, in slice order of the native grid. Not changed. What this function gave before is
        given back as it is. Those of a series, of whatever images, come from
        :func:`isocenter.dicom.derived.slice_headers.of_series`.

    Raises
    ------
    UsageError
        If there are no sources, or one is the header of several frames.
    Refused
        If a source lacks a UID, or the sources are of several series.
    """
    if isinstance(sources, Headers):
        return sources
    if not sources:
        raise UsageError("Derived objects need the headers of the images they come from; none were given.")
    if any(map(_has_many_frames, sources)):
        raise UsageError("The header of a multi-frame image is not of one slice: take slice_headers.of_series(series).")
    mended: dict[str, None] = {}
    first = _copy(sources[0], (*_STUDY, *_EQUIPMENT, *_SLICE), mended)
    instances = [first, *(_copy(source, _SLICE, mended) for source in sources[1:])]
    unsure = _unsure_patient(first, mended)
    _refuse(instances)
    _complete_place(instances, mended)
    _choose_character_set(first, mended)
    _drop_unwritable(first, mended)
    _complete_study(first, mended)
    reasons = [Reason("SOURCE_HEADER_REPAIRED", _sentence(mended), (str(first.SOPInstanceUID),))] if mended else []
    return Headers(instances, [*reasons, *unsure])


def _has_many_frames(source: Dataset) -> bool:
    try:
        return int(source.get("NumberOfFrames") or 1) > 1
    except (ValueError, TypeError, OverflowError):  # of pydicom, which takes a value for a number when it is asked for
        return False


def study_of(header: Dataset) -> Dataset:
    """A new dataset with the patient and the study of a mended header, in its character set."""
    study = Dataset()
    study.update({element.tag: deepcopy(element) for element in header if element.keyword in _STUDY})
    return study


def _sentence(mended: Iterable[str]) -> str:
    names = ", ".join(sorted(mended))
    return f"In the copies for derived objects these were missing, malformed, too long or of several values: {names}."


def _unsure_patient(first: Dataset, mended: Iterable[str]) -> list[Reason]:
    """Whether the identity of the patient had to be chosen."""
    if "PatientID" not in mended:
        return []
    done = "the first one was taken" if first.get("PatientID") else "it was left empty"
    message = f"The Patient ID of the source is malformed, too long or has several values: {done}."
    return [Reason("PATIENT_ID_AMBIGUOUS", message, (str(first.get("SOPInstanceUID", "")),))]


def _refuse(instances: Sequence[Dataset]) -> None:
    for instance in instances:
        missing = [name for name in _MUST_HAVE_A_VALUE if instance.get(name) in (None, "")]
        if missing:
            lacks = f"A source image has no valid {', '.join(missing)}, so no DICOM object can refer to it."
            raise Refused([Reason("SOURCES_WITHOUT_UID", lacks)])
    for name in PLACE:
        if 0 < sum(name in instance for instance in instances) < len(instances):
            lacks = f"A source image has no usable {name}, so no DICOM object can refer to it."
            raise Refused([Reason("SOURCES_WITHOUT_UID", lacks)])
    if len({(str(i.StudyInstanceUID), str(i.SeriesInstanceUID), i.Rows, i.Columns) for i in instances}) > 1:
        raise Refused([Reason("SERIES_INCONSISTENT", "The source images are not of one series and one size.")])
    if len({str(i.get("FrameOfReferenceUID") or "") for i in instances}) > 1:
        raise Refused([Reason("SERIES_INCONSISTENT", "The source images are in several frames of reference.")])


# --- copying ---------------------------------------------------------------------------------------------------------


def _copy(source: Dataset, keywords: Iterable[str], mended: dict[str, None]) -> Dataset:
    target = Dataset()
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in source:
            continue
        try:
            element = source[tag]
            value = sound(element)
            target[tag] = DataElement(tag, dictionary_VR(tag), value)
            if keyword not in PLACE and value != element.value:
                mended[keyword] = None
            if element.VR in TEXT and "\N{REPLACEMENT CHARACTER}" in str(element.value):
                mended["SpecificCharacterSet"] = None
        except Exception:  # noqa: BLE001 - a malformed value may fail anywhere in pydicom; it is left out and reported
            mended[keyword] = None
    for keyword in [element.keyword for element in target]:
        if not passes(keyword, target.get(keyword)):
            delattr(target, keyword)
            mended[keyword] = None
    return target


# --- mending ---------------------------------------------------------------------------------------------------------


def _drop_unwritable(first: Dataset, mended: dict[str, None]) -> None:
    """Take away what cannot be written, so that it cannot break an object."""
    for element in list(first):
        alone = Dataset()
        alone.update({element.tag: element})
        try:
            dcmwrite(BytesIO(), alone, implicit_vr=False, little_endian=True)
        except Exception:  # noqa: BLE001 - whatever is malformed inside fails in a way of its own
            del first[element.tag]
            mended[element.keyword] = None


def _complete_study(first: Dataset, mended: dict[str, None]) -> None:
    for keyword in _MUST_BE_THERE:
        if keyword not in first or first.get(keyword) is None:
            mended.setdefault(keyword)
            setattr(first, keyword, "")
    removed = first.get("PatientIdentityRemoved") == "YES"
    if removed and not (first.get("DeidentificationMethod") or first.get("DeidentificationMethodCodeSequence")):
        mended.setdefault("DeidentificationMethod")
        first.DeidentificationMethod = "Not stated by the source"


def _complete_place(instances: Sequence[Dataset], mended: dict[str, None]) -> None:
    first = instances[0]
    if not first.get("FrameOfReferenceUID"):
        mended.setdefault("FrameOfReferenceUID")
        frame = uids.derive(str(first.SeriesInstanceUID), "frame of reference")
    else:
        frame = str(first.FrameOfReferenceUID)
    if "PositionReferenceIndicator" not in first:
        mended.setdefault("PositionReferenceIndicator")
    spacing = _slice_spacing_mm(instances)
    if not first.get("SliceThickness"):
        mended.setdefault("SliceThickness")
        first.SliceThickness = _number(spacing or 1.0)
    for instance in instances:
        instance.FrameOfReferenceUID = frame
        instance.PositionReferenceIndicator = instance.get("PositionReferenceIndicator") or ""
        instance.SliceThickness = first.SliceThickness
        if spacing is not None:
            instance.SpacingBetweenSlices = _number(spacing)
    _share_orientation(instances, mended)


def _share_orientation(instances: Sequence[Dataset], mended: dict[str, None]) -> None:
    shared = instances[0].get("ImageOrientationPatient")
    if shared is None:
        return
    for instance in instances[1:]:
        own = instance.get("ImageOrientationPatient")
        if own is None or own == shared:
            continue
        if np.abs(np.subtract(own, shared, dtype=float)).max() > _SAME_ORIENTATION:
            raise Refused([Reason("SERIES_INCONSISTENT", "The source images are not parallel to each other.")])
        instance.ImageOrientationPatient = deepcopy(shared)
        mended.setdefault("ImageOrientationPatient")


def _slice_spacing_mm(instances: Sequence[Dataset]) -> float | None:
    """Distance between neighbouring slices along their normal, if it is one distance."""
    if len(instances) < 2 or any(keyword not in instances[0] for keyword in PLACE[:2]):
        return None
    orientation = np.array(instances[0].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    steps = np.abs(np.diff([np.dot(normal, np.array(i.ImagePositionPatient, float)) for i in instances]))
    spacing = float(np.mean(steps))
    return spacing if np.abs(steps - spacing).max() <= max(0.01 * spacing, 1e-3) else None


def _number(value: float) -> DSfloat:
    return DSfloat(format_number_as_ds(float(f"{value:.6g}")))


# --- character sets --------------------------------------------------------------------------------------------------


def _choose_character_set(first: Dataset, mended: dict[str, None]) -> None:
    """Keep the source's character set where its own text can be written in it; else UTF-8."""
    if "SpecificCharacterSet" in first and not first.SpecificCharacterSet:
        del first.SpecificCharacterSet
    if not encodable(first):
        mended.setdefault("SpecificCharacterSet")
        first.SpecificCharacterSet = "ISO_IR 192"


def encodable(dataset: Dataset) -> bool:
    """Whether all text of a dataset can be written in its own Specific Character Set (PS3.3 C.12.1.1.2)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            encodings = convert_encodings(dataset.get("SpecificCharacterSet") or None)
            for element in dataset.iterall():
                if element.VR in TEXT and not str(element.value).isascii():
                    encode_string(str(element.value), encodings)
    except (UnicodeError, LookupError, ValueError, Warning):
        return False
    return True
