"""Real cases are prepared for learning as they are served, and each step's batch is drawn from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter import datasets
from isocenter.datasets.loading import load_case
from isocenter.nets.plan import Network, Plan
from isocenter.nets.prepare import prepared
from isocenter.train.cache import cached
from isocenter.train.patches import Sampling, cut, draw

pytestmark = pytest.mark.real


def test_hippocampi_are_prepared_as_they_are_served(shared_data: Path, tmp_path: Path) -> None:
    found = datasets.open_dataset(shared_data / "hippocampus_mr_labelled")
    some = replace(found, cases=found.cases[:12])
    plan = Plan("segmentation", found.channels, tuple(found.labels), Network("residual_unet"), (24, 24, 24))
    kept = cached(some, replace(plan, spacing_mm=(1.0, 1.0, 1.0)), tmp_path)
    assert "IMAGE_MISSING" in [one.code for one in kept.reasons]
    for case, one in zip(some.cases, kept.cases, strict=True):
        served = prepared(load_case(case, found).images, replace(plan, spacing_mm=(1.0, 1.0, 1.0)))
        assert np.array_equal(one.image(), served.array)
        assert set(one.places) == {1, 2}
        assert set(np.unique(one.truth())) == {0, 1, 2}
    how = Sampling(plan.patch)
    patches = [cut(place, how) for place in draw(kept.cases, how, np.random.default_rng(0), count=30)]
    assert sum(1 for one in patches if one.labels is not None and one.labels.any()) >= 10


def test_a_series_of_dicom_is_a_case(shared_data: Path, tmp_path: Path) -> None:
    series = shared_data / "dcmqi"
    folders = sorted({path.parent for path in series.rglob("*.dcm") if "ct" in path.parent.name.lower()})
    if not folders:
        pytest.skip("no CT series there")
    data = datasets.Dataset("one", (datasets.Case("ct", (folders[0],)),), ("CT",))
    kept = cached(data, Plan("denoising", ("CT",), (), Network("denoiser"), (1, 32, 32)), tmp_path).cases[0]
    assert kept.modality == "CT"
    assert not kept.is_labelled
    offset, factor = kept.scales[0]
    hu = np.asarray(kept.image()) * factor + offset
    assert hu.min() >= -2048
    assert hu.max() < 4096
