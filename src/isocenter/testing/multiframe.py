"""Synthetic multi-frame objects: Enhanced CT, MR and PET, Legacy Converted, Parametric Map, Segmentation; for tests.

Like :mod:`isocenter.testing.dicom` it goes through pydicom and shares no code with the reader. What has no functional
groups (NM, RT Dose, mosaics, cines) lives in :mod:`isocenter.testing.tiled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID

from isocenter.geometry import Grid
from isocenter.testing.dicom import PositionFunction, decimal, save, uid_of, values_on
from isocenter.testing.encoding import UIDS, put_pixels

Array = npt.NDArray[Any]
Rescale = tuple[float, float]

_IMAGES = "1.2.840.10008.5.1.4.1.1"
CLASSES: Mapping[str, tuple[str, str]] = {
    "CT": (f"{_IMAGES}.2.1", "CT"),
    "MR": (f"{_IMAGES}.4.1", "MR"),
    "PT": (f"{_IMAGES}.130", "PT"),
    "legacy CT": (f"{_IMAGES}.2.2", "CT"),
    "legacy MR": (f"{_IMAGES}.4.4", "MR"),
    "parametric map": (f"{_IMAGES}.30", "MR"),
    "segmentation": (f"{_IMAGES}.66.4", "SEG"),
}
"""Kind -> SOP class and modality."""
_GROUPS = {"CT": "CTImageFrameTypeSequence", "MR": "MRImageFrameTypeSequence", "PT": "PETFrameTypeSequence"}


@dataclass(frozen=True)
class Stack:
    """One volume of a multi-frame object, and what tells it from the others.

    Parameters
    ----------
    value
        Of patient position.
    grid
        Where its voxels lie.
    stack_id
        Stack ID.
    time, echo_time_ms, b_value, segment
        Temporal position index, effective echo time, diffusion b-value, segment number; None where there is none.
    """

    value: PositionFunction
    grid: Grid
    stack_id: str = "1"
    time: int | None = None
    echo_time_ms: float | None = None
    b_value: float | None = None
    segment: int | None = None


@dataclass(frozen=True)
class Many:
    """How a multi-frame object is written.

    Parameters
    ----------
    kind
        A key of :data:`CLASSES`.
    syntax
        A key of :data:`isocenter.testing.encoding.UIDS`.
    rescale
        (slope, intercept) of all frames, or one pair per frame (in the order of writing); None for none.
    dtype
        Of the pixel cells: ``"<u2"``, ``"<i2"``, ``"<f4"``, ``"<f8"``, or ``"bits"`` for one bit a pixel.
    order
        Frame order of writing, as indices of (stack, slice) in their natural order; None for that.
    shared
        Functional groups that stand once for all frames: of ``"orientation"``, ``"measures"``, ``"rescale"``.
    left_out
        Functional group macros to leave out, such as ``"PlanePositionSequence"``.
    seed
        UIDs follow from it.
    attributes
        Keyword -> value for the data set.
    edit
        Called with the data set before it is written.
    """

    kind: str = "CT"
    syntax: str = "explicit"
    rescale: Rescale | Sequence[Rescale] | None = (1.0, -1024.0)
    dtype: str = "<u2"
    order: Sequence[int] | None = None
    shared: frozenset[str] = frozenset({"orientation", "measures", "rescale"})
    left_out: frozenset[str] = frozenset()
    seed: str = "isocenter"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[Dataset], None] = lambda data_set: None  # noqa: ARG005


@dataclass(frozen=True)
class _Frame:
    stack: Stack
    index: int  # of the slice
    values: Array
    rescale: Rescale | None


def write_many(stacks: Sequence[Stack], path: Path, *, many: Many) -> Path:
    """Write volumes into one multi-frame file.

    Raises
    ------
    ValueError
        If a stored value does not fit the pixel cells.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = _frames(stacks, many)
    ds = identified(many.kind, many.seed, stacks[0].grid)
    ds.NumberOfFrames = len(frames)
    ds.Rows, ds.Columns = stacks[0].grid.shape[1:]
    _put_frames(ds, frames, many)
    _put_dimensions(ds, frames)
    ds.SharedFunctionalGroupsSequence = Items([_groups(frames[0], many, is_shared=True)])
    ds.PerFrameFunctionalGroupsSequence = Items([_groups(frame, many, is_shared=False) for frame in frames])
    for keyword, value in many.attributes.items():
        setattr(ds, keyword, value)
    many.edit(ds)
    ds.file_meta = meta_of(ds, many.syntax)
    save(ds, path)
    return path


def _frames(stacks: Sequence[Stack], many: Many) -> list[_Frame]:
    natural = [(stack, index) for stack in stacks for index in range(stack.grid.shape[0])]
    order = range(len(natural)) if many.order is None else many.order
    values = {id(stack): values_on(stack.value, stack.grid) for stack in stacks}
    found = []
    for place, number in enumerate(order):
        stack, index = natural[number]
        found.append(_Frame(stack, index, values[id(stack)][index], _rescale_of(many, place)))
    return found


def _rescale_of(many: Many, place: int) -> Rescale | None:
    if many.rescale is None or isinstance(many.rescale[0], (int, float)):
        return many.rescale  # type: ignore[return-value]
    return many.rescale[place]  # type: ignore[return-value]


def identified(kind: str, seed: str, grid: Grid) -> Dataset:
    """A data set with the identity of its patient, study, series and frame of reference."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.Modality = CLASSES.get(kind, (kind, "OT"))
    ds.SOPInstanceUID = uid_of(seed, kind, "instance")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260102", "030405", ""
    ds.ContentDate, ds.ContentTime = "20260102", "030405"
    ds.Manufacturer, ds.SeriesDescription = "Isocenter", f"Synthetic {kind}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Phantom", "phantom", "", "O"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of(seed, "study"), uid_of(seed, "series")
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1, 1
    ds.FrameOfReferenceUID = grid.frame_of_reference_uid or uid_of(seed, "frame of reference")
    return ds


def meta_of(ds: Dataset, syntax: str) -> FileMetaDataset:
    """The meta header of a data set in a transfer syntax."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(ds.SOPClassUID), UID(ds.SOPInstanceUID)
    meta.TransferSyntaxUID = UID(UIDS[syntax])
    return meta


# --- pixels ---------------------------------------------------------------------------------------------------------


def _put_frames(ds: Dataset, frames: Sequence[_Frame], many: Many) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    if many.dtype in ("<f4", "<f8"):
        keyword = "FloatPixelData" if many.dtype == "<f4" else "DoubleFloatPixelData"
        setattr(ds, keyword, np.stack([frame.values for frame in frames]).astype(many.dtype).tobytes())
        ds.BitsAllocated = 32 if many.dtype == "<f4" else 64
    elif many.dtype == "bits":
        whole = np.stack([frame.values for frame in frames]) > 0
        packed = np.packbits(whole.ravel(), bitorder="little").tobytes()
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
        ds.PixelData = packed + b"\0" * (len(packed) % 2)
        ds["PixelData"].VR = "OB"
    else:
        put_stored(ds, np.stack([stored(frame.values, frame.rescale, many.dtype) for frame in frames]), many.syntax)


def stored(values: Array, rescale: Rescale | None, dtype: str) -> Array:
    """Real values as whole pixel cells of a type.

    Raises
    ------
    ValueError
        If one does not fit.
    """
    slope, intercept = rescale or (1.0, 0.0)
    whole = np.rint((values - intercept) / slope)
    limits = np.iinfo(dtype)
    if whole.min() < limits.min or whole.max() > limits.max:
        raise ValueError(f"Stored values {whole.min():g} to {whole.max():g} do not fit {dtype}.")
    return whole.astype(dtype)


def put_stored(ds: Dataset, cells: Array, syntax: str) -> None:
    """Set (frame, row, column[, sample]) cells as the pixel data, with the attributes that describe them."""
    bits = 8 * cells.dtype.itemsize
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelRepresentation = int(cells.dtype.kind == "i")
    put_pixels(ds, cells.view(f"<u{cells.dtype.itemsize}"), syntax, bits)


# --- functional groups -----------------------------------------------------------------------------------------------


def _put_dimensions(ds: Dataset, frames: Sequence[_Frame]) -> None:
    uid = uid_of("dimensions")
    ds.DimensionOrganizationSequence = Items([_of(DimensionOrganizationUID=uid)])
    pointers = [("StackID", "FrameContentSequence"), ("InStackPositionNumber", "FrameContentSequence")]
    for name, (_, pointer, group) in _FURTHER.items():
        if getattr(frames[0].stack, name) is not None:
            pointers.append((pointer, group))
    ds.DimensionIndexSequence = Items(
        [
            _of(DimensionOrganizationUID=uid, DimensionIndexPointer=Tag(one), FunctionalGroupPointer=Tag(group))
            for one, group in pointers
        ]
    )


_FURTHER: Mapping[str, tuple[str, str, str]] = {
    "time": ("TemporalPositionIndex", "TemporalPositionIndex", "FrameContentSequence"),
    "echo_time_ms": ("EffectiveEchoTime", "EffectiveEchoTime", "MREchoSequence"),
    "b_value": ("DiffusionBValue", "DiffusionBValue", "MRDiffusionSequence"),
    "segment": ("ReferencedSegmentNumber", "ReferencedSegmentNumber", "SegmentIdentificationSequence"),
}
"""Field of a stack -> attribute, dimension index pointer, functional group."""


def _groups(frame: _Frame, many: Many, *, is_shared: bool) -> Dataset:
    """The functional groups that stand for all frames, or those of one frame."""
    grid, groups = frame.stack.grid, {}
    across, down = (grid.direction[:, axis] for axis in (2, 1))
    if ("orientation" in many.shared) == is_shared:
        groups["PlaneOrientationSequence"] = _of(ImageOrientationPatient=[decimal(x) for x in (*across, *down)])
    if ("measures" in many.shared) == is_shared:
        spacing = [decimal(x) for x in grid.spacing_mm]
        measures = {"PixelSpacing": spacing[1:], "SliceThickness": spacing[0], "SpacingBetweenSlices": spacing[0]}
        groups["PixelMeasuresSequence"] = _of(**measures)
    if ("rescale" in many.shared) == is_shared and frame.rescale is not None:
        slope, intercept = map(decimal, frame.rescale)
        unit = "HU" if many.kind.endswith("CT") else "US"
        transformation = _of(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType=unit)
        groups["PixelValueTransformationSequence"] = transformation
    if not is_shared:
        groups.update(_of_frame(frame, many))
    kept = {keyword: Items([item]) for keyword, item in groups.items() if keyword not in many.left_out}
    return _of(**kept)


def _of_frame(frame: _Frame, many: Many) -> dict[str, Dataset]:
    """The functional groups that differ from frame to frame."""
    stack = frame.stack
    content = _of(StackID=stack.stack_id, InStackPositionNumber=frame.index + 1)
    values = [int(stack.stack_id), frame.index + 1]
    groups = {"FrameContentSequence": content}
    for name, (keyword, _, group) in _FURTHER.items():
        number = getattr(stack, name)
        if number is not None:
            values.append(int(number) + 1)
            setattr(groups.setdefault(group, Dataset()), keyword, number)
    content.DimensionIndexValues = values
    if stack.b_value is not None:
        directionality = "NONE" if stack.b_value == 0 else "ISOTROPIC"
        groups["MRDiffusionSequence"].DiffusionDirectionality = directionality
    corner = stack.grid.to_world((frame.index, 0, 0))
    groups["PlanePositionSequence"] = _of(ImagePositionPatient=[decimal(x) for x in corner])
    modality = CLASSES[many.kind][1]
    if modality in _GROUPS and many.kind != "parametric map":
        groups[_GROUPS[modality]] = _of(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    return groups


def _of(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
