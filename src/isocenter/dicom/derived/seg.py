"""DICOM Segmentation (PS3.3 A.51, C.8.20), also as label map: a Segmentation on the frames it was found on.

highdicom makes the header. The frames are packed straight from the label maps (``seg_pixels``), so that overlapping
layers cost no copy of the volume for each segment. Reading back goes another way than writing: by each frame's position
in space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import DataElement, Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, RLELossless

from isocenter import codes
from isocenter.dicom.derived.headers import Headers, repair
from isocenter.dicom.derived.making import Making, coded, series_number, stamp
from isocenter.dicom.derived.seg_frames import SLICE_ROOT, few, frames_of, spread, told_by, written_as_is
from isocenter.dicom.derived.seg_pixels import bits, mask_of, masks_in, numbers_of, run_lengths
from isocenter.dicom.derived.writing import differs
from isocenter.dicom.file.quiet import quietly
from isocenter.errors import Refused, UsageError
from isocenter.findings import Mask, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.reasons import Reason

_PLACE_TOLERANCE = 0.2  # of a voxel: real slices lie a little beside their grid
_SERIES_OFFSET = 1
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


class Encoding(StrEnum):
    """How voxels are stored."""

    BINARY = "binary"
    """One frame of bits for each segment and slice; segments may overlap. Every viewer reads it."""
    LABELMAP = "labelmap"
    """One frame of labels for each slice, RLE compressed (DICOM 2024d): small, but few viewers read it yet.

    Not for overlapping segments, nor for more than 255.
    """


# --- making ----------------------------------------------------------------------------------------------------------


def make(
    segmentation: Segmentation, sources: Sequence[Dataset], making: Making, *, encoding: Encoding = Encoding.BINARY
) -> Dataset:
    """DICOM object of a segmentation.

    Frames without a voxel are left out; a segment without a voxel is described and has no frame.

    Parameters
    ----------
    segmentation
        On the native grid of the sources, which may be sheared (gantry tilt).
    sources
        Headers of the source images, in slice order of that grid.
    making
        How, when and by what it is made.
    encoding
        How voxels are stored.

    Raises
    ------
    Refused
        If no segment has a voxel (there is nothing to write), or the segments do not fit a label map.
    UsageError
        If the grid of the segmentation is not that of the sources.
    """
    headers = repair(sources)
    _require_same_place(segmentation.grid, headers)
    present = _present(segmentation)
    if not present.any():
        raise Refused([Reason("SEGMENT_EMPTY", "No segment holds a voxel, so no Segmentation object was made.")])
    overlap = _overlaps(segmentation)
    if overlap and encoding is Encoding.LABELMAP:
        raise Refused(
            [Reason("UNSUPPORTED", "Segments overlap; a label map cannot hold them. Use the binary encoding.")]
        )
    dataset = _begun(segmentation, headers, making, present, encoding)
    organization = making.uid("dimensions", str(headers[0].SeriesInstanceUID))
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    dataset.Rows, dataset.Columns = segmentation.grid.shape[1:]
    dataset.SegmentsOverlap = "YES" if overlap else "NO"
    parts = np.packbits(present).tobytes().hex()
    order = frames_of(dataset)
    _refer(dataset, headers, [k for _, k in order])
    if encoding is Encoding.BINARY:
        order = spread(dataset, order, present)
        dataset[Tag("PixelData")] = DataElement("PixelData", "OB", bits(segmentation, order))
        return written_as_is(stamp(dataset, making, headers, parts))
    frames = encapsulate(list(run_lengths(segmentation, order)))
    dataset[Tag("PixelData")] = DataElement("PixelData", "OB", frames, is_undefined_length=True)
    return stamp(dataset, making, headers, parts, syntax=RLELossless)


def _begun(segmentation: Segmentation, headers: Headers, making: Making, present: Mask, encoding: Encoding) -> Dataset:
    """The object with all but its pixels and what refers to the sources."""
    import highdicom as hd

    with quietly():  # highdicom warns of unusual names of patients, and quotes them
        begun: Dataset = hd.seg.Segmentation(
            source_images=_as_points(headers),
            pixel_array=_frames_wanted(present, encoding),
            segmentation_type=encoding.upper(),
            segment_descriptions=_descriptions(segmentation, headers, making),
            series_instance_uid=making.uid("series", "SEG", str(headers[0].SeriesInstanceUID)),
            series_number=series_number(headers[0], _SERIES_OFFSET),
            sop_instance_uid=making.uid("to be stamped"),
            instance_number=1,
            content_label="SEGMENTATION",
            content_description=", ".join(segment.title for segment in segmentation.segments)[:64],
            content_creator_name=f"{making.software}^",
            series_description=f"{making.software}: {', '.join(s.title for s in segmentation.segments)}"[:64],
            specific_character_set=None,  # highdicom refuses some that are in use; stamped below
            **making.equipment(),
        )
    return begun


def _require_same_place(grid: Grid, headers: Headers) -> None:
    """Refuse sources whose frames do not lie where the slices of the grid lie."""
    same = len(headers) == grid.shape[0] and (headers[0].Rows, headers[0].Columns) == grid.shape[1:]
    if same and all(keyword in header for header in headers for keyword in _PLACE):
        rows, columns = grid.shape[1:]
        corners = np.array([(0, 0), (rows - 1, 0), (0, columns - 1)], float)
        for k, header in enumerate(headers):
            places = grid.to_index(_points_mm(header, corners))
            expected = np.column_stack([np.full(3, float(k)), corners])
            same = same and bool(np.abs(places - expected).max() <= _PLACE_TOLERANCE)
        if same:
            return
    raise UsageError(
        "The segmentation does not lie on the frames of the given sources: "
        "bring it back onto their grid first, and give the sources in slice order."
    )


def _points_mm(header: Dataset, pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positions of (row, column) pixels in the patient (PS3.3 C.7.6.2.1.1)."""
    along_row, along_column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = (float(spacing) for spacing in header.PixelSpacing)
    origin = np.array(header.ImagePositionPatient, float)
    moved: npt.NDArray[np.float64] = (
        origin + pixels[:, :1] * between_rows * along_column + pixels[:, 1:] * between_columns * along_row
    )
    return moved


def _present(segmentation: Segmentation) -> Mask:
    """(segment, slice): whether the segment has a voxel in the slice."""
    from isocenter.sampling.labels import labels_in

    found = [[labels_in(layer[k : k + 1]) for k in range(len(layer))] for layer in segmentation.layers]
    return np.array([[one.label in here for here in found[one.layer]] for one in segmentation.segments], bool)


def _overlaps(segmentation: Segmentation) -> bool:
    """Whether any voxel belongs to two segments."""
    by_layer = [[s.label for s in segmentation.segments if s.layer == i] for i in range(len(segmentation.layers))]
    used = [(layer, labels) for layer, labels in zip(segmentation.layers, by_layer, strict=True) if labels]
    if len(used) < 2:
        return False
    return any(
        (np.sum([np.isin(layer[k], labels) for layer, labels in used], axis=0) > 1).any()
        for k in range(segmentation.grid.shape[0])
    )


def _as_points(headers: Headers) -> list[Dataset]:
    """The headers as of single-frame images of one pixel, whose UIDs end in the number of the slice.

    So highdicom makes all frames' headers without their pixels, and of slices of whatever images.
    """
    points = []
    for k, header in enumerate(headers):
        point = Dataset()
        point.update(header)
        for keyword in ("Rows", "Columns"):
            point[Tag(keyword)] = DataElement(keyword, "US", 1)
        point.SOPClassUID, point.SOPInstanceUID = CTImageStorage, f"{SLICE_ROOT}{k}"
        points.append(point)
    return points


def _frames_wanted(present: Mask, encoding: Encoding) -> npt.NDArray[np.uint8]:
    if encoding is Encoding.LABELMAP:
        return np.asarray(present.any(axis=0), np.uint8)[:, None, None]
    return np.asarray(few(present).T, np.uint8)[:, None, None, :]


def _descriptions(segmentation: Segmentation, headers: Headers, making: Making) -> list[Any]:
    import highdicom as hd

    algorithm = hd.AlgorithmIdentificationSequence(
        name=segmentation.algorithm.name,
        family=coded(segmentation.algorithm.family),
        version=segmentation.algorithm.version,
        source=making.manufacturer,
        parameters={name: str(value) for name, value in segmentation.algorithm.settings} or None,
    )
    return [
        _description(number, segment, algorithm, making.uid("segment", str(headers[0].SeriesInstanceUID), segment.name))
        for number, segment in enumerate(segmentation.segments, start=1)
    ]


def _description(number: int, segment: Segment, algorithm: Any, uid: str) -> Any:
    import highdicom as hd

    organ, side = codes.organ_and_side(segment.property_type)
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.title[:64],
        segmented_property_category=coded(segment.property_category),
        segmented_property_type=coded(organ),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=uid,
        tracking_id=f"{segment.name}@{uid[-8:]}",
        display_color=hd.color.CIELabColor.from_rgb(*segment.color),
        anatomic_regions=None if segment.region is None else [coded(segment.region)],
    )
    side = segment.modifier or side
    if side is not None:
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [coded(side)]
    return description


def _refer(dataset: Dataset, headers: Headers, slices: Sequence[int]) -> None:
    """Name the source images, and of each frame the frame that it was found on."""
    for item, k in zip(dataset.PerFrameFunctionalGroupsSequence, slices, strict=True):
        item.DerivationImageSequence[0].SourceImageSequence[0].update(headers.references[k].to_image())
    dataset.SourceImageSequence = [source.to_image() for source in headers.sources]
    dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence = [one.to_instance() for one in headers.sources]


# --- reading back ----------------------------------------------------------------------------------------------------


def read_back(dataset: Dataset, grid: Grid) -> tuple[Mask, ...]:
    """Masks (slice, row, column) of a Segmentation object on a grid, in the order of its segments.

    Each frame is put where its position in the patient says, whatever the order of the frames.

    Raises
    ------
    Bug
        If a frame does not lie on the grid.
    """
    numbers = [int(item.SegmentNumber) for item in dataset.SegmentSequence if int(item.SegmentNumber) > 0]
    masks = {number: np.zeros(grid.shape, bool) for number in numbers}
    for number, k, mask in _frames(dataset, grid):
        masks[number][k] |= mask
    return tuple(masks.values())


def check(dataset: Dataset, segmentation: Segmentation) -> None:
    """Compare a Segmentation object, as read from disk, with what it was made of: every segment, every voxel.

    Raises
    ------
    Bug
        If they differ.
    """
    described = [item for item in dataset.SegmentSequence if int(item.SegmentNumber) > 0]
    if [str(item.SegmentLabel) for item in described] != [s.title[:64] for s in segmentation.segments]:
        raise differs("the segments' names")
    if dataset.SegmentationType == "LABELMAP":
        _check_numbers(dataset, segmentation)
        return
    left = {(number, k) for number, k in zip(*np.nonzero(_present(segmentation)), strict=True)}
    for number, k, mask in _frames(dataset, segmentation.grid):
        if not np.array_equal(mask, mask_of(segmentation, segmentation.segments[number - 1], k)):
            raise differs(f"segment {number} in slice {k}")
        left.discard((number - 1, k))
    if left:
        raise differs(f"{len(left)} frames are missing")


def _check_numbers(dataset: Dataset, segmentation: Segmentation) -> None:
    """Compare the frames of a label map with all segments at once."""
    from pydicom.pixels.utils import iter_pixels

    slices = _places(dataset, segmentation.grid)[1]
    for k, frame in zip(slices, iter_pixels(dataset, raw=True), strict=True):
        if not np.array_equal(frame.reshape(segmentation.grid.shape[1:]), numbers_of(segmentation, k)):
            raise differs(f"slice {k}")
    if missing := set(np.flatnonzero(_present(segmentation).any(axis=0)).tolist()) - set(slices):
        raise differs(f"{len(missing)} frames are missing")


def _frames(dataset: Dataset, grid: Grid) -> Iterator[tuple[int, int, Mask]]:
    """(segment number, slice, mask) of each frame; of a label map, of each segment in each frame."""
    numbers, slices = _places(dataset, grid)
    if dataset.SegmentationType == "LABELMAP":
        yield from _label_frames(dataset, slices, (grid.shape[1], grid.shape[2]))
    else:
        yield from zip(numbers, slices, masks_in(dataset, len(slices)), strict=True)


def _places(dataset: Dataset, grid: Grid) -> tuple[list[int], list[int]]:
    """Segment number and slice of each frame."""
    if (int(dataset.Rows), int(dataset.Columns)) != grid.shape[1:]:
        raise differs(f"its frames have {dataset.Rows} x {dataset.Columns} pixels")
    numbers, points = told_by(dataset)
    places = grid.to_index(np.array(points))
    nearest = np.rint(places[:, 0]).astype(int)
    beside = np.abs(places - nearest[:, None] * [1, 0, 0]).max()
    if beside > _PLACE_TOLERANCE or nearest.min() < 0 or nearest.max() >= grid.shape[0]:
        raise differs("a frame lies beside its slice")
    return numbers, [int(k) for k in nearest]


def _label_frames(dataset: Dataset, slices: Sequence[int], shape: tuple[int, int]) -> Iterator[tuple[int, int, Mask]]:
    from pydicom.pixels.utils import iter_pixels

    for k, frame in zip(slices, iter_pixels(dataset, raw=True), strict=True):
        labels = frame.reshape(shape)
        for number in np.unique(labels[labels > 0]):
            yield int(number), k, labels == number
