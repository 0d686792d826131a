"""The time between the volumes of a series: by when they were acquired, checked against what the header says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.dicom.file.moments import second_of_day
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.sorting.series import Series
from isocenter.dicom.values.tables import of_frame
from isocenter.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_EVEN = 0.05
"""Times that differ by more than this share of a step are not even."""
_DAY_S = 86400.0
_TIMING = "MRTimingAndRelatedParametersSequence"


def time_step_s(series: Series) -> float | None:
    """Seconds between neighbouring places of a series' axis of time; None if it has none, or they are not known.

    The header's word (Repetition Time of echo-planar images, Frame Time of cines) is taken if the acquisition times
    agree with it or are missing; else the mean of even acquisition times. Times are even if the first two and the last
    say so; uneven ones have no step.
    """
    if series.axis != "time" or series.grid is None:
        return None
    firsts = series.frames[:: series.grid.shape[0]]
    if len(firsts) < 2:
        return None
    said = _said(firsts[0])
    first, second, last = (_acquired_s(frame) for frame in (firsts[0], firsts[1], firsts[-1]))
    if first is None or second is None or last is None or last == first:
        return said
    step, mean = (second - first) % _DAY_S, (last - first) % _DAY_S / (len(firsts) - 1)
    if abs(step - mean) > _EVEN * mean:
        return None
    return said if said is not None and abs(said - mean) <= _EVEN * mean else mean


def _acquired_s(frame: Frame) -> float | None:
    """When a frame was acquired, as a second of its day."""
    if frame.mark.acquisition_time_s is not None:
        return frame.mark.acquisition_time_s
    header = _header(frame)
    return None if header is None else second_of_day(str(header.get("AcquisitionTime") or "").encode())


def _header(frame: Frame) -> Dataset | None:
    try:
        return frame.instance.dataset()
    except InputError:
        return None


def _said(frame: Frame) -> float | None:
    """What a header says of the time to the next volume or picture, where it means that."""
    header = _header(frame)
    if header is None:
        return None
    is_cine = "FrameTime" in header
    milliseconds = _number(header, "FrameTime") if is_cine else _number(_item(header), "RepetitionTime")
    return milliseconds / 1000 if milliseconds is not None and (is_cine or _is_echo_planar(header)) else None


def _item(header: Dataset) -> Dataset:
    """What holds the repetition time: a functional group of the first frame, or the header."""
    holder = of_frame(header, 1, _TIMING)
    return header if holder is None else holder[_TIMING].value[0]


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if 0 < value < float("inf") else None


def _is_echo_planar(header: Dataset) -> bool:
    sequence = header.get("ScanningSequence") or ""
    return (
        "EP" in ([sequence] if isinstance(sequence, str) else sequence)
        or header.get("EchoPlanarPulseSequence") == "YES"
    )
