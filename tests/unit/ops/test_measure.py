"""Measurements against numpy on the voxels themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops.measure import measure
from isocenter.volume import Volume

GRID = Grid.from_vectors((6, 7, 8), spacing_mm=(2.0, 0.5, 0.75), origin_mm=(-20, 5, 100))
SEGMENTS = (
    Segment("lung_right", 1, "Right lung", codes.RIGHT_LUNG),
    Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG),
    Segment("airways", 3, "Airways", codes.TRACHEA_AND_BRONCHUS),
)


def example(dtype=np.int16, grid=GRID):
    rng = np.random.default_rng(1)
    array = rng.integers(-1024, 100, grid.shape).astype(dtype)
    labels = rng.integers(0, 3, grid.shape).astype(np.uint8)
    labels[:, 0] = 0
    volume = Volume(array, grid, codes.HU, modality="CT")
    return volume, Segmentation((labels,), grid, SEGMENTS, Algorithm("test", "1"))


def values_of(measurements, *segments):
    return {m.name: m.value for m in measurements if m.segments == segments}


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("names", [("lung_right",), ("lung_left",), ("lung_right", "lung_left")])
def test_densities_equal_numpy(dtype, names):
    volume, segmentation = example(dtype)
    inside = volume.array[segmentation.mask(*names)].astype(float)
    found = values_of(measure(volume, segmentation), *names)
    assert found["volume"] == pytest.approx(len(inside) * 2.0 * 0.5 * 0.75 / 1000)
    assert found["mean"] == pytest.approx(inside.mean())
    assert found["sd"] == pytest.approx(inside.std())
    for name, percent in (("median", 50), ("p05", 5), ("p15", 15), ("p95", 95)):
        assert found[name] == pytest.approx(np.percentile(inside, percent))
    assert found["laa_950"] == pytest.approx(100 * np.mean(inside < -950))
    assert found["haa"] == pytest.approx(100 * np.mean((inside >= -600) & (inside <= -250)))
    grams = np.maximum(inside / 1000 + 1, 0).sum() * volume.grid.voxel_volume_ml
    assert found["mass"] == pytest.approx(grams)


@pytest.mark.parametrize("space", [Space.PLANE, Space.PIXEL])
def test_of_a_picture_no_volume_length_or_mass_is_told(space):
    """Its slice axis has a length that means nothing."""
    flat = replace(GRID, space=space)
    volume, segmentation = example(grid=flat)
    names = {m.name for m in measure(volume, segmentation)}
    assert names == {"mean", "sd", "median", "p05", "p15", "p95"}


def test_extents_are_along_the_patient_whatever_the_grid_is():
    for orientation in ("IPL", "SAR", "LPS"):
        grid = GRID.reorient(orientation)
        labels = np.zeros(grid.shape, np.uint8)
        low, high = np.array([-19.25, 6.0, 92.0]), np.array([-17.0, 7.5, 96.0])
        first, last = np.rint(grid.to_index([low, high])).astype(int)
        box = tuple(slice(min(a, b), max(a, b) + 1) for a, b in zip(first, last, strict=True))
        labels[box] = 3
        volume = Volume(np.full(grid.shape, -990, np.int16), grid, codes.HU)
        found = values_of(measure(volume, Segmentation((labels,), grid, SEGMENTS, Algorithm("t", "1"))), "airways")
        assert found["extent_lr"] == pytest.approx(2.25 + 0.75)
        assert found["extent_ap"] == pytest.approx(1.5 + 0.5)
        assert found["extent_si"] == pytest.approx(4 + 2)


def test_an_empty_segment_has_no_volume_and_nothing_else():
    found = values_of(measure(*example()), "airways")
    assert found == {"volume": 0.0}


def test_lungs_are_not_measured_together_when_one_is_missing():
    volume, segmentation = example()
    right_only = Segmentation(
        (np.where(segmentation.array == 1, 1, 0).astype(np.uint8),), GRID, SEGMENTS, segmentation.algorithm
    )
    assert not [m for m in measure(volume, right_only) if len(m.segments) > 1]


def test_overlapping_layers_are_measured_each_on_its_own():
    volume, segmentation = example()
    other = Segment("body", 1, "Body", codes.BODY, layer=1)
    both = Segmentation(
        (segmentation.array, np.ones(GRID.shape, np.uint8)), GRID, (*SEGMENTS, other), segmentation.algorithm
    )
    found = values_of(measure(volume, both), "body")
    assert found["volume"] == pytest.approx(np.prod(GRID.shape) * GRID.voxel_volume_ml)
    assert found["mean"] == pytest.approx(volume.array.mean())
    assert "mass" not in found


def test_another_grid_is_refused():
    volume, segmentation = example()
    moved = Volume(volume.array, GRID.flip(0), codes.HU)
    with pytest.raises(UsageError, match="different grids"):
        measure(moved, segmentation)


def test_emphysema_and_mass_are_only_measured_in_hounsfield_units():
    volume, segmentation = example()
    plain = Volume(volume.array, GRID)
    assert "mass" not in values_of(measure(plain, segmentation), "lung_right")


@pytest.mark.parametrize(
    ("modality", "unit", "title", "concept"),
    [
        ("CT", codes.HU, "Mean density", codes.ATTENUATION),
        ("MR", codes.ONE, "Mean intensity", codes.MR_SIGNAL_INTENSITY),
        ("PT", codes.ML, "Mean value", codes.QUANTITY),
        ("", codes.ONE, "Mean value", codes.QUANTITY),
    ],
)
def test_only_what_is_known_to_be_attenuation_is_called_so(modality, unit, title, concept):
    grid = Grid.from_vectors((2, 3, 4), spacing_mm=(1, 1, 1))
    volume = Volume(np.ones(grid.shape, np.float32), grid, unit=unit, modality=modality)
    mask = Segmentation.of(np.ones(grid.shape, bool), volume, [Segment.named("lesion")], Algorithm("by hand", "1", {}))
    found = next(one for one in measure(volume, mask) if one.name == "mean")
    assert (found.title, found.concept) == (title, concept)
