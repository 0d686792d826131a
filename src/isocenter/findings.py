"""Findings: what an analysis found in the patient (segments, measurements, boxes, labels).

How they are found lives in ``ops`` and ``nets``; how they are written as DICOM lives in ``dicom``. What the software
has to say about its own work is a reason, not a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.reasons import Reason, merge
from isocenter.shown import Shown
from isocenter.volume import Array, Source, Volume, native, read_only

Mask = npt.NDArray[np.bool_]


PALETTE = ((230, 120, 60), (70, 150, 220), (90, 180, 90), (200, 90, 170), (220, 190, 60), (110, 110, 210))
"""Colors of segments that have none of their own, by label."""

_NAMES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What made a finding (PS3.3 10.16).

    Parameters
    ----------
    name, version
        What it is.
    settings
        What changes its result: names and values.
    family
        What kind of algorithm it is (CID 7162).
    """

    name: str
    version: str
    settings: tuple[tuple[str, Any], ...] = ()
    family: Code = codes.MORPHOLOGICAL_OPERATIONS


@dataclass(frozen=True, slots=True)
class Segment:
    """One structure of a segmentation.

    Parameters
    ----------
    name
        Name to have it by, in lower case with underscores: ``"lung_left"``.
    label
        Value of its voxels in its layer, from 1.
    title
        Name for people: ``"Left lung"``.
    property_type
        What it is.
    property_category
        What kind of thing it is.
    color
        sRGB from 0 to 255.
    layer
        Index of the label map that holds it; segments of different layers may overlap.
    modifier
        What narrows the property type, such as a side; None where that says it all.
    region
        Part of the body that it lies in; None where the property type says it.
    """

    name: str
    label: int
    title: str
    property_type: Code
    property_category: Code = codes.ANATOMICAL_STRUCTURE
    color: tuple[int, int, int] = (230, 120, 60)
    layer: int = 0
    modifier: Code | None = None
    region: Code | None = None

    @classmethod
    def named(cls, name: str, label: int = 1, *, layer: int = 0) -> Segment:
        """A segment of which nothing but its name is known: some tissue; ``label_1`` stands for a number alone."""
        title = name if name == f"label_{label}" else name.replace("_", " ").capitalize()
        color = PALETTE[label % len(PALETTE)]
        return cls(name, label, title, codes.TISSUE, codes.TISSUE, color, layer)


@dataclass(frozen=True, eq=False)
class Segmentation(Shown):
    """Structures found on a grid, as one or more label maps.

    Parameters
    ----------
    layers
        Integer label maps (slice, row, column); 0 is background. One, unless segments overlap.
    grid
        Where the voxels lie.
    segments
        The structures, in the order they are to be reported.
    algorithm
        What found them.
    sources
        The DICOM frame behind each slice, as :attr:`isocenter.volume.Volume.sources`.
    reasons
        Those of the volume, and what the self-checks of the algorithm had to say.

    Raises
    ------
    ValueError
        If a layer is no integer array on the grid or holds numbers below 0, or names or labels are not unique.
    """

    layers: tuple[Array, ...] = field(repr=False)
    grid: Grid
    segments: tuple[Segment, ...]
    algorithm: Algorithm
    sources: tuple[Source | None, ...] = field(default=(), repr=False)
    reasons: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        for layer in self.layers:
            if layer.shape != self.grid.shape or layer.dtype.kind not in "ui":
                raise ValueError(
                    f"A label map is an integer array of shape {self.grid.shape}, not {layer.dtype} of {layer.shape}."
                )
            if layer.dtype.kind == "i" and layer.size and layer.min() < 0:
                raise ValueError("A label map holds 0 for background and labels above it, none below.")
        names = [segment.name for segment in self.segments]
        places = [(segment.layer, segment.label) for segment in self.segments]
        if len(set(names)) < len(names) or len(set(places)) < len(places):
            raise ValueError("Each segment needs a name and a label of its own.")
        if any(segment.label < 1 or not 0 <= segment.layer < len(self.layers) for segment in self.segments):
            raise ValueError("A segment's label is 1 or more and its layer one of the layers.")
        object.__setattr__(self, "layers", tuple(read_only(native(layer)) for layer in self.layers))

    def __repr__(self) -> str:
        names, said = self.names, "".join(f", {reason.code}" for reason in self.reasons)
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return f"Segmentation({', '.join(names[:_NAMES_SHOWN])}{more}; {self.grid}{said})"

    @classmethod
    def of(
        cls, labels: Array, like: Volume | Segmentation, segments: Sequence[Segment], algorithm: Algorithm
    ) -> Segmentation:
        """A mask or label map found on an image, with the place, the sources and the reasons of that image.

        Parameters
        ----------
        labels
            (slice, row, column), boolean or integer.
        like
            The image it was found on.
        segments
            The structures; of a mask one, with label 1.
        algorithm
            What found them.
        """
        layer = labels.astype(np.uint8) if labels.dtype == np.bool_ else labels
        return cls((layer,), like.grid, tuple(segments), algorithm, like.sources, like.reasons)

    @property
    def array(self) -> Array:
        """The label map (slice, row, column).

        Raises
        ------
        ValueError
            If segments may overlap, so that there are several label maps: take ``mask(name)`` then.
        """
        if len(self.layers) != 1:
            raise ValueError("This segmentation has overlapping layers: take mask(name) or layers.")
        return self.layers[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - NumPy's own protocol
        """The label map, for NumPy functions; read-only unless copied."""
        return np.array(self.array, dtype=dtype, copy=copy)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments, in order."""
        return tuple(segment.name for segment in self.segments)

    def segment(self, name: str) -> Segment:
        """The segment of that name.

        Raises
        ------
        UsageError
            If there is none.
        """
        for segment in self.segments:
            if segment.name == name:
                return segment
        raise UsageError(f"No segment {name!r}; there are {', '.join(self.names)}.")

    def mask(self, *names: str) -> Mask:
        """Boolean (slice, row, column) array: where any of the named segments is; without names, any at all."""
        found: Mask | None = None
        for name in names or self.names:
            segment = self.segment(name)
            one: Mask = self.layers[segment.layer] == segment.label
            found = one if found is None else np.logical_or(found, one, out=found)
        return np.zeros(self.grid.shape, bool) if found is None else found

    def volume_ml(self, name: str) -> float:
        """Volume of a segment: its voxel count times the voxel volume."""
        segment = self.segment(name)
        return int(np.count_nonzero(self.layers[segment.layer] == segment.label)) * self.grid.voxel_volume_ml

    def with_reasons(self, reasons: Iterable[Reason]) -> Segmentation:
        """This segmentation with further reasons, each once."""
        return replace(self, reasons=merge(self.reasons, reasons))

    def renamed(self, **names: str) -> Segmentation:
        """This segmentation with other names for some segments: ``found.renamed(liver="liver_found")``.

        Names and titles change; what the segments are stays as it is.
        """
        for name in names:
            self.segment(name)
        segments = (
            replace(one, name=names[one.name], title=Segment.named(names[one.name]).title) if one.name in names else one
            for one in self.segments
        )
        return replace(self, segments=tuple(segments))

    def only(self, *names: str) -> Segmentation:
        """This segmentation with the named segments alone, in that order; the label maps stay as they are."""
        return replace(self, segments=tuple(self.segment(name) for name in names))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number found.

    Parameters
    ----------
    name
        Name to have it by: ``"volume"``, ``"mean"``, ``"laa_950"``.
    title
        Name for people: ``"Mean density"``.
    value
        The number.
    unit
        Its unit (UCUM).
    concept
        What was measured.
    segments
        Names of the segments it was measured over; several stand for their union.
    derivation
        How it was condensed to one number (mean, standard deviation, ...), if it was.
    method
        One sentence on how it was measured.
    """

    name: str
    title: str
    value: float
    unit: Code
    concept: Code
    segments: tuple[str, ...]
    derivation: Code | None = None
    method: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and tables."""
        return {
            "name": self.name,
            "title": self.title,
            "value": self.value,
            "unit": self.unit.value,
            "concept": f"{self.concept.value} ({self.concept.scheme})",
            "segments": list(self.segments),
            "method": self.method,
        }


@dataclass(frozen=True, slots=True)
class Box:
    """A box around something found, in world coordinates of a grid.

    Parameters
    ----------
    name
        What it is.
    start, stop
        Array index (k, r, c) of its first voxel, and of one past its last, on the grid it was found on.
    probability
        Confidence from 0 to 1, if the finder gives one.
    """

    name: str
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A class given to a whole image or study."""

    name: str
    concept: Code | None = None
    probability: float | None = None


def table(measurements: Sequence[Measurement]) -> list[Mapping[str, Any]]:
    """Measurements as rows of plain values, ready for ``pandas.DataFrame`` or ``polars.DataFrame``."""
    return [{**measurement.to_dict(), "segments": "+".join(measurement.segments)} for measurement in measurements]
