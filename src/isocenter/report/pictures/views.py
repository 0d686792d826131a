"""What a picture is to show: which plane, which section, through which window. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from isocenter import codes, windows
from isocenter.errors import UsageError, expect, expect_word
from isocenter.findings import Segmentation
from isocenter.ops.lattice import expect_one_grid, expect_real
from isocenter.report.planes import NORMAL_AXIS, Plane, Stack, Window, preset, unit_of, window_by_content
from isocenter.report.sections import Scene, scene
from isocenter.report.stills import still
from isocenter.volume import Volume

PlaneName = Literal["axial", "coronal", "sagittal"]
Asked = windows.Window | Window | str | None
"""A window, the name of one for CT, or None for the one that the image asks for."""

_SAMPLES = 96  # along each axis of a section, to see where the segments lie


def plane_of(name: str) -> Plane:
    """The plane of a name.

    Raises
    ------
    UsageError
        If there is none.
    """
    expect_word(name, PlaneName, "The plane")
    return Plane(name)


def window_for(volume: Volume, window: Asked) -> Window:
    """The window asked for, of a CT by its name, or the one that the image asks for.

    Raises
    ------
    UsageError
        If there is no window of that name, or the image is not in HU, which windows with names are for.
    """
    if window is None:
        return window_by_content(volume)
    if isinstance(window, Window):
        return window
    if isinstance(window, str):
        if volume.unit != codes.HU:
            raise UsageError(f"The window {window!r} is for CT in HU; this image is in {volume.unit.value!r}.")
        return preset(window)
    expect(window, windows.Window)
    return Window(window.center, window.width, window.name, unit_of(volume), window.function)


def seen(
    image: Volume | Segmentation,
    segmentation: Segmentation | None,
    plane: Plane,
    *,
    window: Asked = None,
    fill: float = 0.0,
) -> Scene:
    """An image and segments on its grid as seen in a plane; a segmentation alone stands on black, filled.

    Raises
    ------
    UsageError
        If this is no image, the segmentation lies on another grid, or ``fill`` is not from 0 to 1.
    """
    expect(image, Volume, Segmentation)
    if not 0 <= fill <= 1:
        raise UsageError(f"Segments are filled from 0 (an outline) to 1, not {fill!r}.")
    if isinstance(image, Segmentation):
        ground = np.broadcast_to(np.zeros((), np.uint8), (*image.grid.shape, 3))  # takes no memory
        return replace(scene(Volume(ground, image.grid, axes=("color",)), image, plane), fill=fill or 1.0)
    shown = still(image)
    expect_real(shown, "A picture")
    if shown.array.dtype == np.bool_:
        shown = shown.with_array(shown.array.view(np.uint8))
    if segmentation is not None:
        expect_one_grid(shown, segmentation)
    chosen = None if shown.axes else window_for(shown, window)
    return replace(scene(shown, segmentation, plane, window=chosen), fill=fill)


def index_at(stack: Stack, at_mm: float) -> int:
    """The section whose middle lies nearest to a coordinate across the plane (x, y or z in LPS).

    Raises
    ------
    UsageError
        If no section lies there, or it is not known where they lie.
    """
    if not stack.is_placed:
        raise UsageError("It is not known where these pictures lie in the patient: leave at_mm out.")
    axis = NORMAL_AXIS[stack.plane]
    ends = stack.grid.to_world([(k, (stack.grid.shape[1] - 1) / 2, (stack.grid.shape[2] - 1) / 2) for k in (0, 1)])
    step = ends[1, axis] - ends[0, axis]
    index = (at_mm - ends[0, axis]) / step
    if not -0.5 - 1e-6 <= index <= len(stack) - 0.5 + 1e-6:
        first, last = sorted((ends[0, axis], ends[0, axis] + step * (len(stack) - 1)))
        raise UsageError(
            f"No {stack.plane} section lies at {'xyz'[axis]} {at_mm:g} mm; they lie from {first:.1f} to {last:.1f} mm."
        )
    return int(np.clip(round(index), 0, len(stack) - 1))


def middle(shown: Scene) -> int:
    """The section before which half of all that the segments hold lies; without any the middle one."""
    counts = np.zeros(len(shown.image), np.int64)
    _, rows, columns = shown.image.grid.shape
    thin = (slice(None), slice(None, None, max(1, rows // _SAMPLES)), slice(None, None, max(1, columns // _SAMPLES)))
    for segment in shown.segments:
        counts += np.count_nonzero(shown.layers[segment.layer].array[thin] == segment.label, axis=(1, 2))
    if not counts.any():
        return len(shown.image) // 2
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
