from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from isocenter.dicom.derived import capture
from isocenter.dicom.derived.capture import Capture
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.derived.writing import write
from isocenter.errors import Bug


@pytest.fixture
def captures(sources: list[Dataset]) -> list[Capture]:
    rng = np.random.default_rng(0)
    shown = (str(sources[3].SOPInstanceUID),)
    return [
        Capture(rng.integers(0, 256, (7, 5, 3)).astype(np.uint8), "Slice 4 with contours", shown),
        Capture(rng.integers(0, 256, (4, 6, 3)).astype(np.uint8), "Contact sheet"),
    ]


def test_every_pixel_comes_back(
    captures: list[Capture],
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    complaints: Callable[[Path], list[str]],
) -> None:
    for i, (one, made) in enumerate(zip(captures, capture.make(captures, sources, making), strict=True)):
        path = tmp_path / f"{i}.dcm"
        write(made, path, check=partial(capture.check, capture=one))
        assert np.array_equal(dcmread(path).pixel_array, one.pixels)
        assert complaints(path) == []


def test_pictures_are_one_series_of_different_objects(
    captures: list[Capture], sources: list[Dataset], making: Making
) -> None:
    made = capture.make([*captures, captures[0]], sources, making)
    assert len({m.SeriesInstanceUID for m in made}) == 1
    assert len({m.SOPInstanceUID for m in made}) == 3
    assert [m.InstanceNumber for m in made] == [1, 2, 3]
    assert made[0].SourceImageSequence[0].ReferencedSOPInstanceUID == sources[3].SOPInstanceUID
    assert "SourceImageSequence" not in made[1]


def test_the_same_arguments_give_the_same_bytes(
    captures: list[Capture], sources: list[Dataset], making: Making
) -> None:
    once, again = ([encode(m) for m in capture.make(captures, sources, making)] for _ in range(2))
    assert once == again


def test_a_changed_pixel_is_noticed(captures: list[Capture], sources: list[Dataset], making: Making) -> None:
    made = capture.make(captures, sources, making)
    for wrong in (captures[1], Capture(captures[0].pixels ^ 1, "x")):
        with pytest.raises(Bug, match="read back"):
            capture.check(made[0], wrong)


def test_a_grey_or_float_picture_is_refused() -> None:
    for pixels in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            Capture(pixels, "x")  # type: ignore[arg-type]
