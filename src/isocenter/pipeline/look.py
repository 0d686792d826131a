"""One image from any path, and pictures of it: what ``isocenter show``, ``convert`` and ``info`` share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from isocenter import codes, formats
from isocenter.dicom.annotations.objects import FoundObject, referenced_series
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.reading.pixels import Gaps, Quantity, read
from isocenter.dicom.scan import scan
from isocenter.disk import replacing
from isocenter.errors import UsageError
from isocenter.findings import Segmentation
from isocenter.ops import anatomy
from isocenter.ops.resample import onto
from isocenter.pipeline.case import is_image_file, scanned, with_images
from isocenter.pipeline.choose import only
from isocenter.pipeline.folder import writable
from isocenter.report import figures
from isocenter.report.figure import Figure
from isocenter.report.planes import preset
from isocenter.volume import Volume


def volume(path: Path, series: str = "best", *, values: Quantity = "native", gaps: Gaps = "hold") -> Volume:
    """The volume of a file that is not DICOM, or of one series of a folder.

    Parameters
    ----------
    path
        Folder, file or zip file of DICOM, or a NIfTI or NRRD file.
    series
        As for :func:`isocenter.pipeline.choose.only`.
    values, gaps
        As for :func:`isocenter.dicom.reading.pixels.read`.

    Raises
    ------
    UsageError
        If there is no image, or no such series.
    Refused
        If the series is held or rejected.
    """
    if is_image_file(path):
        return formats.load(path)
    return read(only(scanned(path), series), values=values, gaps=gaps)


def image(
    path: Path, series: str = "best", *, values: Quantity = "native", gaps: Gaps = "hold", on: Path | None = None
) -> Volume | Segmentation:
    """The volume of a path, as of :func:`volume`; or, where it holds no image, the stored segmentation that it holds.

    Parameters
    ----------
    path, series, values, gaps
        As for :func:`volume`.
    on
        The path of the image whose grid a segmentation is brought onto, to which ``series`` and ``gaps`` apply then: by
        default the series that it names as its source. An RT Structure Set has no grid of its own.

    Raises
    ------
    UsageError
        As :func:`volume`; or if the path holds several segmentations, or an RT Structure Set comes without a grid.
    Refused
        If the series is held or rejected, or no right segmentation can be made.
    """
    if is_image_file(path):
        return formats.load(path)
    found = scan(path)
    if found or not found.findings:
        return read(only(with_images(found, path), series), values=values, gaps=gaps)
    if len(found.findings) > 1:
        names = ", ".join(one.path for one in found.findings[:5])
        raise UsageError(f"{path} holds {len(found.findings)} segmentations or RT Structure Sets; name one: {names}.")
    (stored,) = found.findings
    if on is None:
        return read_segmentation(stored)
    grid = volume(on, _of_its_own(stored, on) if series == "best" else series, gaps=gaps).grid
    try:
        return read_segmentation(stored, grid=grid)
    except UsageError:  # its frames lie beside the voxels of the grid
        return onto(read_segmentation(stored), grid)


def _of_its_own(stored: FoundObject, on: Path) -> str:
    """The series under a path that a stored segmentation names as its source; else the best."""
    if is_image_file(on):
        return "best"
    named = referenced_series(stored)
    return next((one.series_uid for one in scan(on) if one.series_uid in named), "best")


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
    return figures.draw(volume, anatomy.segment(volume, segmenter), window=chosen)


def _bones(volume: Volume) -> Iterator[Figure]:
    if volume.unit == codes.HU:
        solid = figures.surface(anatomy.segment(volume, "bone"))
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
