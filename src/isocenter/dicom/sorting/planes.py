"""Planes: radiographs, ultrasound, captures, photographs: pictures each by itself, with what scale they have. Pure.

A plane has no place in the patient. Its grid has one slice and tells millimetres within the picture where the header
does (:attr:`isocenter.geometry.Space.PLANE`), else pixels. The length of its slice axis means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import WANTED, Header
from isocenter.dicom.frames.frame import Frame, Scale, names_of
from isocenter.dicom.frames.instance import Instance
from isocenter.dicom.sorting import stack
from isocenter.dicom.sorting.series import Series
from isocenter.dicom.sorting.support import (
    MOVING,
    PLANES,
    ULTRASOUND,
    X_RAY_PLANES,
    form_faults,
    support_faults,
    unsupported,
)
from isocenter.errors import InputError
from isocenter.reasons import Reason, merge

_CENTIMETRES = 3
_TWO_DIMENSIONAL = 1
_REGION_TOLERANCE = 1e-4
_MAGNIFIED = {
    Scale.DETECTOR: "Imager Pixel Spacing: sizes are those at the detector, larger than in the patient.",
    Scale.FILM: "Nominal Scanned Pixel Spacing: sizes are those on the film, larger than in the patient.",
    Scale.UNSTATED: "the header does not say whether Pixel Spacing is corrected for the magnification.",
}


# --- scale -----------------------------------------------------------------------------------------------------------


def scaled(frames: Sequence[Frame], header: Header) -> tuple[Frame, ...]:
    """The frames of an instance with the best pixel spacing that its header has, if it is of a class of planes.

    Pixel Spacing comes first, then Imager Pixel Spacing, then Nominal Scanned Pixel Spacing (PS3.3 10.7); of ultrasound
    the calibration of its region (PS3.3 C.8.5.5), where there is one alone.
    """
    instance = frames[0].instance
    if instance.sop_class_uid not in PLANES:
        return tuple(frames)
    spacing, scale = _scale(instance, header)
    return tuple(replace(frame, pixel_spacing_mm=spacing, scale=scale) for frame in frames)


def _scale(instance: Instance, header: Header) -> tuple[tuple[float, float] | None, Scale]:
    own, detector, film = (
        spacing if stack.is_scale(spacing := parsing.spacing(header.values.get(WANTED[keyword], b""))) else None
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    )
    if own is not None:
        return own, _scale_of_own(instance, header, Scale.DETECTOR if own == detector else Scale.UNSTATED)
    if detector is not None:
        return detector, Scale.DETECTOR
    if film is not None:
        return film, Scale.FILM
    return (_region_spacing(instance) if instance.sop_class_uid in ULTRASOUND else None), Scale.REGION


def _scale_of_own(instance: Instance, header: Header, uncorrected: Scale) -> Scale:
    """At what Pixel Spacing is measured (PS3.3 10.7.1.3), where it is not said to be corrected for magnification."""
    if instance.sop_class_uid not in X_RAY_PLANES:
        return Scale.PATIENT
    if parsing.text(header.values.get(WANTED["PixelSpacingCalibrationType"], b"")):
        return Scale.CALIBRATED
    return uncorrected


def _region_spacing(instance: Instance) -> tuple[float, float] | None:
    """Size of a pixel of the ultrasound regions, if all of them are two-dimensional, in centimetres and agree."""
    try:
        regions = instance.dataset().get("SequenceOfUltrasoundRegions") or ()
        sizes = [_size_mm(region) for region in regions]
    except (InputError, TypeError, ValueError, AttributeError):
        return None
    first = sizes[0] if sizes else None
    if first is None or any(size is None or _differ(size, first) for size in sizes):
        return None
    return first


def _size_mm(region: Any) -> tuple[float, float] | None:
    units = region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection
    if region.RegionSpatialFormat != _TWO_DIMENSIONAL or units != (_CENTIMETRES, _CENTIMETRES):
        return None
    rows, columns = 10 * abs(float(region.PhysicalDeltaY)), 10 * abs(float(region.PhysicalDeltaX))
    return (rows, columns) if stack.is_scale((rows, columns)) else None


def _differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return any(abs(a - b) > _REGION_TOLERANCE * b for a, b in zip(one, other, strict=True))


# --- series ----------------------------------------------------------------------------------------------------------


def planes_from(frames: Iterable[Frame]) -> list[Series]:
    """A series of each instance; its frames run along time (cine) or whatever else they show.

    Parameters
    ----------
    frames
        Of planes of one DICOM series, instance by instance.
    """
    by_instance: dict[int, list[Frame]] = {}
    for frame in frames:
        by_instance.setdefault(id(frame.instance), []).append(frame)
    images = sorted(by_instance.values(), key=_in_order)
    count = len(images)
    return [_series(image, f"image {place} of {count}" if count > 1 else "") for place, image in enumerate(images, 1)]


def _in_order(frames: Sequence[Frame]) -> tuple[float, str, str]:
    instance = frames[0].instance
    number = float("inf") if instance.instance_number is None else instance.instance_number
    return number, instance.name, instance.path


def _series(frames: Sequence[Frame], part: str) -> Series:
    first = frames[0]
    faults = unsupported(frames)
    grid = None
    if not faults:
        faults = support_faults(frames)
        if min(first.shape) > 0:
            grid = stack.flat_grid(first.shape, first.pixel_spacing_mm)
            faults += _about_scale(first)
    reasons = (*merge(*(frame.reasons for frame in frames if frame.reasons)), *faults, *form_faults(frames))
    return Series(tuple(frames), grid, reasons, part, _axis(first) if len(frames) > 1 else "")


def _axis(frame: Frame) -> str:
    """What the frames of a plane run along."""
    return "time" if frame.instance.sop_class_uid in MOVING else "frame"


def _about_scale(frame: Frame) -> list[Reason]:
    names = names_of([frame])
    if frame.pixel_spacing_mm is None:
        message = "The header does not say how large a pixel is: the image is in pixels."
        return [Reason("PIXEL_SIZE_UNKNOWN", message, names)]
    if frame.scale in _MAGNIFIED:
        return [Reason("PIXEL_SIZE_MAGNIFIED", f"The size of a pixel: {_MAGNIFIED[frame.scale]}", names)]
    if frame.scale is Scale.REGION:
        message = "The size of a pixel is that of the calibrated ultrasound region; beyond it nothing is measured."
        return [Reason("PIXEL_SIZE_OF_REGION", message, names)]
    return []
