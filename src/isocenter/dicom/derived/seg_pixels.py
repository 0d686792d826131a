"""Pixels of a Segmentation object: label maps to frames of bits or of run lengths, and frames of bits to masks again.

Where a frame lies and which segment it is of lives in ``seg_frames``.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.tag import Tag

from isocenter.dicom.derived.seg_frames import Frame
from isocenter.findings import Mask, Segment, Segmentation
from isocenter.kernels import kernel
from isocenter.volume import Array

_PIXELS = Tag("PixelData")
_TOGETHER = 8  # frames of bits that are a whole number of bytes, whatever their size


def bits(segmentation: Segmentation, order: Sequence[Frame]) -> bytes:
    """Frames of bits, the first pixel in the lowest bit, with no padding between frames (PS3.5 8.1.1).

    All segments of a slice are packed in one pass over it.
    """
    size = segmentation.grid.shape[1] * segmentation.grid.shape[2]
    first = {frame: place * size for place, frame in enumerate(order)}
    room = io.BytesIO()  # unlike an array it becomes bytes without a copy
    room.seek(-(-len(order) * size // 16) * 2 - 1)  # an even number of bytes
    room.write(b"\x00")
    packed = np.frombuffer(room.getbuffer(), np.uint8)
    for index, layer in enumerate(segmentation.layers):
        numbers = _numbers(segmentation, index, layer)
        for k in sorted({k for _, k in order}):
            _pack(layer[k], np.array([first.get((int(number), k), -1) for number in numbers]), packed)
    del packed  # which holds the room
    return room.getvalue()


def run_lengths(segmentation: Segmentation, order: Sequence[Frame]) -> Iterator[bytes]:
    """Frames of labels, each row of runs on its own, behind a header that tells of one segment (PS3.5 G)."""
    import imagecodecs

    for _, k in order:
        data = imagecodecs.packbits_encode(numbers_of(segmentation, k), axis=-1)
        yield struct.pack("<16I", 1, 64, *[0] * 14) + data + b"\x00" * (len(data) % 2)


def mask_of(segmentation: Segmentation, segment: Segment, k: int) -> Mask:
    """(row, column) of one slice: where the segment is."""
    mask: Mask = segmentation.layers[segment.layer][k] == segment.label
    return mask


def numbers_of(segmentation: Segmentation, k: int) -> npt.NDArray[np.uint8]:
    """(row, column) of one slice: the number of the segment that is there, 0 where none is."""
    frame = np.zeros(segmentation.grid.shape[1:], np.uint8)
    for index, layer in enumerate(segmentation.layers):
        np.maximum(frame, _numbers(segmentation, index, layer[k]).astype(np.uint8)[layer[k]], out=frame)
    return frame


def masks_in(dataset: Dataset, count: int) -> Iterator[Mask]:
    """(row, column) of each frame of bits; of an object whose pixels were left on disk, some frames at a time."""
    shape = int(dataset.Rows), int(dataset.Columns)
    with _opened(dataset) as stream:
        for first in range(0, count, _TOGETHER):
            data = np.frombuffer(stream.read(shape[0] * shape[1]), np.uint8)
            masks = np.unpackbits(data, bitorder="little", count=min(_TOGETHER, count - first) * shape[0] * shape[1])
            yield from masks.view(bool).reshape(-1, *shape)


def _numbers(segmentation: Segmentation, index: int, labels: Array) -> npt.NDArray[np.int64]:
    """For each label that may occur the number of its segment, 0 where it has none."""
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for number, segment in enumerate(segmentation.segments, start=1):
        if segment.layer == index and segment.label < table.size:
            table[segment.label] = number
    return table


@contextmanager
def _opened(dataset: Dataset) -> Iterator[BinaryIO]:
    """The bytes of an object's pixels, where they are: in memory, or in its file."""
    element: Any = dataset.get_item(_PIXELS, keep_deferred=True)
    if element.value is None:
        with Path(str(dataset.filename)).open("rb") as file:
            file.seek(element.value_tell)
            yield file
    else:
        yield io.BytesIO(element.value)


@kernel
def _pack(labels: Array, first: Array, packed: Array) -> None:
    """Set the bit of each pixel in the frame of its label, which begins with the bit given; -1 for none."""
    rows, columns = labels.shape
    for r in range(rows):
        for c in range(columns):
            begin = first[labels[r, c]]
            if begin >= 0:
                place = begin + r * columns + c
                packed[place >> 3] |= np.uint8(1 << (place & 7))
