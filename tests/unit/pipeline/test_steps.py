"""What the header of a CT says about how far its densities can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.pipeline.steps import density_reasons
from isocenter.testing.dicom import Style, write_series


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
