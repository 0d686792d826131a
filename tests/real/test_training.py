"""Learning from real cases: a course that was broken off."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter import datasets
from isocenter.datasets import Dataset, Split
from isocenter.errors import TryLater
from isocenter.nets.plan import Network
from isocenter.nets.planning.planner import plan_for
from isocenter.train import Progress, Settings, train

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def hippocampus(shared_data: Path) -> Dataset:
    folder = shared_data / "hippocampus_mr_labelled"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name}")
    return datasets.open_dataset(folder)


def test_a_course_on_real_cases_goes_on_to_the_same_bits(hippocampus: Dataset, tmp_path: Path) -> None:
    cases = hippocampus.cases[:6]
    split = Split(replace(hippocampus, cases=cases[:4]), replace(hippocampus, cases=cases[4:]))
    plan = replace(plan_for(split.train), network=Network("residual_unet", {"features": (4, 8), "blocks": (1, 1)}))
    shared = str(tmp_path / "cache")
    settings = Settings(steps=8, validate_every=4, checkpoint_every=2, mode="deterministic", cache=shared)

    def stop(progress: Progress) -> None:
        if progress.stage == "validating" and progress.done == 4 and progress.point is None:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TryLater, match="Stopped at step 4 of 8"):
        train(split, plan, tmp_path / "stopped", settings=settings, observer=stop)
    resumed = train(split, plan, tmp_path / "stopped", settings=settings)
    whole = train(split, plan, tmp_path / "whole", settings=settings)
    assert "TRAINING_RESUMED" in [reason.code for reason in resumed.reasons]
    assert resumed.model.sha256 == whole.model.sha256
    assert [dict(point.scores) for point in resumed.curve] == [dict(point.scores) for point in whole.curve]
