"""Nuclear medicine: reconstructed slices lie along the normal of the first; projections lie nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.tag import Tag

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.testing.cases_geometry import AXIAL
from isocenter.testing.cases_multiframe import OBLIQUE
from isocenter.testing.dicom import values_on
from isocenter.testing.tiled import write_nm
from isocenter.testing.truth import Ramp

VALUE = Ramp(400.0)


def nm(tmp_path, edit=None, *, grid=OBLIQUE):
    return write_nm(VALUE, grid, tmp_path / "nm.dcm", edit=edit)


def of_kind(kind, **vectors):
    def edit(ds):
        ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
        ds.FrameIncrementPointer = [Tag(name) for name in vectors]
        for name, vector in vectors.items():
            setattr(ds, name, vector)

    return edit


@pytest.mark.parametrize("grid", [AXIAL, AXIAL.flip(0), OBLIQUE], ids=["downwards", "upwards", "oblique"])
def test_the_sign_of_the_spacing_says_how_slices_are_stacked(tmp_path, grid):
    (series,) = scan(nm(tmp_path, grid=grid))
    volume = read(series)
    np.testing.assert_allclose(volume.array, values_on(VALUE, volume.grid), atol=0.51)


def test_the_slice_vector_says_which_frame_is_which_slice(tmp_path):
    path = nm(tmp_path, lambda ds: setattr(ds, "SliceVector", [6, 5, 4, 3, 2, 1]))
    (series,) = scan(path)
    assert [frame.number for frame in series.frames] in ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])
    sixth = next(frame for frame in series.frames if frame.number == 6)
    np.testing.assert_allclose(sixth.position_mm, OBLIQUE.origin_mm, atol=1e-6)


def test_gated_slices_are_parted_by_their_time_slot(tmp_path):
    slices, slots = [1, 2, 3] * 2, [1] * 3 + [2] * 3
    edit = of_kind("RECON GATED TOMO", TimeSlotVector=slots, SliceVector=slices)
    found = scan(nm(tmp_path, edit))
    assert [len(series) for series in found] == [3, 3]
    assert all(series.verdict.usable for series in found)
    assert {dict(frame.mark.dimensions)["time slot"] for frame in found[0].frames} == {1}


@pytest.mark.parametrize("kind", ["STATIC", "DYNAMIC", "WHOLE BODY", "TOMO"])
def test_projections_are_pictures_without_a_place(tmp_path, kind):
    (series,) = scan(nm(tmp_path, of_kind(kind, EnergyWindowVector=[1] * 6, DetectorVector=[1, 2] * 3)))
    assert {frame.position_mm for frame in series.frames} == {None}
    assert (len(series), len(series.frames)) == (1, 6)
    assert dict(series.frames[1].mark.dimensions) == {"energy window": 1, "detector": 2}


def test_a_vector_that_does_not_fit_the_frames_is_held(tmp_path):
    found = scan(nm(tmp_path, lambda ds: setattr(ds, "SliceVector", [1, 2, 3])))
    assert "FRAMES_CONTRADICT" in {reason.code for series in found for reason in series.reasons}
    assert not any(series.verdict.usable for series in found)


@pytest.mark.parametrize("spacing", [None, "", "0", "x"])
def test_no_slice_gets_a_place_without_a_spacing(tmp_path, spacing):
    def edit(ds):
        if spacing is None:
            del ds.SpacingBetweenSlices
        else:
            ds["SpacingBetweenSlices"]._value = spacing

    (series,) = scan(nm(tmp_path, edit))
    assert {frame.position_mm for frame in series.frames} == {None}
