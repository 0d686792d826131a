"""Multi-frame: which instances hold several picture planes, or say only in sequences where theirs lies; and the planes.

What the planes are follows from the kind of object: functional groups (`groups`), Siemens mosaics (`mosaic`), nuclear
medicine (`nuclear`), RT Dose (`dose`); all others run along time, or along nothing that is known.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from isocenter.dicom.file import nested, parsing
from isocenter.dicom.file.elements import DEFLATED, UNCOMPRESSED, Header
from isocenter.dicom.file.files import ByteSource
from isocenter.dicom.file.nested import Item
from isocenter.dicom.frames import dose, groups, mosaic, nuclear
from isocenter.dicom.frames.frame import Frame, only_frame
from isocenter.dicom.frames.instance import Instance
from isocenter.reasons import Reason

MOST_FRAMES = 1 << 17
"""No object of more frames is read."""
_SMALLEST_FRAME_BYTES = 24
"""A compressed picture is not smaller, with the head of its fragment."""
_MOST_INFLATED = 1032
"""Bytes that deflate can make of one."""
_PREFIX = "1.2.840.10008.5.1.4.1.1."
_NUCLEAR = f"{_PREFIX}20"
_GROUPED = frozenset(
    f"{_PREFIX}{end}"
    for end in (
        *("2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130"),  # enhanced and legacy converted CT, MR, PET
        *("13.1.1", "13.1.2", "13.1.3", "12.1.1", "12.2.1"),  # X-ray 3D, tomosynthesis, enhanced XA and XRF
        *("6.2", "30"),  # enhanced ultrasound volume, parametric map
    )
)
"""Classes whose images tell in functional groups where they lie, be it one frame."""
_OF_THEIR_OWN = _GROUPED | {_NUCLEAR, dose.RT_DOSE}
_FRAME_TIME, _FRAME_TIMES, _POINTER = 0x00181063, 0x00181065, 0x00280009
_WANTED_OTHER: nested.Wanted = {**groups.WANTED_GROUPS, **dict.fromkeys((_FRAME_TIME, _FRAME_TIMES, _POINTER))}


def frames_of(instance: Instance, header: Header, source: ByteSource) -> tuple[Frame, ...]:
    """The frames of an instance.

    Parameters
    ----------
    instance
        The instance.
    header
        Its header, from the common walk.
    source
        The bytes of its file; asked only where the header does not tell all.

    Returns
    -------
    At least one, in their stored order. What the object does not tell of a frame is None.
    """
    base = only_frame(instance, header)
    class_uid = instance.sop_class_uid
    if instance.format.frames == 1 and class_uid not in _OF_THEIR_OWN:
        if not mosaic.is_mosaic(base):
            return (base,)
        return mosaic.tiles_of(base, nested.read(source, header, mosaic.WANTED_MOSAIC))
    count, doubts = _count(instance)
    if class_uid == dose.RT_DOSE:
        frames = dose.frames_of(base, nested.read(source, header, dose.WANTED_DOSE), count)
    elif class_uid == _NUCLEAR:
        frames = nuclear.frames_of(base, nested.read(source, header, nuclear.WANTED_NUCLEAR), count)
    else:
        frames = _others(base, nested.read(source, header, _WANTED_OTHER), count)
    return tuple(replace(frame, reasons=(*frame.reasons, *doubts)) for frame in frames) if doubts else frames


def _count(instance: Instance) -> tuple[int, tuple[Reason, ...]]:
    """How many frames there are at most, and whether more are claimed than the file can hold."""
    claimed = instance.format.frames
    of_one = (
        max(instance.format.frame_bits // 8, 1) if instance.transfer_syntax in UNCOMPRESSED else _SMALLEST_FRAME_BYTES
    )
    count = max(1, min(claimed, _pixel_bytes(instance) // of_one, MOST_FRAMES))
    if count == claimed:
        return count, ()
    message = f"Number of Frames is {claimed}, but there is room for {count}."
    return count, (Reason("FRAMES_CONTRADICT", message, (instance.name,)),)


def _pixel_bytes(instance: Instance) -> int:
    """How many bytes of pixel data the file can hold."""
    if instance.transfer_syntax == DEFLATED:
        return instance.file_size * _MOST_INFLATED
    return instance.file_size if instance.pixels is None else instance.file_size - instance.pixels.offset


def _others(base: Frame, item: Item, count: int) -> tuple[Frame, ...]:
    if groups.SHARED in item or groups.PER_FRAME in item:
        return groups.frames_of(base, item, count)
    return _along_time(base, item, count)


def _along_time(base: Frame, item: Item, count: int) -> tuple[Frame, ...]:
    """The frames of an object that says of the first alone where it lies, if at all; or that they share its place."""
    if not _is_cine(item, count):
        elsewhere = replace(base, position_mm=None)
        return (base, *(replace(elsewhere, number=number) for number in range(2, count + 1)))
    return tuple(
        replace(base, number=number, mark=replace(base.mark, temporal_position=number))
        for number in range(1, count + 1)
    )


def _is_cine(item: Item, count: int) -> bool:
    """Whether the frames run along time: by what their increment points to, or by times that are given for them."""
    if any(item.get(_POINTER, b"") == _as_stored(tag) for tag in (_FRAME_TIME, _FRAME_TIMES)):
        return True
    return len(parsing.numbers(item.get(_FRAME_TIMES, b""))) == count or bool(item.get(_FRAME_TIME))


def _as_stored(tag: int) -> bytes:
    """A tag as the value of an attribute is stored: group and element, each little endian."""
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)
