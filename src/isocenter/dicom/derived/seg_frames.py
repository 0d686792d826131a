"""Headers of the frames of a Segmentation object: thousands of them, from those of a few.

What the header of a frame says (PS3.3 C.7.6.16) follows from its slice, from its segment, or from both: only its
Dimension Index Values. So each part is made and encoded once, and a frame's header is put together from bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from isocenter.dicom.derived.making import encode
from isocenter.dicom.derived.writing import differs
from isocenter.dicom.file import nested
from isocenter.dicom.file.nested import Wanted
from isocenter.dicom.file.walk import UnusualError
from isocenter.findings import Mask

SLICE_ROOT = "2.25."
"""What the UIDs of sources begin with, that end in the number of their slice."""

Frame = tuple[int, int]
"""Number of the segment (0 where a frame is of all segments), and slice."""

_GROUPS = Tag("PerFrameFunctionalGroupsSequence")
_CONTENT = Tag("FrameContentSequence")
_SEGMENT = Tag("SegmentIdentificationSequence")
_NUMBER = Tag("ReferencedSegmentNumber")
_POSITION = Tag("PlanePositionSequence")
_POINT = Tag("ImagePositionPatient")
_TOLD: Wanted = {_POSITION: {_POINT: None}, _SEGMENT: {_NUMBER: None}}
_UINT16 = struct.Struct("<H").unpack
_Parts = dict[int, bytes]
_ITEM = b"\xfe\xff\x00\xe0"
_HEAD_BYTES = 12  # of a sequence: tag, VR, length


def frames_of(dataset: Dataset) -> list[Frame]:
    """What each frame is of, as the header has it; the UIDs of its sources end in the number of the slice."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    order = []
    for item in dataset.PerFrameFunctionalGroupsSequence:
        group = item if "SegmentIdentificationSequence" in item else shared
        numbers = [one.ReferencedSegmentNumber for one in group.get("SegmentIdentificationSequence", [])] or [0]
        source = item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        order.append((int(numbers[0]), int(source.removeprefix(SLICE_ROOT))))
    return order


def few(present: Mask) -> Mask:
    """(segment, slice): of the frames wanted as many as tell of every slice and of every segment at least once."""
    chosen = np.zeros_like(present)
    for many, one in ((present, chosen), (present.T, chosen.T)):
        rows = np.flatnonzero(many.any(axis=1))
        one[rows, many[rows].argmax(axis=1)] = True
    return chosen


def spread(dataset: Dataset, order: Sequence[Frame], present: Mask) -> list[Frame]:
    """Give an object the headers of all frames wanted, in place of those of a few.

    Parameters
    ----------
    dataset
        The object, with headers of few frames; changed in place.
    order
        What these frames are of.
    present
        (segment, slice): the frames wanted.

    Returns
    -------
    What the frames are of now: segment by segment, each in the order of its places.
    """
    numbers: dict[int, int] = {}
    places: dict[int, int] = {}
    of_segment: dict[int, _Parts] = {}
    of_slice: dict[int, _Parts] = {}
    for (number, k), item in zip(order, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        numbers[number], places[k] = map(int, item.FrameContentSequence[0].DimensionIndexValues)
        if k not in of_slice:
            of_slice[k] = _encoded(element for element in item if element.tag not in (_CONTENT, _SEGMENT))
        if number not in of_segment:
            of_segment[number] = _encoded(element for element in item if element.tag == _SEGMENT)
    rows = ((number, k) for number in sorted(numbers) for k in sorted(places, key=lambda one: places[one]))
    frames = [(number, k) for number, k in rows if present[number - 1, k]]
    data = b"".join(_item(of_slice[k] | of_segment[n] | _content(numbers[n], places[k])) for n, k in frames)
    dataset.NumberOfFrames = len(frames)
    explicit = {"is_implicit_VR": False, "is_little_endian": True}
    dataset[_GROUPS] = RawDataElement(_GROUPS, "SQ", len(data), data, 0, **explicit)
    return frames


def told_by(dataset: Dataset) -> tuple[list[int], list[list[float]]]:
    """Of each frame the number of its segment (0 where it is of all) and its position (PS3.3 C.7.6.2.1.1) in mm.

    Taken from the bytes of their headers: to make objects of thousands of them takes seconds.

    Raises
    ------
    Bug
        If they cannot be read, or a frame does not say it.
    """
    shared = dataset.SharedFunctionalGroupsSequence[0].get("SegmentIdentificationSequence")
    number_of_all = int(shared[0].ReferencedSegmentNumber) if shared else 0
    try:
        frames = nested.items(_groups(dataset), _TOLD)
        points = [list(map(float, one[_POSITION][0][_POINT].split(b"\\"))) for one in frames]
        numbers = [_UINT16(one[_SEGMENT][0][_NUMBER])[0] if _SEGMENT in one else number_of_all for one in frames]
    except (UnusualError, LookupError, ValueError, struct.error) as error:
        raise differs("the headers of its frames") from error
    return numbers, points


def _groups(dataset: Dataset) -> bytes:
    """The headers of all frames as they are in the file."""
    element = dataset.get_item(_GROUPS)
    return element.value if element.is_raw else _encoded([element])[_GROUPS][_HEAD_BYTES:]


def written_as_is(dataset: Dataset) -> Dataset:
    """The same object, of whose headers of frames pydicom takes the bytes in place of reading them to write them."""
    dataset.set_original_encoding(False, True, dataset._character_set)  # noqa: FBT003, SLF001 - there is no other way
    return dataset


def _encoded(elements: Iterable[DataElement]) -> _Parts:
    """The bytes of each element by its tag."""
    found: _Parts = {}
    for element in elements:
        alone = Dataset()
        alone.add(element)
        found[element.tag] = encode(alone)
    return found


def _content(number: int, place: int) -> _Parts:
    """A Frame Content Sequence of the Dimension Index Values alone."""
    values = struct.pack("<HH2sHII", 0x0020, 0x9157, b"UL", 8, number, place)
    item = _item({0: values})
    return {_CONTENT: struct.pack("<HH2sHI", 0x0020, 0x9111, b"SQ", 0, len(item)) + item}


def _item(parts: _Parts) -> bytes:
    data = b"".join(parts[tag] for tag in sorted(parts))
    return _ITEM + struct.pack("<I", len(data)) + data
