"""Figures: all pictures of a report or of a volume alone, in their order. Each is drawn in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.findings import Segmentation
from isocenter.report.figure import Figure, Kind
from isocenter.report.histogram import histogram, volume_histogram
from isocenter.report.planes import Window
from isocenter.report.sections import contact_sheet, key_slices, volume_sheet
from isocenter.report.surface import surface
from isocenter.volume import Volume

__all__ = [
    "Figure",
    "Kind",
    "contact_sheet",
    "draw",
    "draw_volume",
    "histogram",
    "key_slices",
    "surface",
    "volume_histogram",
    "volume_sheet",
]


def draw(
    volume: Volume, segmentation: Segmentation, *, window: Window | None = None, labels: Sequence[str] = ()
) -> tuple[Figure, ...]:
    """All pictures of what was found in a volume: key slices, histogram, surface, contact sheet.

    Parameters
    ----------
    volume
        The image.
    segmentation
        Segments on its grid.
    window, labels
        As for :func:`isocenter.report.sections.key_slices`.
    """
    solid = surface(segmentation)
    solids = () if solid is None else (solid,)
    sections = key_slices(volume, segmentation, window=window, labels=labels)
    sheet = contact_sheet(volume, segmentation, window=window, labels=labels)
    return *sections, histogram(volume, segmentation), *solids, sheet


def draw_volume(volume: Volume, *, window: Window | None = None) -> tuple[Figure, ...]:
    """The pictures of a volume alone: contact sheet and histogram."""
    return volume_sheet(volume, window=window), volume_histogram(volume)
