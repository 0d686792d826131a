"""A small made-up study for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from isocenter import codes
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.reasons import Reason, Verdict
from isocenter.report import figures
from isocenter.report.document import Report, StudyFacts
from isocenter.volume import Volume

RIGHT = Segment("lung_right", 1, "Right lung", codes.RIGHT_LUNG, color=(72, 199, 190))
LEFT = Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG, color=(247, 178, 72))
ALGORITHM = Algorithm("made up", "1")


@pytest.fixture(scope="session")
def volume() -> Volume:
    """A box of tissue with two boxes of lung, 24 x 40 x 48 voxels of 3 x 2 x 2 mm."""
    values = np.full((24, 40, 48), 40, np.int16)
    values[4:20, 8:32, 6:20] = -850
    values[4:20, 8:32, 28:42] = -900
    grid = Grid.from_vectors(values.shape, spacing_mm=(3.0, 2.0, 2.0), origin_mm=(-47.0, -39.0, 100.0))
    return Volume(values, grid, codes.HU, modality="CT")


@pytest.fixture(scope="session")
def segmentation(volume: Volume) -> Segmentation:
    """The two boxes: the patient's right lung on the picture's left."""
    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[4:20, 8:32, 6:20] = RIGHT.label
    labels[4:20, 8:32, 28:42] = LEFT.label
    return Segmentation((labels,), volume.grid, (RIGHT, LEFT), ALGORITHM)


@pytest.fixture(scope="session")
def report(volume: Volume, segmentation: Segmentation) -> Report:
    """A whole report of it, with a reason to be reviewed and hostile text."""
    both = ("lung_right", "lung_left")
    return Report(
        title="Lungs on CT",
        facts=StudyFacts((("Series", '<script>alert(1)</script> & "5"'), ("Operator", "Łukasz Ωμέγα Иван 山田"))),
        verdict=Verdict.REPAIRED,
        reasons=(
            Reason("DENSE_LUNG_INCLUDED", "Dense lung of 12 ml <i>was</i> included."),
            Reason("LUNG_CUT", "The right lung reaches the lowest slice.", ("1.2.3", "1.2.4")),
        ),
        segments=segmentation.segments,
        measurements=(
            Measurement("volume", "Volume", 64.512, codes.ML, codes.VOLUME, ("lung_right",), method="Voxel count."),
            Measurement("volume", "Volume", 64.5, codes.ML, codes.VOLUME, ("lung_left",)),
            Measurement("volume", "Volume", 129.012, codes.ML, codes.VOLUME, both),
            Measurement("mean", "Mean density", -850.4, codes.HU, codes.ATTENUATION, ("lung_right",)),
            Measurement("laa", "Emphysema index", 12.34, codes.PERCENT, codes.ATTENUATION, both),
        ),
        figures=figures.draw(volume, segmentation),
        provenance=(("Software", "Isocenter 0.1.0"), ("Inputs", "24 files")),
        made_at=datetime(2026, 11, 21, 2, 30, tzinfo=UTC),
    )
