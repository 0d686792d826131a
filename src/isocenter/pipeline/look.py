"""One image from any path, and pictures of it: what ``isocenter show``, ``convert`` and ``info`` share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from isocenter import codes, formats
from isocenter.dicom.annotations.objects import FoundObject, referenced_series
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.reading.pixels import Gaps, Quantity, read
from isocenter.dicom.scan import Scan, scan
from isocenter.dicom.sorting.series import Series
from isocenter.disk import replacing
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid
from isocenter.nets.by_name import segment
from isocenter.ops.resample import onto
from isocenter.pipeline.case import is_image_file, scanned, with_images
from isocenter.pipeline.choose import only
from isocenter.pipeline.folder import writable
from isocenter.reasons import merge
from isocenter.report import figures
from isocenter.report.figure import Figure
from isocenter.report.planes import preset
from isocenter.volume import Volume

_NO_DICOM = "a file that is not DICOM"
_SEGMENTERS = "`isocenter segmenters` lists what there is"
_MOST_LABELS = 255  # more are values of an image; FreeSurfer's parcellations have some 190


@dataclass(frozen=True, slots=True)
class Taken:
    """The series that was taken of a scan.

    Parameters
    ----------
    series
        The series.
    others
        How many other volumes there were.
    held
        How many of these are held or rejected.
    """

    series: Series
    others: int
    held: int


def volume(
    path: Path, series: str = "best", *, values: Quantity = "native", gaps: Gaps = "hold"
) -> tuple[Volume, Taken | None]:
    """The volume of a file that is not DICOM, or of one series of a folder.

    Parameters
    ----------
    path
        Folder, file or zip file of DICOM, or a NIfTI or NRRD file.
    series
        As for :func:`isocenter.pipeline.choose.only`.
    values, gaps
        As for :func:`isocenter.dicom.reading.pixels.read`.

    Returns
    -------
    The volume, and the series that it is of; None for a file that is not DICOM.

    Raises
    ------
    UsageError
        If there is no image, or no such series; or if an option cannot apply to what is there.
    Refused
        If the series is held or rejected.
    """
    if is_image_file(path):
        _refuse_for_file(series, values, gaps)
        return formats.load(path), None
    return _read(scanned(path), series, values=values, gaps=gaps)


def image(
    path: Path, series: str = "best", *, values: Quantity = "native", gaps: Gaps = "hold", on: Path | None = None
) -> tuple[Volume | Segmentation, Taken | None]:
    """The volume of a path, as of :func:`volume`; or the stored segmentation where it holds no image or names segments.

    Parameters
    ----------
    path, series, values, gaps
        As for :func:`volume`.
    on
        The path of the image whose grid a segmentation is brought onto, to which ``series`` and ``gaps`` apply then: by
        default the series that it names as its source. An RT Structure Set has no grid of its own.

    Returns
    -------
    The image, and the series that it is of or was brought onto, if it is one.

    Raises
    ------
    UsageError
        As :func:`volume`; or if the path holds several segmentations, or an RT Structure Set comes without a grid.
    Refused
        If the series is held or rejected, or no right segmentation can be made.
    """
    unfit = {"--on": on is not None}
    if is_image_file(path):
        _refuse(unfit, _NO_DICOM)
        _refuse_for_file(series, values, gaps)
        return formats.load_as_is(path), None
    found = scan(path)
    if found or not found.findings:
        _refuse(unfit, "an image: it is for a stored segmentation or RT Structure Set")
        return _read(with_images(found, path), series, values=values, gaps=gaps)
    if len(found.findings) > 1:
        names = ", ".join(one.path for one in found.findings[:5])
        raise UsageError(f"{path} holds {len(found.findings)} segmentations or RT Structure Sets; name one: {names}.")
    (stored,) = found.findings
    _refuse({"--values": values != "native"}, f"a {stored.kind}")
    if on is None:
        _refuse({"--series": series != "best", "--gaps": gaps != "hold"}, f"a {stored.kind} without --on")
        return read_segmentation(stored), None
    below, taken = under(stored, on, series, gaps=gaps)
    found_there = stored_on(stored, below.grid)
    return replace(found_there, reasons=merge(below.reasons, found_there.reasons)), taken


def segmented(
    path: Path, segmenter: str = "", series: str = "best", *, gaps: Gaps = "hold"
) -> tuple[Segmentation, Taken | None]:
    """What a segmenter finds in the image of a path; without one the stored segmentation or label map at the path.

    Raises
    ------
    UsageError
        As :func:`image`; or if the path holds an image and no segmenter is named, or a segmentation and one is.
    """
    if not segmenter and is_image_file(path):
        _refuse_for_file(series, "native", gaps)
        hint = f"Of an image, say by --segment what to find in it ({_SEGMENTERS})."
        try:
            labels = formats.load_segmentation(path)
        except InputError as error:
            raise UsageError(f"{error} {hint}") from error
        if len(labels.segments) > _MOST_LABELS:
            raise UsageError(f"The file holds {len(labels.segments)} values and looks like an image. {hint}")
        return labels, None
    found, taken = image(path, series, gaps=gaps)
    if isinstance(found, Segmentation):
        _refuse({"--segment": bool(segmenter)}, "a stored segmentation, which is taken as it is")
        return found, taken
    if not segmenter:
        raise UsageError(
            f"This is an image: say by --segment what to find in it ({_SEGMENTERS}), or name the file of a stored "
            "segmentation alone."
        )
    return segment(found, segmenter), taken


def stored_on(stored: FoundObject, grid: Grid) -> Segmentation:
    """A stored segmentation or RT Structure Set on a grid."""
    try:
        return read_segmentation(stored, grid=grid)
    except UsageError:  # its frames lie beside the voxels of the grid
        return onto(read_segmentation(stored), grid)


def under(
    stored: FoundObject, on: Path, series: str = "best", *, values: Quantity = "native", gaps: Gaps = "hold"
) -> tuple[Volume, Taken | None]:
    """The image that a stored segmentation is brought onto: by default of the series that it names as its source."""
    if is_image_file(on):
        return volume(on, series, values=values, gaps=gaps)
    found = scanned(on)
    if series == "best":
        named = referenced_series(stored)
        series = next((one.series_uid for one in found if one.series_uid in named), series)
    return _read(found, series, values=values, gaps=gaps)


def _read(found: Scan, wanted: str, *, values: Quantity, gaps: Gaps) -> tuple[Volume, Taken]:
    series = only(found, wanted)
    if series.modality != "PT":
        _refuse({"--values": values != "native"}, f"{series.name}: it is for PET")
    frames = {id(frame) for frame in series.frames}
    others = [one for one in found if id(one.frames[0]) not in frames]
    taken = Taken(series, len(others), sum(not one.verdict.usable for one in others))
    return read(series, values=values, gaps=gaps), taken


def _refuse_for_file(series: str, values: Quantity, gaps: Gaps) -> None:
    """Refuse what chooses or reads series of DICOM, for a file that is none."""
    _refuse({"--series": series != "best", "--values": values != "native", "--gaps": gaps != "hold"}, _NO_DICOM)


def _refuse(options: Mapping[str, bool], what: str) -> None:
    """Refuse options that were given and do not apply."""
    given = " and ".join(name for name, is_given in options.items() if is_given)
    if given:
        raise UsageError(f"{given} cannot apply to {what}.")


def pictures(volume: Volume, *, segmenter: str = "", window: str = "") -> tuple[Figure, ...]:
    """Pictures of a volume, and of what a segmenter finds in it if one is named; else of a CT its bones in 3D.

    Raises
    ------
    UsageError
        If there is no such segmenter or window, or the window is for CT and the volume is not in HU.
    Refused
        If the segmenter does not take the volume.
    """
    if window and volume.unit != codes.HU:
        raise UsageError(f"The window {window!r} is for CT in HU; this image is in {volume.unit.value!r}.")
    chosen = preset(window) if window else None
    if not segmenter:
        return *figures.draw_volume(volume, window=chosen), *_bones(volume)
    return figures.draw(volume, segment(volume, segmenter), window=chosen)


def _bones(volume: Volume) -> Iterator[Figure]:
    if volume.unit == codes.HU:
        solid = figures.surface(segment(volume, "bone"))
        if solid is not None:
            yield solid


def write(pictures: Iterable[Figure], folder: Path) -> tuple[Path, ...]:
    """Write pictures as PNG files into a folder, named after the figures."""
    writable(folder)
    paths = []
    for figure in pictures:
        path = folder / f"{figure.name}.png"
        with replacing(path) as temporary:
            temporary.write_bytes(figure.png)
        paths.append(path)
    return tuple(paths)
