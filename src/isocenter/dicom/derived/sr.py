"""DICOM Structured Report (PS3.3 A.35.13, PS3.16 TID 1500): measurements, each tied to the segments it was made over.

The kind is Comprehensive 3D SR, which IHE's profile for results of algorithms (AIR) asks for and which has room for
points and boxes in space later. What is measured, and how, lives in :mod:`isocenter.ops.measure`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.derived.headers import Headers, repair, study_of
from isocenter.dicom.derived.making import Making, begin, coded, series_number, stamp
from isocenter.dicom.derived.references import Reference
from isocenter.dicom.derived.writing import differs
from isocenter.dicom.file.quiet import quietly
from isocenter.findings import Measurement, Segmentation
from isocenter.reasons import Reason, Severity

_SERIES_OFFSET = 2
_TOLD = (Severity.GUESSED, Severity.REVIEW)
_PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
}
_CT_CHEST = Code("24627-2", "LN", "CT Chest")
_IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
_QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_COMMENT = Code("121106", "DCM", "Comment")
_MEANING = Code("121050", "DCM", "Equivalent Meaning of Concept Name")
_SOURCE = Code("260753009", "SCT", "Source")
_IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
_IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")


# --- making ----------------------------------------------------------------------------------------------------------


@quietly()
def make(
    measurements: Sequence[Measurement],
    sources: Sequence[Dataset],
    making: Making,
    *,
    segmentation: Segmentation,
    seg: Dataset,
) -> Dataset:
    """DICOM object of measurements.

    Measurements over one segment stand in a group that refers to that segment (TID 1411). Measurements over several
    segments, which mean their union, stand in a group (TID 1501) whose source of measurement is those segments.
    Reasons of severity guessed and review stand as comments under Qualitative Evaluations, and so does a measurement
    without a finite value: common readers fail at an empty number.

    Parameters
    ----------
    measurements
        At least one.
    sources
        Headers of the source images.
    making
        How, when and by what it is made.
    segmentation
        What was measured over.
    seg
        Its DICOM object, as :func:`isocenter.dicom.derived.seg.make` gave it.

    Raises
    ------
    ValueError
        Without any measurement that has a value.
    KeyError
        If a measurement names a segment that the segmentation does not have.
    """
    import highdicom as hd

    headers = repair(sources)
    content = hd.sr.MeasurementReport(
        observation_context=_observer(making),
        procedure_reported=coded(_procedure(headers[0])),
        imaging_measurements=[
            _group(names, group, headers, making, segmentation=segmentation, seg=seg)
            for names, group in _by_segments(measurements).items()
        ],
        title=hd.sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
    )
    root = content[0]
    root.ContentSequence.insert(-1, _image_library(headers))
    comments = _comments(segmentation.reasons, measurements)
    if comments is not None:
        root.ContentSequence.append(comments)
    uid = making.uid("series", "SR", str(headers[0].SeriesInstanceUID))
    series = uid, series_number(headers[0], _SERIES_OFFSET), f"{making.software}: measurements"
    dataset = begin(study_of(headers[0]), making, sop_class=Comprehensive3DSRStorage, modality="SR", series=series)
    dataset.update(root)
    dataset.CompletionFlag, dataset.PreliminaryFlag, dataset.VerificationFlag = "COMPLETE", "PRELIMINARY", "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence, dataset.ReferencedPerformedProcedureStepSequence = [], []
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(headers, seg)]
    return stamp(dataset, making, headers)


def _evidence(headers: Headers, seg: Dataset) -> Dataset:
    """All images that the document speaks of (PS3.3 C.17.2)."""
    study = Dataset()
    study.StudyInstanceUID = headers[0].StudyInstanceUID
    made = Reference(str(seg.SOPClassUID), str(seg.SOPInstanceUID))
    study.ReferencedSeriesSequence = [
        _evidence_of_series(headers[0], headers.sources),
        _evidence_of_series(seg, [made]),
    ]
    return study


def _evidence_of_series(header: Dataset, references: Iterable[Reference]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    series.ReferencedSOPSequence = [reference.to_instance() for reference in references]
    return series


def _by_segments(measurements: Iterable[Measurement]) -> dict[tuple[str, ...], list[Measurement]]:
    """The measurements that have a value, in groups of those over the same segments."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for measurement in measurements:
        if math.isfinite(measurement.value):
            groups.setdefault(measurement.segments, []).append(measurement)
    return groups


def _observer(making: Making) -> Any:
    import highdicom as hd

    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=making.device_uid,
        name=making.software,
        manufacturer_name=making.manufacturer,
        model_name=f"{making.software} {making.version}",
        serial_number=making.serial_number,
    )
    kind = hd.sr.CodedConcept("121007", "DCM", "Device")
    return hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(observer_type=kind, observer_identifying_attributes=device)
    )


def _procedure(header: Dataset) -> Code:
    """The source's own procedure code, or one that follows from its modality."""
    for item in header.get("ProcedureCodeSequence", []):
        return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
    if header.Modality == "CT" and "CHEST" in str(header.get("BodyPartExamined", "")).upper():
        return _CT_CHEST
    return _PROCEDURES.get(str(header.Modality), _IMAGING_PROCEDURE)


# --- groups ----------------------------------------------------------------------------------------------------------


def _group(
    names: tuple[str, ...],
    measurements: Sequence[Measurement],
    headers: Headers,
    making: Making,
    *,
    segmentation: Segmentation,
    seg: Dataset,
) -> Any:
    import highdicom as hd

    numbers = [segmentation.names.index(segmentation.segment(name).name) + 1 for name in names]
    organ, side = _what(segmentation, names)
    common = {
        "tracking_identifier": _tracking(names, numbers, headers, making, seg),
        "finding_type": None if organ is None else coded(organ),
        "finding_sites": _sites(segmentation, names, organ, side),
        "algorithm_id": hd.sr.AlgorithmIdentification(
            name=segmentation.algorithm.name,
            version=segmentation.algorithm.version,
            parameters=[f"{name}={value}" for name, value in segmentation.algorithm.settings] or None,
            family=coded(segmentation.algorithm.family),
        ),
        "measurements": [_measurement(measurement, making) for measurement in measurements],
    }
    if len(numbers) == 1:
        segment = hd.sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=numbers[0],
            source_series=hd.sr.SourceSeriesForSegmentation(headers[0].SeriesInstanceUID),
        )
        return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **common)
    source = hd.sr.SourceImageForMeasurementGroup(seg.SOPClassUID, seg.SOPInstanceUID)
    if numbers:
        source.ReferencedSOPSequence[0].ReferencedSegmentNumber = numbers
    return hd.sr.MeasurementsAndQualitativeEvaluations(source_images=[source], **common)


def _what(segmentation: Segmentation, names: Iterable[str]) -> tuple[Code | None, Code | None]:
    """Organ and side of the union of segments: the organ if it is one, both sides if left and right are there."""
    parts = [codes.organ_and_side(segmentation.segment(name).property_type) for name in names]
    organs = {organ for organ, _ in parts}
    sides = {side for _, side in parts if side is not None}
    organ = organs.pop() if len(organs) == 1 else None
    if len(sides) > 1:
        return organ, codes.BILATERAL
    return organ, next(iter(sides), None)


def _sites(segmentation: Segmentation, names: Iterable[str], organ: Code | None, side: Code | None) -> list[Any]:
    import highdicom as hd

    places = [codes.organ_and_side(segmentation.segment(name).property_type) for name in names]
    if organ is not None:
        places = [(organ, side)]
    return [hd.sr.FindingSite(coded(place), None if where is None else coded(where)) for place, where in places]


def _tracking(names: tuple[str, ...], numbers: Sequence[int], headers: Headers, making: Making, seg: Dataset) -> Any:
    import highdicom as hd

    if len(numbers) == 1:
        item = next(item for item in seg.SegmentSequence if item.SegmentNumber == numbers[0])
        return hd.sr.TrackingIdentifier(uid=str(item.TrackingUID), identifier=str(item.TrackingID))
    uid = making.uid("segments", str(headers[0].SeriesInstanceUID), *names)
    return hd.sr.TrackingIdentifier(uid=uid, identifier=f"{'+'.join(names) or 'image'}@{uid[-8:]}")


def _measurement(measurement: Measurement, making: Making) -> Any:
    import highdicom as hd

    concept, derivation, meaning = _in_standard_codes(measurement)
    made = hd.sr.Measurement(
        name=coded(concept),
        value=float(measurement.value),
        unit=coded(measurement.unit),
        derivation=None if derivation is None else coded(derivation),
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=f"{making.software}: {measurement.title}",
            version=making.version,
            parameters=[measurement.method] if measurement.method else None,
        ),
    )
    if meaning:
        made[0].ContentSequence.insert(0, hd.sr.TextContentItem(coded(_MEANING), meaning, "HAS CONCEPT MOD"))
    return made


def _in_standard_codes(measurement: Measurement) -> tuple[Code, Code | None, str]:
    """Concept and derivation in public coding schemes, and in words what those have no code for.

    A private code (of a scheme ``99...``) means nothing to others and validators object to it. A share becomes a Ratio,
    a private derivation is left out, and the whole is said in words (Equivalent Meaning of Concept Name, TID 300).
    """
    concept, derivation = measurement.concept, measurement.derivation
    parts = [code for code in (concept, derivation) if code is not None]
    if not any(_is_private(code) for code in parts):
        return concept, derivation, ""
    if _is_private(concept) and measurement.unit == codes.PERCENT:
        concept = codes.RATIO
    if derivation is not None and _is_private(derivation):
        derivation = None
    return concept, derivation, ": ".join(code.meaning for code in parts)


def _is_private(code: Code) -> bool:
    return code.scheme.startswith("99")


# --- what stands beside the groups -----------------------------------------------------------------------------------


def _image_library(headers: Headers) -> Any:
    """Image Library (TID 1600): what all images share is said once, of their group."""
    import highdicom as hd

    shared = [
        item
        for item in hd.sr.ImageLibraryEntryDescriptors(headers[0])
        if "Image Position" not in item.ConceptNameCodeSequence[0].CodeMeaning
    ]
    images = [
        hd.sr.ImageContentItem(
            coded(_SOURCE),
            source.sop_class_uid,
            source.sop_instance_uid,
            referenced_frame_numbers=list(source.frames) or None,
            relationship_type="CONTAINS",
        )
        for source in headers.sources
    ]
    group = hd.sr.ContainerContentItem(coded(_IMAGE_LIBRARY_GROUP), relationship_type="CONTAINS")
    group.ContentSequence = hd.sr.ContentSequence([*shared, *images])
    library = hd.sr.ContainerContentItem(coded(_IMAGE_LIBRARY), relationship_type="CONTAINS")
    library.ContentSequence = hd.sr.ContentSequence([group])
    return library


def _comments(reasons: Iterable[Reason], measurements: Iterable[Measurement]) -> Any:
    """Qualitative Evaluations of TID 1500: what a reader should know before relying on the numbers."""
    import highdicom as hd

    told = [f"{reason.message} {reason.advice}" for reason in reasons if reason.severity in _TOLD]
    told += [f"{m.title} of {', '.join(m.segments)} has no value." for m in measurements if not math.isfinite(m.value)]
    if not told:
        return None
    container = hd.sr.ContainerContentItem(coded(_QUALITATIVE_EVALUATIONS), relationship_type="CONTAINS")
    container.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.TextContentItem(coded(_COMMENT), text, "CONTAINS") for text in told]
    )
    return container


# --- reading back ----------------------------------------------------------------------------------------------------


def read_back(dataset: Dataset) -> tuple[tuple[Code, float, Code], ...]:
    """(concept, value, unit) of every measurement in the document, in its order."""
    return tuple(
        (_code_of(item.ConceptNameCodeSequence[0]), *_value_of(item.MeasuredValueSequence[0]))
        for group in _walk(dataset, "125007")
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    )


def check(dataset: Dataset, measurements: Sequence[Measurement]) -> None:
    """Compare a document, as read from disk, with the measurements it was made of.

    Raises
    ------
    Bug
        If a concept, value or unit differs.
    """
    meant = [m for group in _by_segments(measurements).values() for m in group]
    found = read_back(dataset)
    if len(found) != len(meant):
        raise differs(f"it holds {len(found)} measurements instead of {len(meant)}")
    for (concept, value, unit), measurement in zip(found, meant, strict=True):
        same = (value, concept.value, unit.value) == (
            measurement.value,
            _in_standard_codes(measurement)[0].value,
            measurement.unit.value,
        )
        if not same:
            raise differs(f"the measurement {measurement.name}")


def _walk(item: Dataset, concept: str) -> Iterator[Dataset]:
    """Content items of that concept, in document order."""
    for child in item.get("ContentSequence", []):
        names = child.get("ConceptNameCodeSequence")
        if names and names[0].CodeValue == concept:
            yield child
        yield from _walk(child, concept)


def _value_of(measured: Dataset) -> tuple[float, Code]:
    exact = measured.get("FloatingPointValue")
    unit = _code_of(measured.MeasurementUnitsCodeSequence[0])
    return float(measured.NumericValue if exact is None else exact), unit


def _code_of(item: Dataset) -> Code:
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    return Code(str(value), str(item.get("CodingSchemeDesignator", "")), str(item.CodeMeaning))
