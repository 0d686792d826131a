"""One picture of a volume as it is asked for; and the surfaces of a segmentation, as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.mesh import Mesh
from isocenter.nets.by_name import segment
from isocenter.ops import surfaces
from isocenter.ops.slabs import How, slab
from isocenter.report import pictures
from isocenter.report.figure import Figure
from isocenter.report.pictures.views import PlaneName
from isocenter.volume import Volume


@dataclass(frozen=True, slots=True)
class View:
    """What is to be drawn.

    Parameters
    ----------
    plane
        One plane; None for all three.
    at_mm
        Where, across that plane; by default in the middle.
    count
        So many sections of the plane, evenly spread, if more than one.
    window
        Name of a window for CT; empty for the one that the image asks for.
    fill
        How thick segments are filled with their colour.
    """

    plane: PlaneName | None = None
    at_mm: float | None = None
    count: int = 1
    window: str = ""
    fill: float = 0.0


def picture(
    volume: Volume, view: View, *, segmenter: str = "", thickness_mm: float | None = None, how: How | None = None
) -> Figure:
    """The picture of a volume, or of slabs of it, with the outlines of what a segmenter finds.

    Raises
    ------
    UsageError
        If an option is none of the image, or needs a plane that was not named.
    Refused
        If the segmenter does not take the volume.
    """
    if view.plane is None and (view.at_mm is not None or view.count != 1 or how or thickness_mm is not None):
        raise UsageError("--at, --count, --slab and --how are of one plane: name it by --plane.")
    if view.at_mm is not None and view.count != 1:
        raise UsageError("--at shows one section and --count many: give one of the two.")
    found = segment(volume, segmenter) if segmenter else None
    window = view.window or None
    if view.plane is None:
        return pictures.planes(volume, found, window=window, fill=view.fill)
    if how or thickness_mm is not None:
        if found is not None and thickness_mm is None:
            raise UsageError("A slab of the whole image has no outlines: state its thickness by --slab.")
        volume = slab(volume, view.plane, thickness_mm=thickness_mm, how=how or "max")
    if view.count != 1:
        return pictures.mosaic(volume, found, plane=view.plane, count=view.count, window=window, fill=view.fill)
    return pictures.section(volume, found, plane=view.plane, at_mm=view.at_mm, window=window, fill=view.fill)


def write_surfaces(found: Segmentation, path: Path, *, rounds: int, share: float) -> tuple[Mesh, ...]:
    """Write the surface of each segment, smoothed in so many rounds and reduced to a share of its triangles.

    A ``.glb`` or ``.obj`` file holds all of them; of an ``.stl`` or ``.mz3`` file they make one mesh.

    Raises
    ------
    InputError
        If no segment has a voxel.
    """
    one = path.suffix.lower() in (".stl", ".mz3")
    rough = (surfaces.mesh(found),) if one else surfaces.meshes(found)
    if not rough:
        raise InputError("No segment has a voxel, so there is no surface.")
    made = tuple(surfaces.decimated(surfaces.smoothed(mesh, rounds), share) for mesh in rough)
    surfaces.save(made, path)
    return made
