"""Which images are read, and what keeps an instance from being one of them; from the header alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from isocenter.dicom.codecs import DECODERS
from isocenter.dicom.elements import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from isocenter.dicom.instance import MODALITY_OF_CLASS, Instance
from isocenter.reasons import Reason

_HU_TYPES = ("HU", "US", "")
"""Rescale Types of a CT that may be HU: stated, unspecified or missing."""
UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})


def frame_bytes(instance: Instance) -> int:
    """Size of an uncompressed frame."""
    form = instance.format
    return form.rows * form.columns * form.bits_allocated // 8


def unsupported(instances: Sequence[Instance]) -> list[Reason]:
    """Why images of this kind are not read; empty where they are."""
    for is_wrong, message in _UNSUPPORTED:
        names = tuple(instance.name for instance in instances if is_wrong(instance))
        if names:
            return [Reason("UNSUPPORTED", message, names)]
    return []


def support_faults(instances: Sequence[Instance]) -> list[Reason]:
    """What is wrong with the pixels and rescale values of images of a kind that is read."""
    faults = []
    for code, message, is_wrong in _PIXEL_FAULTS:
        wrong = [instance for instance in instances if is_wrong(instance)]
        if wrong:
            count = f"{len(wrong)} of {len(instances)} instances{numbers_of(wrong)}"
            faults.append(Reason(code, f"{count}: {message}", tuple(instance.name for instance in wrong)))
    return faults + _rescale_faults(instances) + _unit_faults(instances)


def numbers_of(instances: Sequence[Instance]) -> str:
    """Instance Numbers in parentheses, by which people find the slices again: the first five of them."""
    numbers = [str(instance.instance_number) for instance in instances if instance.instance_number is not None]
    if not numbers:
        return ""
    return f" (Instance Number {', '.join(numbers[:5])}{', ...' if len(numbers) > 5 else ''})"


def _unit_faults(instances: Sequence[Instance]) -> list[Reason]:
    """CT images whose values are said to be something else than HU (Rescale Type, PS3.3 C.11.1.1.2)."""
    other = [i for i in instances if i.modality == "CT" and i.rescale.unit not in _HU_TYPES]
    if not other:
        return []
    units = " or ".join(sorted({instance.rescale.unit for instance in other}))
    message = f"{len(other)} of {len(instances)} slices say that their values are {units}, not HU."
    return [Reason("UNIT_NOT_HU", message, tuple(instance.name for instance in other))]


def _rescale_faults(instances: Sequence[Instance]) -> list[Reason]:
    given = [_is_whole(instance) for instance in instances]
    odd = tuple(instance.name for instance, is_given in zip(instances, given, strict=True) if not is_given)
    if any(_is_broken(instance) for instance in instances):
        return [Reason("RESCALE_UNKNOWN", "Rescale Slope or Intercept is no number, or the slope is zero.", odd)]
    if any(given) and not all(given):
        return [Reason("RESCALE_UNKNOWN", f"{len(odd)} of {len(given)} slices lack a Rescale Slope or Intercept.", odd)]
    values = {(instance.rescale.slope, instance.rescale.intercept) for instance in instances}
    if len(values) > 1:
        return [Reason("RESCALE_VARIES", f"The slices have {len(values)} different rescale values.")]
    return []


def _is_whole(instance: Instance) -> bool:
    return instance.rescale.slope is not None and instance.rescale.intercept is not None


def _is_broken(instance: Instance) -> bool:
    slope, intercept = instance.rescale.slope, instance.rescale.intercept
    one_alone = (slope is None) != (intercept is None)
    return one_alone or slope == 0 or any(value is not None and math.isnan(value) for value in (slope, intercept))


def _is_other_kind(instance: Instance) -> bool:
    if instance.sop_class_uid:
        return MODALITY_OF_CLASS.get(instance.sop_class_uid) != instance.modality
    return instance.modality not in MODALITY_OF_CLASS.values()


def _has_odd_bits(instance: Instance) -> bool:
    form = instance.format
    fits = 0 < form.bits_stored <= form.high_bit + 1 <= form.bits_allocated
    return form.bits_allocated not in (8, 16) or not fits or form.rows < 1 or form.columns < 1


def _has_odd_syntax(instance: Instance) -> bool:
    return instance.transfer_syntax not in UNCOMPRESSED and instance.transfer_syntax not in DECODERS


_Test = Callable[[Instance], bool]

_UNSUPPORTED: tuple[tuple[_Test, str], ...] = (
    (_is_other_kind, "Only single-frame CT, MR and PET images are read."),
    (lambda i: i.format.frames > 1, "Multi-frame images are not read yet."),
    (lambda i: "MOSAIC" in i.image_type, "Mosaics (many slices tiled into one image) are not read yet."),
    (
        lambda i: i.format.samples != 1 or not i.format.photometric.startswith("MONOCHROME"),
        "Colour images are not read yet.",
    ),
    (lambda i: i.rescale.has_table, "Images with a Modality LUT Sequence are not read yet."),
    (_has_odd_bits, "Images with this number of bits, rows or columns are not read."),
    (_has_odd_syntax, "Images in this transfer syntax are not read."),
)


def _is_cut(instance: Instance) -> bool:
    """Whether the file ends, or the element does, before the last pixel."""
    pixels = instance.pixels
    if pixels is None:
        return False
    needed = frame_bytes(instance) if pixels.length >= 0 else 16
    if 0 <= pixels.length < needed or pixels.reach > instance.file_size:
        return True
    return instance.transfer_syntax != DEFLATED and instance.file_size - pixels.offset < needed


def _is_too_long(instance: Instance) -> bool:
    pixels = instance.pixels
    if pixels is None or instance.transfer_syntax not in UNCOMPRESSED:
        return False
    return pixels.length > frame_bytes(instance) + 1


_PIXEL_FAULTS: tuple[tuple[str, str, _Test], ...] = (
    ("PIXELS_MISSING", "there are no pixel data.", lambda i: i.pixels is None),
    ("PIXELS_TRUNCATED", "the pixel data end too early.", _is_cut),
    ("PIXELS_SURPLUS", "the pixel data are longer than rows and columns say.", _is_too_long),
)
