"""Slice headers: of each slice of a series the header that it would have as an image of its own, for derived objects.

A single-frame image has it. That of a frame of a multi-frame image, or of a tile of a mosaic, is made of the header of
its instance, which is read once, and of the place of the frame. What is copied and mended of it: ``headers``.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.valuerep import DSfloat

from isocenter.dicom.derived.headers import Headers, repair
from isocenter.dicom.derived.mending import PLACE
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.frames.groups import PER_FRAME, SHARED
from isocenter.dicom.sorting.series import Series

_OF_THE_FRAME = (*PLACE, "SliceThickness", "NumberOfFrames")


def of_series(series: Series) -> Headers:
    """Mended headers of the slices of a series, in their order; those of multi-frame images know their frame.

    Of a series with a further axis these are the slices at its first place.

    Raises
    ------
    Refused
        If no object can refer to the images of the series.
    InputError
        If a file is gone, or its header is damaged.
    """
    frames = series.frames[: len(series)]
    headers = {id(instance): instance.dataset() for instance in series.instances}
    mended = repair([_header(frame, headers[id(frame.instance)]) for frame in frames])
    return Headers(mended, mended.reasons, map(_number, frames))


def _number(frame: Frame) -> int | None:
    return frame.number if frame.instance.format.frames > 1 else None


def _header(frame: Frame, header: Dataset) -> Dataset:
    """The header of a slice, out of that of its instance."""
    is_whole = _number(frame) is None and frame.window is None
    if is_whole and SHARED not in header and PER_FRAME not in header:
        return header
    made = header[:SHARED]
    for keyword in _OF_THE_FRAME:
        made.pop(keyword, None)
    made.Rows, made.Columns = frame.shape
    values = (frame.position_mm, frame.orientation, frame.pixel_spacing_mm)
    for keyword, value in zip(PLACE, values, strict=True):
        if value is not None:
            setattr(made, keyword, [_decimal(number) for number in value])
    if frame.slice_thickness_mm is not None:
        made.SliceThickness = _decimal(frame.slice_thickness_mm)
    return made


def _decimal(value: float) -> DSfloat:
    return DSfloat(value, auto_format=True)
