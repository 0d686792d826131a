"""Slices: one, three through a point, or many, with segments as outlines or filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isocenter import windows
from isocenter.errors import UsageError
from isocenter.findings import Segmentation
from isocenter.report import canvas
from isocenter.report.annotation import Notes, annotated
from isocenter.report.figure import Figure, Picture
from isocenter.report.pictures.views import PlaneName, index_at, middle, plane_of, seen
from isocenter.report.planes import NORMAL_AXIS, Plane
from isocenter.report.sections import Scene, notes_of, sheet
from isocenter.report.sections import section as painted
from isocenter.report.stills import place_shown
from isocenter.volume import Volume

_ROOM_PX = 720
_PLANE_PX = 560
_PLANE_TEXT_PX = 22
_PLANE_LEAST_PX = 460  # columns, for the text at both sides
_LINE_PX = 2.5
_GAP = 6
_LEAST_SECTIONS = 3  # fewer make no picture across them


def section(
    image: Volume | Segmentation,
    segmentation: Segmentation | None = None,
    *,
    plane: PlaneName = "axial",
    at_mm: float | None = None,
    window: windows.Window | str | None = None,
    fill: float = 0.0,
) -> Figure:
    """One section of an image, with segments on it.

    Parameters
    ----------
    image
        A volume on any grid (of a further axis such as time the middle place is shown), or a segmentation alone.
    segmentation
        Segments on the grid of the volume.
    plane
        The plane; of an oblique image that of its own planes which is nearest to it.
    at_mm
        Where, across the plane: z of an axial, y of a coronal, x of a sagittal section in LPS. By default the middle
        of the segments, or of the image.
    window
        A :class:`isocenter.Window`, or for CT the name of one. By default for CT lung or soft tissue, by what it holds;
        for PET in SUV 0 to 10; else a range of percentiles. It is written on the picture.
    fill
        How thick segments are filled with their colour, from 0 (outlines) to 1.

    Raises
    ------
    UsageError
        If the plane, the place or the window is none of this image, or the segmentation lies on another grid.
    """
    shown = seen(image, segmentation, plane_of(plane), window=window, fill=fill)
    index = middle(shown) if at_mm is None else index_at(shown.image, at_mm)
    picture, px_per_mm = painted(shown, index, (_ROOM_PX, _ROOM_PX), line_px=_LINE_PX)
    return Figure(
        name=f"{shown.image.plane}_{index + 1}",
        title=f"{shown.image.kind.capitalize()}, {shown.image.number(index)}",
        caption=_caption(image, shown, shown.image.position(index)),
        image=annotated(picture, shown.image, px_per_mm, _noted(image, shown, index)),
    )


def planes(
    image: Volume | Segmentation,
    segmentation: Segmentation | None = None,
    *,
    at_mm: Sequence[float] | None = None,
    window: windows.Window | str | None = None,
    fill: float = 0.0,
) -> Figure:
    """Axial, coronal and sagittal section through one point, side by side at one scale.

    Planes across fewer than three sections are left out, and all but the first where the place in the patient is
    unknown.

    Parameters
    ----------
    image, segmentation, window, fill
        As for :func:`section`.
    at_mm
        The point (x, y, z) in LPS; by default the middle of the segments, or of the image.
    """
    if at_mm is not None and np.shape(at_mm) != (3,):
        raise UsageError(f"A point is three coordinates (x, y, z) in millimetres, not {at_mm!r}.")
    first = seen(image, segmentation, Plane.AXIAL, window=window, fill=fill)
    others = (Plane.CORONAL, Plane.SAGITTAL)
    scenes = [first, *(seen(image, segmentation, plane, window=first.window, fill=fill) for plane in others)]
    scenes = [s for s in scenes if s.image.plane is Plane.AXIAL or _is_worth_it(s)]
    scale = _PLANE_PX / max(size for s in scenes for size in s.image.size_mm)
    pictures, places = [], []
    for shown in scenes:
        at = None if at_mm is None else float(at_mm[NORMAL_AXIS[shown.image.plane]])
        index = middle(shown) if at is None else index_at(shown.image, at)
        room = (max(1, round(shown.image.size_mm[0] * scale)), max(1, round(shown.image.size_mm[1] * scale)))
        picture, px_per_mm = painted(shown, index, room, line_px=_LINE_PX)
        notes = _noted(image, shown, index)
        pictures.append(
            annotated(picture, shown.image, px_per_mm, notes, size=_PLANE_TEXT_PX, least_px=_PLANE_LEAST_PX)
        )
        places.append(shown.image.position(index))
    return Figure(
        name="planes",
        title=", ".join(shown.image.kind for shown in scenes).capitalize(),
        caption=_caption(image, scenes[0], ", ".join(place for place in places if place)),
        image=_beside(pictures),
    )


def mosaic(
    image: Volume | Segmentation,
    segmentation: Segmentation | None = None,
    *,
    plane: PlaneName = "axial",
    count: int = 20,
    window: windows.Window | str | None = None,
    fill: float = 0.0,
) -> Figure:
    """Sections of a plane evenly spread over an image, in rows of five.

    Parameters
    ----------
    image, segmentation, plane, window, fill
        As for :func:`section`.
    count
        How many, at most.
    """
    if not isinstance(count, int) or count < 1:
        raise UsageError(f"A mosaic shows a whole number of sections, 1 or more, not {count!r}.")
    shown = seen(image, segmentation, plane_of(plane), window=window, fill=fill)
    found = sheet(shown, len(shown.image), f"Mosaic, {shown.image.kind}", count=count)
    return replace(found, name="mosaic", caption=" ".join([found.caption.strip(), *_remarks(image)]))


def _is_worth_it(shown: Scene) -> bool:
    return shown.image.is_placed and min(shown.image.grid.shape) >= _LEAST_SECTIONS


def _beside(pictures: Sequence[Picture]) -> Picture:
    rows = max(picture.shape[0] for picture in pictures)
    gap = np.zeros((rows, _GAP, 3), np.uint8)
    framed = [canvas.framed(picture, (rows, 0)) for picture in pictures]
    return np.concatenate([part for picture in framed for part in (picture, gap)][:-1], axis=1)


def _noted(image: Volume | Segmentation, shown: Scene, index: int) -> Notes:
    notes = notes_of(shown, index)
    return replace(notes, foot=(*(remark.rstrip(".") for remark in _remarks(image)), *notes.foot))


def _remarks(image: Volume | Segmentation) -> list[str]:
    """What a picture has to say of its image: which place of a further axis, over which thickness."""
    if isinstance(image, Segmentation):
        return []
    place = place_shown(image)
    made = [reason.message for reason in image.reasons if reason.code == "PROJECTED"]
    return [*([f"{place.capitalize()}."] if place else []), *made]


def _caption(image: Volume | Segmentation, shown: Scene, places: str) -> str:
    window = f"Window: {shown.window}." if shown.window else ""
    sheared = (
        "The slices are sheared against each other; they are drawn as they are." if shown.image.grid.is_sheared else ""
    )
    place = f"{places}." if places else "Place in the patient unknown."
    return " ".join(part for part in (place, window, *_remarks(image), sheared) if part)
