"""RT Dose: its planes lie where the Grid Frame Offset Vector says, by both of its conventions, or nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.testing.cases_geometry import AXIAL
from isocenter.testing.cases_multiframe import OBLIQUE
from isocenter.testing.dicom import values_on
from isocenter.testing.tiled import write_dose
from isocenter.testing.truth import Ramp

VALUE = Ramp(40.0)
UPWARD = AXIAL.flip(0)


def dose(tmp_path, edit=None, *, grid=UPWARD, first=0.0):
    return write_dose(VALUE, grid, tmp_path / "dose.dcm", first_offset_mm=first, edit=edit)


def codes_of(path):
    return {reason.code for series in scan(path) for reason in series.reasons}


@pytest.mark.parametrize(
    ("grid", "first"),
    [(UPWARD, 0.0), (AXIAL, 0.0), (OBLIQUE, 0.0), (UPWARD, float(UPWARD.origin_mm[2]))],
    ids=["relative, upwards", "relative, downwards", "relative, oblique", "absolute"],
)
def test_planes_lie_where_the_offsets_say(tmp_path, grid, first):
    (series,) = scan(dose(tmp_path, grid=grid, first=first))
    volume = read(series)
    np.testing.assert_allclose(volume.array, values_on(VALUE, volume.grid), atol=0.01)
    assert volume.unit.value == "Gy"


def test_planes_in_no_order_are_sorted_by_their_offsets(tmp_path):
    order = [2, 0, 1, 5, 4, 3]

    def edit(ds):
        cells = np.frombuffer(ds.PixelData, np.uint32).reshape(UPWARD.shape)[order]
        offsets = [ds.GridFrameOffsetVector[index] for index in order]
        start = ds.ImagePositionPatient[2] + offsets[0]
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], start]
        ds.GridFrameOffsetVector = [offset - offsets[0] for offset in offsets]
        ds.PixelData = cells.tobytes()

    (series,) = scan(dose(tmp_path, edit))
    volume = read(series)
    np.testing.assert_allclose(volume.array, values_on(VALUE, volume.grid), atol=0.01)
    assert sorted(frame.number for frame in series.frames) == [1, 2, 3, 4, 5, 6]


def test_uneven_planes_are_held(tmp_path):
    path = dose(tmp_path, lambda ds: setattr(ds, "GridFrameOffsetVector", [0, 1, 3, 7, 8, 11]))
    assert "SPACING_VARIES" in codes_of(path) or "SLICE_GAP" in codes_of(path)
    assert not any(series.verdict.usable for series in scan(path))


@pytest.mark.parametrize(
    "offsets",
    [[0, 2.5, 5], [], [77, 79.5, 82, 84.5, 87, 89.5]],
    ids=["too few", "none", "neither zero nor the position"],
)
def test_offsets_that_do_not_tell_where_planes_lie_are_held(tmp_path, offsets):
    path = dose(tmp_path, lambda ds: setattr(ds, "GridFrameOffsetVector", offsets))
    assert "FRAMES_CONTRADICT" in codes_of(path)
    assert {frame.position_mm for series in scan(path) for frame in series.frames} == {None}


def test_coordinates_are_no_offsets_of_oblique_planes(tmp_path):
    path = dose(tmp_path, grid=OBLIQUE, first=float(OBLIQUE.origin_mm[2]))
    assert "FRAMES_CONTRADICT" in codes_of(path)


def test_a_single_plane_needs_no_offsets(tmp_path):
    grid = Grid((1, *UPWARD.shape[1:]), UPWARD.affine)
    (series,) = scan(dose(tmp_path, lambda ds: ds.__delattr__("GridFrameOffsetVector"), grid=grid))
    np.testing.assert_allclose(series.frames[0].position_mm, grid.origin_mm, atol=1e-6)


@pytest.mark.parametrize("scaling", [None, "", "0"])
def test_a_dose_without_scaling_is_not_read(tmp_path, scaling):
    def edit(ds):
        if scaling is None:
            del ds.DoseGridScaling
        else:
            ds.DoseGridScaling = scaling

    assert not any(series.verdict.usable for series in scan(dose(tmp_path, edit)))
