"""Siemens mosaics: their tiles lie where the CSA header says, or nowhere."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.testing.cases_geometry import AXIAL, grid_along
from isocenter.testing.cases_multiframe import OBLIQUE
from isocenter.testing.dicom import values_on
from isocenter.testing.tiled import write_mosaic
from isocenter.testing.truth import Ramp

VALUE = Ramp(400.0)
GRIDS = {
    "axial, head to feet": AXIAL,
    "axial, feet to head": AXIAL.flip(0),
    "sagittal": grid_along((0, 1, 0), (0, 0, -1)),
    "oblique": OBLIQUE,
}


def mosaic(tmp_path, edit=None, *, grid=OBLIQUE, name="1"):
    return write_mosaic(VALUE, grid, tmp_path / f"{name}.dcm", name=name, edit=edit)


def csa(ds):
    return ds[0x0029, 0x1010]


def is_held(path):
    (series,) = scan(path)
    assert {frame.position_mm for frame in series.frames} == {None}
    return "MOSAIC_UNCLEAR" in {reason.code for reason in series.reasons} and not series.verdict.usable


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_each_tile_lies_where_its_slice_was(tmp_path, grid):
    (series,) = scan(mosaic(tmp_path, grid=grid))
    volume = read(series)
    np.testing.assert_allclose(volume.array, values_on(VALUE, volume.grid), atol=0.51)
    corners = sorted(tuple(np.round(frame.position_mm, 4)) for frame in series.frames)
    assert corners == sorted(tuple(np.round(grid.to_world((k, 0, 0)), 4)) for k in range(grid.shape[0]))


def test_empty_tiles_are_no_slices(tmp_path):
    (series,) = scan(mosaic(tmp_path))
    assert len(series.frames) == OBLIQUE.shape[0] == 6  # of nine tiles
    assert {frame.shape for frame in series.frames} == {OBLIQUE.shape[1:]}


def test_the_pictures_of_a_time_series_become_volumes(tmp_path):
    for name in "123":
        mosaic(tmp_path, name=name)
    found = scan(tmp_path)
    assert [len(series) for series in found] == [6, 6, 6]
    assert all(series.verdict.usable for series in found)


def test_the_first_kind_of_csa_header_is_read(tmp_path):
    def edit(ds):
        csa(ds).value = first_kind({"NumberOfImagesInMosaic": ["6"], "SliceNormalVector": normal})

    normal = [f"{x:.8f}" for x in OBLIQUE.direction[:, 0]]
    (series,) = scan(mosaic(tmp_path, edit))
    assert (len(series), series.verdict.usable) == (6, True)


def first_kind(elements):
    """A CSA header without a magic word: lengths are written with the number of items of the first element added."""
    parts, first = [struct.pack("<II", len(elements), 77)], None
    for name, texts in elements.items():
        first = len(texts) if first is None else first
        parts.append(struct.pack("<64si4siii", name.encode(), len(texts), b"FD", 0, len(texts), 77))
        for text in texts:
            raw = text.encode() + b"\0"
            parts += [struct.pack("<4i", len(raw) + first, 0, 77, 0), raw + b"\0" * (-len(raw) % 4)]
    content = b"".join(parts)
    return content + b"\0" * (len(content) % 2)


def without_private(ds):
    for tag in [element.tag for element in ds if element.tag.is_private]:
        del ds[tag]


def of_too_many_slices(ds):
    csa(ds).value = csa(ds).value.replace(b"6\0", b"7\0", 1)  # seven fit into three by three tiles
    ds.Rows -= 1


def across_the_slices(ds):
    ds.ImageOrientationPatient = [*ds.ImageOrientationPatient[3:], *ds.ImageOrientationPatient[:3]]
    csa(ds).value = first_kind({"NumberOfImagesInMosaic": ["6"], "SliceNormalVector": ["1", "0", "0"]})


DAMAGE = {
    "no private attributes": without_private,
    "no creator": lambda ds: ds.__delitem__((0x0029, 0x0010)),
    "no spacing": lambda ds: ds.__delattr__("SpacingBetweenSlices"),
    "a spacing of zero": lambda ds: setattr(ds, "SpacingBetweenSlices", "0"),
    "no position": lambda ds: ds.__delattr__("ImagePositionPatient"),
    "tiles that do not fit": of_too_many_slices,
    "a normal of another direction": across_the_slices,
    "a normal that is no number": lambda ds: setattr(
        csa(ds), "value", first_kind({"NumberOfImagesInMosaic": ["6"], "SliceNormalVector": ["a", "b", "c"]})
    ),
    "no slices": lambda ds: setattr(csa(ds), "value", first_kind({"NumberOfImagesInMosaic": ["0"]})),
    "a cut CSA header": lambda ds: setattr(csa(ds), "value", csa(ds).value[:100]),
    "an empty CSA header": lambda ds: setattr(csa(ds), "value", b""),
    "a CSA header of nonsense": lambda ds: setattr(csa(ds), "value", b"SV10" + b"\xff" * 400),
}


@pytest.mark.parametrize("edit", DAMAGE.values(), ids=DAMAGE)
def test_a_mosaic_that_does_not_say_what_lies_where_is_held(tmp_path, edit):
    assert is_held(mosaic(tmp_path, edit))
