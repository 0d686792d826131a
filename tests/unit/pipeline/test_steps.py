"""What the header of a CT says about how far its densities can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.pipeline.case import Case
from isocenter.pipeline.steps import density_reasons, headers_of
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.multiframe import Many, Stack, write_many
from isocenter.testing.tiled import write_mosaic
from isocenter.testing.truth import Ramp


@pytest.mark.parametrize(
    ("spacing_mm", "attributes", "said"),
    [
        (1.0, {"ConvolutionKernel": "B30f", "SliceThickness": 1.0}, ""),
        (5.0, {"ConvolutionKernel": "B30f", "SliceThickness": 5.0}, "the slices are 5 mm thick"),
        (6.0, {"ConvolutionKernel": "B30f", "SliceThickness": 2.0}, ""),  # far apart is not thick
        (1.0, {"ConvolutionKernel": "B70s"}, "the kernel B70s is sharp"),
        (1.0, {"ConvolutionKernel": "B30f", "ContrastBolusAgent": "Iomeron"}, "contrast medium was given"),
    ],
)
def test_what_shifts_densities_is_said(
    tmp_path: Path, spacing_mm: float, attributes: dict[str, str], said: str
) -> None:
    grid = Grid.from_vectors((3, 4, 4), spacing_mm=(spacing_mm, 1, 1))
    write_series(np.zeros(grid.shape, np.int16), grid, tmp_path, style=Style(attributes=attributes))
    reasons = density_reasons(scan(tmp_path)[0])
    assert [reason.code for reason in reasons] == (["DENSITY_UNCERTAIN"] if said else [])
    assert said in " ".join(reason.message for reason in reasons)


@pytest.mark.parametrize("kind", ["enhanced", "mosaic"])
def test_no_object_refers_to_a_file_of_several_slices(tmp_path: Path, kind: str) -> None:
    grid = Grid.from_vectors((3, 4, 4))
    if kind == "enhanced":
        write_many([Stack(Ramp(40.0), grid)], tmp_path / "many.dcm", many=Many())
    else:
        write_mosaic(Ramp(40.0), grid, tmp_path / "mosaic.dcm")
    (series,) = scan(tmp_path)
    headers = headers_of(Case("study", "case", series))
    assert len(headers) == 0
    assert [reason.code for reason in headers.reasons] == ["SOURCES_MULTI_FRAME"]
    assert "3 slices lie in 1 multi-frame images" in headers.reasons[0].message
