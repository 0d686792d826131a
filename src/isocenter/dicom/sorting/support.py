"""Which images are read, and what keeps an instance from being one of them; from the header alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from isocenter.dicom.file.elements import DEFLATED, PIXEL_DATA, UNCOMPRESSED
from isocenter.dicom.frames.frame import Frame, Rescale, instances_of, names_of
from isocenter.dicom.frames.instance import HALVED, MODALITY_OF_CLASS, Instance
from isocenter.dicom.values.codecs import DECODERS
from isocenter.dicom.values.colour import TRUE_COLOURS
from isocenter.dicom.values.meaning import speaks_hu
from isocenter.dicom.values.units import unit_named
from isocenter.reasons import Reason, counted

_FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
_HU_TYPES = ("HU", "US", "")
"""Rescale Types of a CT that may be HU: stated, unspecified or missing."""
_PREFIX = "1.2.840.10008.5.1.4.1.1."
STACKS = frozenset(
    f"{_PREFIX}{end}"
    for end in (
        *("2", "2.1", "2.2"),  # CT, Enhanced CT, Legacy Converted Enhanced CT
        *("4", "4.1", "4.3", "4.4"),  # MR, Enhanced MR, Enhanced MR Color, Legacy Converted Enhanced MR
        *("128", "128.1", "130"),  # PET, Legacy Converted Enhanced PET, Enhanced PET
        *("13.1.1", "13.1.2", "13.1.3"),  # X-Ray 3D Angiographic and Craniofacial, Breast Tomosynthesis
        *("6.2", "30", "77.1.5.4", "481.2"),  # Enhanced US Volume, Parametric Map, Ophthalmic Tomography, RT Dose
    )
)
"""Classes whose frames are slices of the patient."""
X_RAY_PLANES = frozenset(
    f"{_PREFIX}{end}"
    for end in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1"),  # CR, DX, mammography, intra-oral
        *("12.1", "12.1.1", "12.2", "12.2.1", "12.3"),  # XA, Enhanced XA, XRF, Enhanced XRF, bi-plane XA
        *("13.1.4", "13.1.5", "481.1"),  # Breast Projection, RT Image
    )
)
"""Classes whose frames are projections: what they show is magnified."""
ULTRASOUND = frozenset(f"{_PREFIX}{end}" for end in ("3", "3.1", "6", "6.1"))
PLANES = (
    X_RAY_PLANES
    | ULTRASOUND
    | frozenset(
        f"{_PREFIX}{end}"
        for end in (
            *("7", "7.1", "7.2", "7.3", "7.4"),  # Secondary Capture, and its multi-frame kinds
            *("5", "20"),  # Nuclear Medicine; its tomographic images have positions
            *("77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.4", "77.1.4.1"),  # endoscopic, microscopic, photographs
            *("77.1.5.1", "77.1.5.2", "77.1.7"),  # ophthalmic photographs, dermoscopy
        )
    )
)
"""Classes whose frames are pictures, each by itself."""
MOVING = X_RAY_PLANES | ULTRASOUND | frozenset(f"{_PREFIX}77.1.{end}.1" for end in (1, 2, 4))
"""Classes of planes whose frames, where there are several, follow each other in time."""
_MAY_BE_TOMOGRAPHIC = frozenset({f"{_PREFIX}20"})


def unsupported(frames: Sequence[Frame]) -> list[Reason]:
    """Why frames of this kind are not read; empty where they are."""
    kinds = {_kind(frame): frame for frame in frames}.values()
    for is_wrong, message in _UNSUPPORTED:
        if any(map(is_wrong, kinds)):
            return [Reason("UNSUPPORTED", message, names_of(filter(is_wrong, frames)))]
    return []


def _kind(frame: Frame) -> Hashable:
    """All that tells whether a frame is read: most frames of a series have one in common."""
    instance = frame.instance
    return (
        instance.sop_class_uid,
        instance.modality,
        instance.transfer_syntax,
        id(instance.format),
        id(frame.mark),
        instance.pixels and instance.pixels.tag,
        frame.position_mm is None or frame.orientation is None,
        frame.window is None,
    )


def support_faults(frames: Sequence[Frame]) -> list[Reason]:
    """What is wrong with the pixels and rescale values of frames of a kind that is read."""
    faults = []
    instances = instances_of(frames)
    kinds = {_pixels_of(instance): instance for instance in instances}.values()
    for code, message, is_wrong in _PIXEL_FAULTS:
        if any(map(is_wrong, kinds)):
            wrong = list(filter(is_wrong, instances))
            count = f"{len(wrong)} of {len(instances)} instances{numbers_of(wrong)}"
            faults.append(Reason(code, f"{count}: {message}", tuple(instance.name for instance in wrong)))
    return faults + _format_faults(instances) + _rescale_faults(frames) + _unit_faults(frames)


def form_faults(frames: Sequence[Frame]) -> list[Reason]:
    """What is odd about the files as such: no preamble, a header that breaks the rules of its encoding."""
    faults = []
    instances = instances_of(frames)
    for code, (one, many), is_odd in _FORM_FAULTS:
        if any(map(is_odd, instances)):
            names = tuple(instance.name for instance in instances if is_odd(instance))
            faults.append(Reason(code, f"{counted(len(names), one, many)}.", names))
    return faults


def _format_faults(instances: Sequence[Instance]) -> list[Reason]:
    """Integer pixels of which something had to be guessed (PS3.3 C.7.6.3: all of it is required)."""
    unsure = [i for i in instances if i.format.guessed and i.pixels is not None and i.pixels.tag == PIXEL_DATA]
    if not unsure:
        return []
    words = ", ".join(dict.fromkeys(word for instance in unsure for word in instance.format.guessed))
    message = f"{len(unsure)} of {len(instances)} instances{numbers_of(unsure)} do not say their {words}."
    return [Reason("PIXEL_FORMAT_GUESSED", message, tuple(instance.name for instance in unsure))]


def numbers_of(instances: Sequence[Instance]) -> str:
    """Instance Numbers in parentheses, by which people find the slices again: the first five of them."""
    numbers = [str(instance.instance_number) for instance in instances if instance.instance_number is not None]
    if not numbers:
        return ""
    return f" (Instance Number {', '.join(numbers[:5])}{', ...' if len(numbers) > 5 else ''})"


def _unit_faults(frames: Sequence[Frame]) -> list[Reason]:
    """CT images whose values are said to be something else than HU (Rescale Type, PS3.3 C.11.1.1.2)."""
    odd = (frame for frame in frames if frame.rescale.unit not in _HU_TYPES)
    other = [frame for frame in odd if speaks_hu(frame)]
    if not other:
        return _differing_units(frames)
    units = " or ".join(sorted({frame.rescale.unit for frame in other}))
    message = f"{len(other)} of {len(frames)} slices say that their values are {units}, not HU."
    return [Reason("UNIT_NOT_HU", message, names_of(other))]


def _differing_units(frames: Sequence[Frame]) -> list[Reason]:
    """Images of one volume whose values are in different units, or of which only some say their unit."""
    kinds = {id(frame.rescale): frame for frame in frames}.values()
    named = {frame.rescale.unit for frame in kinds if not (speaks_hu(frame) or frame.rescale.has_table)}
    if len(set(map(unit_named, named))) < 2:
        return []
    units = ", ".join(sorted(name or "none" for name in named))
    return [Reason("UNITS_DIFFER", f"The slices say {len(named)} units ({units}).", names_of(frames))]


def _rescale_faults(frames: Sequence[Frame]) -> list[Reason]:
    rescales = {id(frame.rescale): frame.rescale for frame in frames}.values()
    if all(map(_is_whole, rescales)) and not any(map(_is_broken, rescales)):
        count = len({(rescale.slope, rescale.intercept) for rescale in rescales})
        message = f"The slices have {count} different rescale values."
        return [Reason("RESCALE_VARIES", message)] if count > 1 else []
    odd = [frame for frame in frames if not _is_whole(frame.rescale)]
    if any(map(_is_broken, rescales)):
        message = "Rescale Slope or Intercept is no number, or an absurd one."
        return [Reason("RESCALE_UNKNOWN", message, names_of(odd))]
    if len(odd) < len(frames):
        message = f"{len(odd)} of {len(frames)} slices lack a Rescale Slope or Intercept."
        return [Reason("RESCALE_UNKNOWN", message, names_of(odd))]
    return []


def _is_whole(rescale: Rescale) -> bool:
    return rescale.has_table or (rescale.slope is not None and rescale.intercept is not None)


SMALLEST_SLOPE, LARGEST_RESCALE = 1e-25, 1e25
"""Beyond, the voxels' type could not hold what comes of it."""


def _is_broken(rescale: Rescale) -> bool:
    slope, intercept = rescale.slope, rescale.intercept
    one_alone = (slope is None) != (intercept is None)
    is_absurd = slope is not None and not SMALLEST_SLOPE < abs(slope) < LARGEST_RESCALE
    return one_alone or is_absurd or (intercept is not None and not abs(intercept) < LARGEST_RESCALE)


def is_plane(frame: Frame) -> bool:
    """Whether the frame is a picture by itself, not a slice: by its class, and by whether it has a place."""
    class_uid = frame.instance.sop_class_uid
    if class_uid in STACKS:
        return False
    if class_uid in PLANES:
        return class_uid not in _MAY_BE_TOMOGRAPHIC or frame.position_mm is None or frame.orientation is None
    return _is_bare_picture(frame)


def _is_bare_picture(frame: Frame) -> bool:
    """Whether a frame of an unknown class is a colour picture without a place: nothing of it could be misread."""
    is_placed = frame.position_mm is not None or frame.orientation is not None
    return frame.instance.format.samples == 3 and not frame.modality and not is_placed


def _is_other_kind(frame: Frame) -> bool:
    class_uid = frame.instance.sop_class_uid
    if class_uid in MODALITY_OF_CLASS:
        return MODALITY_OF_CLASS[class_uid] != frame.modality
    if class_uid:
        return class_uid not in STACKS | PLANES and not _is_bare_picture(frame)
    return frame.modality not in MODALITY_OF_CLASS.values()


def _has_odd_colours(frame: Frame) -> bool:
    form = frame.instance.format
    if form.samples == 1:
        return not form.photometric.startswith("MONOCHROME") and form.photometric != "PALETTE COLOR"
    if form.samples != 3 or form.is_signed or form.photometric not in TRUE_COLOURS:
        return True
    is_coded = frame.instance.transfer_syntax not in UNCOMPRESSED
    if form.photometric in ("YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420"):
        return not is_coded
    return form.photometric in HALVED and form.columns % 2 == 1 and not is_coded


def _has_odd_bits(frame: Frame) -> bool:
    form, pixels = frame.instance.format, frame.instance.pixels
    if form.rows < 1 or form.columns < 1:
        return True
    if pixels is not None and pixels.tag in _FLOAT_BITS:
        return form.bits_allocated != _FLOAT_BITS[pixels.tag] or form.samples != 1
    if form.bits_allocated not in (1, 8, 16, 32) or (form.bits_allocated == 1 and form.samples != 1):
        return True
    return not 0 < form.bits_stored <= form.high_bit + 1 <= form.bits_allocated


def _is_elsewhere(frame: Frame) -> bool:
    return frame.instance.transfer_syntax in _REFERENCED


def _has_odd_syntax(frame: Frame) -> bool:
    return frame.instance.transfer_syntax not in _SYNTAXES


_SYNTAXES = UNCOMPRESSED | DECODERS.keys()
_REFERENCED = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in ("94", "95", "204", "205"))
_UNSUPPORTED: tuple[tuple[Callable[[Frame], bool], str], ...] = (
    (_is_other_kind, "Images of this class, or of a modality that its class does not have, are not read."),
    (_has_odd_colours, "Images of this Photometric Interpretation, with these samples, are not read."),
    (_has_odd_bits, "Images with this number of bits, rows or columns are not read."),
    (_is_elsewhere, "The pixels lie on a server (transfer syntax JPIP Referenced), not in the file."),
    (_has_odd_syntax, "Images in this transfer syntax are not read."),
)


EXPANDED_BYTES, EXPANSION = 16 << 20, 1000
"""Compressed pixels may be so many bytes, and so many for each byte of the file; what says more claims memory only."""
_LEAST_BYTES = 16
"""Of encapsulated pixel data: two items."""


def _pixels_of(instance: Instance) -> Hashable:
    """All that tells whether the pixels of an instance are whole."""
    pixels = instance.pixels
    if pixels is None:
        return None
    return (
        instance.transfer_syntax,
        id(instance.format),
        pixels.length,
        instance.file_size - pixels.offset,
        pixels.reach and pixels.reach - pixels.offset,
        pixels.has_stray_tail,
    )


def _is_cut(instance: Instance) -> bool:
    """Whether the file ends, or the element does, before the last pixel."""
    pixels = instance.pixels
    if pixels is None:
        return False
    claimed, left = instance.format.pixel_bytes, instance.file_size - pixels.offset
    is_deflated = instance.transfer_syntax == DEFLATED
    if 0 <= pixels.length < claimed or pixels.reach > instance.file_size:
        return True
    if instance.transfer_syntax in UNCOMPRESSED and not is_deflated:
        return left < claimed
    return claimed > EXPANDED_BYTES + EXPANSION * instance.file_size or (left < _LEAST_BYTES and not is_deflated)


def _is_too_long(instance: Instance) -> bool:
    pixels = instance.pixels
    if pixels is None or pixels.has_stray_tail:
        return pixels is not None
    is_longer = pixels.length > instance.format.pixel_bytes + 1
    return is_longer and instance.transfer_syntax in UNCOMPRESSED


_NO_PREAMBLE = "file has no preamble and meta header", "files have no preamble and meta header"
_IRREGULAR = "header breaks the rules of its encoding", "headers break the rules of their encoding"
_FORM_FAULTS: tuple[tuple[str, tuple[str, str], Callable[[Instance], bool]], ...] = (
    ("NO_PREAMBLE", _NO_PREAMBLE, lambda instance: not instance.has_meta),
    ("HEADER_IRREGULAR", _IRREGULAR, lambda instance: instance.is_irregular),
)
_PIXEL_FAULTS: tuple[tuple[str, str, Callable[[Instance], bool]], ...] = (
    ("PIXELS_MISSING", "there are no pixel data.", lambda instance: instance.pixels is None),
    ("PIXELS_TRUNCATED", "the pixel data end too early.", _is_cut),
    ("PIXELS_SURPLUS", "the pixel data are longer than rows and columns say.", _is_too_long),
)
