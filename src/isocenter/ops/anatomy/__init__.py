"""Training-free segmenters of anatomy, by name.

Built-ins stand in a table as "module:function"; other packages add theirs by the entry point group
``isocenter.segmenters``, whose entries point to a :class:`SegmenterInfo`. Modules are loaded when first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, cast

from isocenter.errors import Refused, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.reasons import Reason
from isocenter.volume import Volume

GROUP = "isocenter.segmenters"
"""Entry point group of further segmenters."""

Segmenter = Callable[[Volume], Segmentation]


@dataclass(frozen=True, slots=True)
class SegmenterInfo:
    """What a segmenter is, without loading it.

    Parameters
    ----------
    name
        Name to call it by.
    title
        Name for people.
    description
        What it finds, and how.
    target
        Where it is: ``"package.module:function"``; the function takes a Volume and returns a Segmentation.
    segments
        Names of the segments it makes; a star stands for a number, where there may be any number of them.
    modalities
        DICOM modalities it takes; a volume of unknown modality is taken if its unit fits.
    unit
        Unit it takes (UCUM).
    """

    name: str
    title: str
    description: str
    target: str
    segments: tuple[str, ...]
    modalities: tuple[str, ...] = ("CT",)
    unit: str = "[hnsf'U]"

    def load(self) -> Segmenter:
        """The segmenter itself."""
        module, _, function = self.target.partition(":")
        return cast("Segmenter", getattr(importlib.import_module(module), function))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


_HERE = "isocenter.ops.anatomy"

BUILT_IN = (
    SegmenterInfo(
        "lungs",
        "Lungs and airways",
        "Right and left lung with their vessels and dense parts; trachea and main bronchi apart.",
        f"{_HERE}.lungs:segment_lungs",
        ("lung_right", "lung_left", "airways"),
    ),
    SegmenterInfo(
        "body",
        "Body",
        "Everything inside the skin, without table and clothes.",
        f"{_HERE}.tissues:segment_body",
        ("body",),
    ),
    SegmenterInfo(
        "airways",
        "Airways",
        "Trachea and bronchi, as far as they can be followed without leaking.",
        f"{_HERE}.tissues:segment_airways",
        ("airways",),
    ),
    SegmenterInfo(
        "bone",
        "Bone",
        "Bone with its marrow, by density; contrast medium that touches bone is not told apart.",
        f"{_HERE}.tissues:segment_bone",
        ("bone",),
    ),
    SegmenterInfo(
        "tissue",
        "Fat and soft tissue",
        "Fat, and muscle together with organs, by density.",
        f"{_HERE}.tissues:segment_tissue",
        ("fat", "soft_tissue"),
    ),
    SegmenterInfo(
        "muscle",
        "Muscle and fat of the trunk",
        "Muscle of the walls of chest and abdomen (not psoas, diaphragm), fat around and fat inside the cavity.",
        f"{_HERE}.muscle:segment_muscle",
        ("muscle", "outer_fat", "inner_fat"),
    ),
    SegmenterInfo(
        "vessels",
        "Vessels of the lungs",
        "Arteries and veins together, from about 2 mm of width on; thin infiltrates are taken too.",
        f"{_HERE}.vessels:segment_vessels",
        ("lung_vessels",),
    ),
    SegmenterInfo(
        "nodules",
        "Nodule candidates",
        "Round solid places in the lungs, to be looked at; ground glass is not looked for.",
        f"{_HERE}.nodules:segment_nodules",
        ("nodule_*",),
    ),
)
"""The segmenters of this package."""


@cache
def table() -> dict[str, SegmenterInfo]:
    """All segmenters by name; a name of this package is never taken over by another."""
    found = {info.name: info for info in BUILT_IN}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, cast("SegmenterInfo", entry.load()))
    return found


def segmenters() -> tuple[SegmenterInfo, ...]:
    """All segmenters, those of this package first."""
    return tuple(table().values())


def segmenter(name: str) -> SegmenterInfo:
    """The segmenter of a name.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.
    """
    try:
        return table()[name]
    except KeyError:
        known = ", ".join(sorted(table()))
        raise UsageError(f"There is no segmenter {name!r}; there are: {known}.") from None


def segment(volume: Volume, name: str) -> Segmentation:
    """Find the structures of a segmenter in a volume.

    Parameters
    ----------
    volume
        The image; its grid may have any orientation.
    name
        A segmenter's name, such as ``"lungs"``.

    Returns
    -------
    Segmentation on the volume's own grid. Its reasons are those of the volume and of the segmenter's self-checks.

    Raises
    ------
    UsageError
        If there is no such segmenter, or this is no volume.
    Refused
        With ``WRONG_MODALITY`` if the volume is not of a modality and unit that the segmenter takes.
    """
    expect(volume, Volume)
    info = segmenter(name)
    if (volume.modality and volume.modality not in info.modalities) or volume.unit.value != info.unit:
        wanted = " or ".join(info.modalities)
        text = f"{info.title} are found in {wanted} in {info.unit}, and this is {volume.modality or 'an image'} in "
        raise Refused([Reason("WRONG_MODALITY", f"{text}{volume.unit.value}.")])
    return info.load()(volume)
