"""Measurements of segments: volume, size and density, for lungs emphysema and mass too.

Densities come from one histogram per segment, made in one pass over the image however many segments there are, so that
percentiles and shares are exact for whole HU. Radiomics and shape lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.findings import Measurement, Segmentation
from isocenter.geometry import Floats, Space
from isocenter.kernels import kernel
from isocenter.ops.counts import Counts, is_countable
from isocenter.ops.lattice import expect_one_grid, expect_three_axes
from isocenter.volume import Array, Volume

_LUNGS = ("lung_right", "lung_left")
_EMPHYSEMA_HU = -950
_DENSE_HU = (-600, -250)
_PATIENT_AXES = (
    ("extent_lr", "Extent left to right", codes.WIDTH),
    ("extent_ap", "Extent front to back", codes.DEPTH),
    ("extent_si", "Extent head to feet", codes.HEIGHT),
)


@dataclass(frozen=True, eq=False)
class Density(Counts):
    """Values of a structure, and where it reaches.

    Parameters
    ----------
    values, counts
        As of :class:`isocenter.ops.counts.Counts`.
    low_mm, high_mm
        LPS of the outermost voxel centres.
    """

    low_mm: Floats
    high_mm: Floats

    def __add__(self, other: Density) -> Density:
        values, where = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, where, np.concatenate([self.counts, other.counts]))
        low, high = np.minimum(self.low_mm, other.low_mm), np.maximum(self.high_mm, other.high_mm)
        return Density(values, counts, low, high)


def measure(volume: Volume, segmentation: Segmentation) -> tuple[Measurement, ...]:
    """Measure every segment, and both lungs together where both were found.

    Parameters
    ----------
    volume
        The image. Its unit becomes that of the densities; lungs are measured for emphysema and mass only in HU. Of a
        picture, which has no depth or place in the patient, the densities are all that is measured.
    segmentation
        Segments on the volume's grid. Empty segments have a volume of 0 ml and nothing else.

    Returns
    -------
    Measurements in the order of the segments: volume; mean, standard deviation, median, 5th, 15th and 95th percentile;
    extents between outer voxel faces along the patient's axes. For lungs also the share below -950 HU (emphysema index
    LAA-950), the share from -600 to -250 HU (high attenuation area) and the mass in grams.

    Raises
    ------
    UsageError
        If these are no volume and segmentation, they lie on different grids, or the volume has further axes.
    """
    density = densities(volume, segmentation)
    groups: list[tuple[tuple[str, ...], Density | None]]
    groups = [((name,), density[name]) for name in segmentation.names]
    right, left = (density.get(name) for name in _LUNGS)
    if right is not None and left is not None:
        groups.append((_LUNGS, right + left))
    return tuple(m for names, found in groups for m in _measurements(volume, names, found))


def densities(volume: Volume, segmentation: Segmentation) -> dict[str, Density | None]:
    """The values of each segment by its name; None where it is empty.

    Raises
    ------
    UsageError
        If these are no volume and segmentation, they lie on different grids, or the volume has further axes.
    """
    expect_three_axes(volume, "Segments are measured")
    expect_one_grid(volume, segmentation)
    return {
        segment.name: found
        for layer in sorted({segment.layer for segment in segmentation.segments})
        for segment, found in _densities(volume, segmentation, layer)
    }


def _densities(volume: Volume, segmentation: Segmentation, layer: int) -> list[tuple[Any, Density | None]]:
    """Density of each segment of a layer; None where it is empty."""
    segments = [segment for segment in segmentation.segments if segment.layer == layer]
    labels = segmentation.layers[layer]
    place = np.zeros(int(max(labels.max(), *(s.label for s in segments))) + 1, np.int64)
    for number, segment in enumerate(segments, 1):
        place[segment.label] = number
    affine = volume.grid.affine[:3].copy()
    boxes = np.empty((len(segments) + 1, 2, 3))
    boxes[:, 0], boxes[:, 1] = np.inf, -np.inf
    array, labels = np.ascontiguousarray(volume.array), np.ascontiguousarray(labels)
    if is_countable(array):
        low = int(array.min())
        histogram = np.zeros((len(segments) + 1, int(array.max()) - low + 1), np.int64)
        _histogram(array, labels, place, (histogram, low))
        tables = [_occurring(row, low) for row in histogram[1:]]
    else:
        tables = [np.unique(values, return_counts=True) for values in _parted(array, labels, place)[1:]]
    _reach(labels, place, affine, boxes)
    return [
        (segment, Density(values.astype(np.float64), counts, box[0], box[1]) if len(values) else None)
        for segment, (values, counts), box in zip(segments, tables, boxes[1:], strict=True)
    ]


def _parted(array: Array, labels: Array, place: Array) -> list[Array]:
    """The values of each segment, the background's first: all are put in their places in one pass."""
    sizes = np.zeros(int(place.max()) + 1, np.int64)
    _count(labels, place, sizes)
    ends = np.cumsum(sizes)
    values = np.empty(array.size, array.dtype)
    _part(array, labels, place, (values, ends - sizes))
    return np.split(values, ends[:-1])


def _occurring(histogram: npt.NDArray[np.int64], low: int) -> tuple[Array, npt.NDArray[np.int64]]:
    found = np.flatnonzero(histogram)
    return found + low, histogram[found]


@kernel
def _histogram(array: Array, labels: Array, place: Array, table: tuple[Array, int]) -> None:
    """Count the values of each segment."""
    counts, low = table
    for k in range(array.shape[0]):
        for r in range(array.shape[1]):
            for c in range(array.shape[2]):
                segment = place[labels[k, r, c]]
                if segment > 0:
                    counts[segment, array[k, r, c] - low] += 1


@kernel
def _count(labels: Array, place: Array, sizes: Array) -> None:
    """Count the voxels of each segment."""
    for k in range(labels.shape[0]):
        for r in range(labels.shape[1]):
            for c in range(labels.shape[2]):
                sizes[place[labels[k, r, c]]] += 1


@kernel
def _part(array: Array, labels: Array, place: Array, parts: tuple[Array, Array]) -> None:
    """Put each value behind those of its segment; where the next one goes moves on."""
    values, following = parts
    for k in range(labels.shape[0]):
        for r in range(labels.shape[1]):
            for c in range(labels.shape[2]):
                segment = place[labels[k, r, c]]
                values[following[segment]] = array[k, r, c]
                following[segment] += 1


@kernel
def _reach(labels: Array, place: Array, a: Array, boxes: Array) -> None:
    """Widen the world boxes (lower, upper corner) to the voxel centres of each segment."""
    end = labels.shape[2] - 1
    for k in range(labels.shape[0]):
        for r in range(labels.shape[1]):
            line = labels[k, r]
            for c in range(end + 1):
                if 0 < c < end and line[c - 1] == line[c] == line[c + 1]:
                    continue  # within a run: its ends reach farther
                segment = place[line[c]]
                if segment > 0:
                    for i in range(3):
                        x = a[i, 0] * k + a[i, 1] * r + a[i, 2] * c + a[i, 3]
                        boxes[segment, 0, i] = min(boxes[segment, 0, i], x)
                        boxes[segment, 1, i] = max(boxes[segment, 1, i], x)


# --- measurements ----------------------------------------------------------------------------------------------------


def _measurements(volume: Volume, names: tuple[str, ...], density: Density | None) -> list[Measurement]:
    if volume.grid.space is not Space.PATIENT:  # a picture has no depth, and no axes of the patient
        return [] if density is None else _densities_of(volume, names, density)
    if density is None:
        return [_volume(0.0, names)]
    found = [_volume(density.voxels * volume.grid.voxel_volume_ml, names)]
    found += _densities_of(volume, names, density)
    found += _extents(volume, names, density)
    if set(names) <= set(_LUNGS) and volume.unit == codes.HU:
        found += _lung(volume, names, density)
    return found


def _volume(value_ml: float, names: tuple[str, ...]) -> Measurement:
    method = "Number of voxels times the voxel volume"
    return Measurement("volume", "Volume", value_ml, codes.ML, codes.VOLUME, names, method=method)


def _densities_of(volume: Volume, names: tuple[str, ...], density: Density) -> list[Measurement]:
    what, concept = _what_values_are(volume)
    rows: Sequence[tuple[str, str, float, Code]] = (
        ("mean", f"Mean {what}", density.mean, codes.MEAN),
        ("sd", f"Standard deviation of {what}", density.standard_deviation, codes.STANDARD_DEVIATION),
        ("median", f"Median {what}", density.percentile(50), codes.MEDIAN),
        ("p05", f"5th percentile of {what}", density.percentile(5), codes.PERCENTILE_5),
        ("p15", f"15th percentile of {what}", density.percentile(15), codes.PERCENTILE_15),
        ("p95", f"95th percentile of {what}", density.percentile(95), codes.PERCENTILE_95),
    )
    return [Measurement(n, title, value, volume.unit, concept, names, derived) for n, title, value, derived in rows]


def _what_values_are(volume: Volume) -> tuple[str, Code]:
    if volume.unit == codes.HU:
        return "density", codes.ATTENUATION
    if volume.modality == "MR":
        return "intensity", codes.MR_SIGNAL_INTENSITY
    return "value", codes.QUANTITY  # an uptake, a dose, a file that does not say: no attenuation


def _extents(volume: Volume, names: tuple[str, ...], density: Density) -> list[Measurement]:
    voxel = np.abs(volume.grid.affine[:3, :3]).sum(axis=1)
    extents = density.high_mm - density.low_mm + voxel
    method = "Between outer voxel faces along the patient's axis"
    return [
        Measurement(name, title, float(extent), codes.MM, concept, names, method=method)
        for (name, title, concept), extent in zip(_PATIENT_AXES, extents, strict=True)
    ]


def _lung(volume: Volume, names: tuple[str, ...], density: Density) -> list[Measurement]:
    laa = density.share_percent(-np.inf, _EMPHYSEMA_HU)
    haa = density.share_percent(_DENSE_HU[0], _DENSE_HU[1] + 1)
    grams = float(np.maximum((density.values + 1000) / 1000, 0) @ density.counts) * volume.grid.voxel_volume_ml
    return [
        Measurement(
            "laa_950",
            "Emphysema index (LAA-950)",
            laa,
            codes.PERCENT,
            codes.LOW_ATTENUATION_950,
            names,
            method="Share of voxels below -950 HU",
        ),
        Measurement(
            "haa",
            "High attenuation area",
            haa,
            codes.PERCENT,
            codes.HIGH_ATTENUATION,
            names,
            method="Share of voxels from -600 to -250 HU",
        ),
        Measurement(
            "mass",
            "Lung mass",
            grams,
            codes.G,
            codes.MASS,
            names,
            method="Sum of (HU + 1000) / 1000 g/ml times the voxel volume, no voxel below 0",
        ),
    ]
