"""Frame: one picture plane of an instance: where it lies, what tells it from others, what its stored values mean.

A single-frame instance has one frame, whose facts stand in the header itself; those of a multi-frame instance come from
its functional groups (:mod:`isocenter.dicom.frames.multiframe`). No pixel is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial

from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import WANTED, Header, shared
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.frames.instance import Instance
from isocenter.reasons import Reason

_TAG = WANTED


@dataclass(frozen=True, slots=True)
class Rescale:
    """From stored values to real ones: ``value * slope + intercept`` (Modality LUT, PS3.3 C.11.1).

    Parameters
    ----------
    slope, intercept
        None where the attribute is missing; NaN where it is no number.
    has_table
        Whether a Modality LUT Sequence stands in place of slope and intercept.
    padding
        Pixel Padding Value and Pixel Padding Range Limit, as far as they are there; in stored values.
    unit
        Units (0054,1001) of a PET image, with its SUV Type behind a space; Rescale Type (0028,1054) of others.
    has_map
        Whether a Real World Value Mapping Sequence is there as well.
    """

    slope: float | None
    intercept: float | None
    has_table: bool = False
    padding: tuple[int, ...] = ()
    unit: str = ""
    has_map: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells apart the volumes of one DICOM series that lie at the same positions; None or empty where not given.

    Parameters
    ----------
    temporal_position, b_value, echo_number, echo_time_ms, trigger_time_ms, acquisition_number, kernel
        The attributes of these names.
    image_type
        Image Type or Frame Type.
    component
        Complex Image Component: magnitude, phase, real or imaginary.
    stack_id, dimensions
        Of a multi-frame instance: Stack ID, and its further Dimension Index Values by name.
    direction
        Diffusion Gradient Orientation.
    acquisition_time_s, content_time_s
        Acquisition Time and Content Time, in seconds since midnight.
    """

    temporal_position: int | None = None
    b_value: float | None = None
    echo_number: int | None = None
    echo_time_ms: float | None = None
    trigger_time_ms: float | None = None
    acquisition_number: int | None = None
    image_type: tuple[str, ...] = ()
    kernel: str = ""
    component: str = ""
    stack_id: str = ""
    dimensions: tuple[tuple[str, int], ...] = ()
    acquisition_time_s: float | None = None
    content_time_s: float | None = None
    direction: Triple | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a stored picture that is a frame of its own, such as a tile of a mosaic: pixels, from 0."""

    row: int
    column: int
    rows: int
    columns: int


class Scale(StrEnum):
    """At what the pixel spacing of a frame is measured."""

    PATIENT = "in the patient"
    CALIBRATED = "calibrated in the patient"
    DETECTOR = "at the detector"
    FILM = "on the film"
    UNSTATED = "at an unstated depth"
    REGION = "in the calibrated region"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture plane.

    Parameters
    ----------
    instance
        The instance that holds it.
    number
        Frame Number, from 1.
    position_mm
        Image Position (Patient): LPS of the first pixel's centre. This and the following are None where not given.
    orientation
        Image Orientation (Patient): direction of growing column index, then of growing row index, in LPS.
    pixel_spacing_mm
        Between rows, then between columns.
    slice_thickness_mm
        Slice Thickness: how thick a slice is, not how far the slices are apart.
    mark
        What may tell it from others at its position.
    rescale
        What its stored values mean.
    window
        The part of the stored picture that it is; None if it is the whole.
    scale
        At what its pixel spacing is measured.
    reasons
        What was met, guessed or not understood while its place was found.
    """

    instance: Instance
    number: int
    position_mm: Triple | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, float] | None
    slice_thickness_mm: float | None
    mark: Mark
    rescale: Rescale
    window: Window | None = None
    scale: Scale = Scale.PATIENT
    reasons: tuple[Reason, ...] = ()

    @property
    def name(self) -> str:
        """SOP Instance UID of the instance, or its path where it has none."""
        return self.instance.name

    @property
    def modality(self) -> str:
        """Modality of the instance."""
        return self.instance.modality

    @property
    def image_type(self) -> tuple[str, ...]:
        """Image Type, such as ``("ORIGINAL", "PRIMARY", "AXIAL")``."""
        return self.mark.image_type

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        if self.window is not None:
            return self.window.rows, self.window.columns
        return self.instance.format.rows, self.instance.format.columns


def names_of(frames: Iterable[Frame]) -> tuple[str, ...]:
    """Names of the instances of frames, each once."""
    return tuple(dict.fromkeys(frame.instance.name for frame in frames))


def instances_of(frames: Iterable[Frame]) -> tuple[Instance, ...]:
    """The instances of frames, each once."""
    return tuple({id(frame.instance): frame.instance for frame in frames}.values())


def only_frame(instance: Instance, header: Header) -> Frame:
    """The frame of a single-frame instance, from its header."""
    position_mm = parsing.triple(header.values.get(_TAG["ImagePositionPatient"], b""))
    return shared(header, _of_series)(instance, 1, position_mm)


# --- attributes that are equal in most frames of a series: parsed once ------------------------------------------------

_MARK_TAGS = tuple(
    _TAG[keyword]
    for keyword in (
        "TemporalPositionIdentifier",
        "DiffusionBValue",
        "EchoNumbers",
        "EchoTime",
        "TriggerTime",
        "AcquisitionNumber",
        "ImageType",
        "ConvolutionKernel",
    )
)
_NOTED = (_TAG["ModalityLUTSequence"], _TAG["RealWorldValueMappingSequence"])
_PLANE_TAGS = tuple(
    _TAG[keyword]
    for keyword in (
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "PixelRepresentation",
        "RescaleSlope",
        "RescaleIntercept",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "Units",
        "SUVType",
        "RescaleType",
    )
)


def _of_series(header: Header) -> Callable[..., Frame]:
    """What makes the frames of the headers that share all but their own attributes."""
    values = header.values
    noted = map(values.__contains__, _NOTED)
    plane = _plane(*noted, *map(values.get, _PLANE_TAGS, parsing.NOTHING))
    return partial(plane, mark=_mark(*map(values.get, _MARK_TAGS, parsing.NOTHING)))


@lru_cache(maxsize=4096)
def _mark(*raw: bytes) -> Mark:
    temporal, b_value, echo, echo_time, trigger, acquisition, image_type, kernel = raw
    return Mark(
        temporal_position=parsing.integer(temporal),
        b_value=parsing.double(b_value),
        echo_number=parsing.integer(echo),
        echo_time_ms=parsing.number(echo_time),
        trigger_time_ms=parsing.number(trigger),
        acquisition_number=parsing.integer(acquisition),
        image_type=tuple(part.strip() for part in parsing.text(image_type).split("\\")) if image_type else (),
        kernel=parsing.text(kernel),
    )


@lru_cache(maxsize=4096)
def _plane(has_table: bool, has_map: bool, *raw: bytes) -> Callable[..., Frame]:  # noqa: FBT001
    """What makes the frames that have these attributes in common."""
    orientation, spacing, thickness, sign, slope, intercept, padding, limit, unit, suv_type, type_ = raw
    is_signed = parsing.short(sign) == 1
    rescale = Rescale(
        slope=parsing.number(slope),
        intercept=parsing.number(intercept),
        has_table=has_table,
        padding=tuple(int.from_bytes(x, "little", signed=is_signed) for x in (padding, limit) if 0 < len(x) <= 4),
        unit=" ".join(filter(None, map(parsing.text, (unit, suv_type) if unit else (type_,)))).upper(),
        has_map=has_map,
    )
    return partial(
        Frame,
        orientation=parsing.direction(orientation),
        pixel_spacing_mm=parsing.spacing(spacing),
        slice_thickness_mm=parsing.length_mm(thickness),
        rescale=rescale,
    )
