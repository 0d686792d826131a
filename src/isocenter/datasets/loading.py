"""One case from disk into memory: its images on one grid, and its labels on the same, or why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isocenter import codes, formats
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.members import on_disk
from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.formats.files import ENDINGS
from isocenter.geometry import Grid, Space
from isocenter.ops.counts import Counts, is_countable
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

_EXACT_MM = 1e-3
_ROUNDING = 0.1  # of a voxel
_MODALITIES = {
    "ct": "CT",
    "pet": "PT",
    "pt": "PT",
    **dict.fromkeys(("mr", "mri", "flair", "adc", "dwi", "swi", "bold"), "MR"),
    **dict.fromkeys(("t1", "t1w", "t1c", "t1ce", "t1gd", "t2", "t2w", "t2f", "pd", "pdw"), "MR"),
}


@dataclass(frozen=True)
class Loaded:
    """A case in memory.

    Parameters
    ----------
    case
        Which one.
    images
        One volume for each channel, all on the same grid.
    segmentation
        Its labels on that grid: labels 1, 2, ... in the order of the data set's labels; None without any.
    category
        What it shows as a whole; empty where nothing is said.
    reasons
        What was repaired or guessed.
    """

    case: Case
    images: tuple[Volume, ...]
    segmentation: Segmentation | None
    category: str
    reasons: tuple[Reason, ...]


def modality_of(channel: str) -> str:
    """DICOM modality that the name of a channel states, such as CT; empty if it states none."""
    return _MODALITIES.get(channel.lower().replace("-", "_").split("_")[0], "")


def load_case(case: Case, dataset: Dataset) -> Loaded:
    """Read a case.

    Parameters
    ----------
    case
        The case.
    dataset
        The data set that it is of, which names channels and labels.

    Raises
    ------
    Refused
        If it must not be learned from: a file is damaged (``CASE_DAMAGED``), channels lie apart (``CHANNELS_APART``),
        an image holds NaN or infinity (``NOT_A_NUMBER``); labels lie elsewhere (``LABEL_ELSEWHERE``), are no whole
        numbers (``LABEL_NOT_WHOLE``) or not those of the data set (``LABEL_UNKNOWN``, ``LABEL_NAMED_OTHERWISE``). The
        reasons name the case.
    """
    loaded = load_images(case, dataset)
    images, reasons = loaded.images, loaded.reasons
    if case.label is None:
        return loaded
    with _damage(case, "label"):
        segmentation = _labels(case, case.label, dataset, images[0])
    return Loaded(case, images, segmentation, case.category, merge(reasons, segmentation.reasons))


def load_images(case: Case, dataset: Dataset) -> Loaded:
    """Read the images of a case, and leave its labels alone.

    Raises
    ------
    Refused
        As :func:`load_case`.
    """
    with _damage(case, "image"):
        images = _images(case, dataset)
    _expect_numbers(case, images)
    images, rounded = _together(case, images)
    reasons = merge(*(image.reasons for image in images), rounded)
    return Loaded(case, images, None, case.category, reasons)


@contextmanager
def _damage(case: Case, what: str) -> Iterator[None]:
    """Turn what a damaged or missing file raises into a refusal of the case."""
    try:
        yield
    except (InputError, UsageError, OSError) as error:
        why = error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
        raise _refused("CASE_DAMAGED", case, f"The {what} of the case {case.id} cannot be read: {why}") from error


def _refused(code: str, case: Case, message: str) -> Refused:
    return Refused([Reason(code, message, (case.id,))])


# --- images -----------------------------------------------------------------------------------------------------------


def _images(case: Case, dataset: Dataset) -> tuple[Volume, ...]:
    """One volume for each channel."""
    count = len(dataset.channels)
    names = dataset.channels if len(case.images) == count else ("",) * len(case.images)
    series = case.series or ("",) * len(case.images)
    found = tuple(
        _image(path, uid, modality_of(name)) for path, uid, name in zip(case.images, series, names, strict=True)
    )
    if len(found) == 1 and count > 1 and found[0].axes and found[0].shape[-1] == count:
        (whole,) = found
        return tuple(
            replace(
                whole, array=np.ascontiguousarray(whole.array[..., channel]), axes=whole.axes[:-1], time_step_s=None
            )
            for channel in range(count)
        )
    if len(found) != count:
        raise InputError(f"It has {len(found)} images, the data set {count} channels ({', '.join(dataset.channels)}).")
    further = [one.axes for one in found if one.axes not in ((), ("color",))]
    if further:
        raise InputError(f"It has a further axis ({', '.join(further[0])}): a network sees one image at a time.")
    return found


def _image(path: Path, series_uid: str, modality: str) -> Volume:
    with on_disk(path) as file:
        if file.name.lower().endswith(ENDINGS):
            unit = codes.HU if modality == "CT" else codes.ONE if modality else None
            return formats.load(file, unit=unit, modality=modality)
        return _dicom_image(file, series_uid)


def _dicom_image(path: Path, series_uid: str) -> Volume:
    from isocenter.dicom.reading.pixels import read
    from isocenter.dicom.scan import scan

    found = [one for one in scan(path) if series_uid in ("", one.series_uid)]
    if len(found) != 1:
        raise InputError(f"There are {len(found)} series of DICOM where one was looked for.")
    return read(found[0])


def _expect_numbers(case: Case, images: Sequence[Volume]) -> None:
    for image in images:
        if image.array.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in image.array):
            text = f"The image of the case {case.id} holds values that are no finite numbers."
            raise _refused("NOT_A_NUMBER", case, text)


def _together(case: Case, images: tuple[Volume, ...]) -> tuple[tuple[Volume, ...], tuple[Reason, ...]]:
    """The images on the grid of the first, if they lie on it but for rounding."""
    first, *others = images
    for image in others:
        if distance_voxels(first.grid, image.grid) > _ROUNDING:
            text = f"The channels of the case {case.id} lie on different grids: {first.grid} and {image.grid}."
            raise _refused("CHANNELS_APART", case, text)
    if all(first.grid.coincides(image.grid, _EXACT_MM) for image in others):
        return images, ()
    text = f"The channels of the case {case.id} lie less than a tenth of a voxel apart; they were taken as one grid."
    return (first, *(replace(one, grid=first.grid) for one in others)), (Reason("HEADERS_ROUNDED", text, (case.id,)),)


def distance_voxels(grid: Grid, other: Grid) -> float:
    """How far a voxel lies from the same voxel of another grid at most, in voxels of the grid; infinity if it is none.

    Between images of unknown place (pictures) the shape alone counts.
    """
    if grid.shape != other.shape or grid.space != other.space or not grid.may_share_frame(other):
        return np.inf
    if grid.space is Space.PIXEL:
        return 0.0
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij")).reshape(3, -1).T
    return float(np.abs(grid.to_index(other.to_world(corners)) - corners).max())


# --- labels -----------------------------------------------------------------------------------------------------------


def _labels(case: Case, path: Path, dataset: Dataset, image: Volume) -> Segmentation:
    """The labels of a case on the grid of its image, numbered in the order of the data set's labels."""
    if path.name.lower().endswith(ENDINGS):
        array, reasons = _of_file(case, path, dataset, image)
    else:
        array, reasons = _of_objects(case, path, dataset, image)
    segments = [Segment.named(name, number) for number, name in enumerate(dataset.labels, 1)]
    if not array.any():
        reasons = (*reasons, Reason("LABEL_EMPTY", f"The labels of the case {case.id} hold nothing.", (case.id,)))
    return Segmentation.of(array, replace(image, reasons=reasons), segments, Algorithm("labels of a data set", ""))


def _of_file(case: Case, path: Path, dataset: Dataset, image: Volume) -> tuple[Array, tuple[Reason, ...]]:
    with on_disk(path) as file:
        stored = formats.load_as_is(file)
    named = {one.label: one.name for one in stored.segments} if isinstance(stored, Segmentation) else {}
    reasons = _expect_place(case, image.grid, stored.grid)
    if isinstance(stored, Segmentation) and len(stored.layers) > 1:
        return _by_name(case, dataset, [stored], image.grid, reasons)
    values = stored.array
    if (isinstance(stored, Volume) and stored.axes) or not is_label_map(values):
        text = f"The label file of the case {case.id} holds values that are no whole numbers from 0 to 65535."
        raise _refused("LABEL_NOT_WHOLE", case, text)
    whole = _countable(values)
    listed = {value: name for name, value in dataset.labels.items()}
    present = labels_in(whole)
    strange = [value for value in present if value not in listed]
    if strange:
        text = f"The labels of the case {case.id} hold {strange[:8]}; the data set lists {list(listed)[:20]}."
        raise _refused("LABEL_UNKNOWN", case, text)
    for value in present:
        if named.get(value, listed[value]) != listed[value] and named[value] in dataset.labels:
            text = f"The label file of the case {case.id} calls {value} {named[value]!r}, the set {listed[value]!r}."
            raise _refused("LABEL_NAMED_OTHERWISE", case, text)
    table = np.zeros(max([0, *listed]) + 1, np.uint8 if len(listed) < 256 else np.uint16)
    table[list(listed)] = np.arange(1, len(listed) + 1)
    return table[whole], reasons


def is_label_map(values: Array) -> bool:
    """Whether all values are whole numbers from 0 to 65535."""
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and np.array_equal(values, np.rint(values))):
            return False
    elif values.dtype.kind not in "ui":
        return False
    return bool(values.min() >= 0 and values.max() < 2**16)


def labels_in(values: Array) -> tuple[int, ...]:
    """The numbers above 0 in a label map, ascending."""
    return tuple(int(value) for value in Counts.of(_countable(values).reshape(-1)).values if value)


def _countable(values: Array) -> Array:
    return values if is_countable(values) else values.astype(np.uint16)


def _expect_place(case: Case, grid: Grid, labels: Grid) -> tuple[Reason, ...]:
    """Refuse labels that do not lie on the voxels of the image; say where rounding was overlooked."""
    distance = distance_voxels(grid, labels)
    if distance > _ROUNDING:
        text = f"The labels of the case {case.id} lie on {labels}, its image on {grid}."
        raise _refused("LABEL_ELSEWHERE", case, text)
    if grid.coincides(labels, _EXACT_MM):
        return ()
    text = f"The labels of the case {case.id} lie {distance:.2g} voxels beside those of its image."
    return (Reason("HEADERS_ROUNDED", text, (case.id,)),)


def _of_objects(case: Case, path: Path, dataset: Dataset, image: Volume) -> tuple[Array, tuple[Reason, ...]]:
    """Labels of stored DICOM objects: of one file, or of all in a folder that name the series of the image."""
    from isocenter.dicom.annotations.objects import referenced_series
    from isocenter.dicom.annotations.segmentation import read_segmentation
    from isocenter.dicom.scan import scan

    uid = case.series[0] if case.series else ""
    found = [one for one in scan(path).findings if path.is_file() or uid in ("", *referenced_series(one))]
    if not found:
        raise InputError("There is no DICOM Segmentation or RT Structure Set of this image.")
    read: list[Segmentation] = []
    for one in found:
        try:
            read.append(read_segmentation(one, grid=image.grid))
        except UsageError as error:
            text = f"A stored segmentation of the case {case.id} lies beside the voxels of its image: {error}"
            raise _refused("LABEL_ELSEWHERE", case, text) from error
    return _by_name(case, dataset, read, image.grid, merge(*(one.reasons for one in read)))


def _by_name(
    case: Case, dataset: Dataset, found: Sequence[Segmentation], grid: Grid, reasons: Sequence[Reason]
) -> tuple[Array, tuple[Reason, ...]]:
    """One label map of segments by their names; the later in the order of the labels lies on the earlier."""
    strange = {one for part in found for one in part.names} - set(dataset.labels)
    if strange:
        text = f"The labels of the case {case.id} hold {sorted(strange)[:8]}; the data set lists others."
        raise _refused("LABEL_UNKNOWN", case, text)
    array = np.zeros(grid.shape, np.uint8 if len(dataset.labels) < 256 else np.uint16)
    shared = 0
    for number, name in enumerate(dataset.labels, 1):
        for part in found:
            if name in part.names:
                mask = part.mask(name)
                shared += int(np.count_nonzero(mask & (array > 0) & (array != number)))
                array[mask] = number
    if not shared:
        return array, tuple(reasons)
    text = f"Structures of the case {case.id} share {shared} voxels; each was given to the later in the list."
    return array, (*reasons, Reason("LABELS_OVERLAP", text, (case.id,)))
