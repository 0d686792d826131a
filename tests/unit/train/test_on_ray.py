"""Learning by the workers of Ray Train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from isocenter import datasets
from isocenter.datasets import Dataset
from isocenter.errors import MissingExtra, UsageError
from isocenter.nets.plan import Plan
from isocenter.train.on_ray import train_on_ray
from isocenter.train.settings import Settings

QUICK = Settings(steps=4, validate_every=2, augmentation="none")


def has_ray() -> bool:
    try:
        import ray  # noqa: F401
    except ImportError:
        return False
    return True


def test_no_worker_is_told(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="One process at least"):
        train_on_ray(blob_set, blob_plan, tmp_path / "model", processes=0)


@pytest.mark.skipif(has_ray(), reason="it is there")
def test_a_missing_ray_is_told(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"isocenter\[ray\]"):
        train_on_ray(blob_set, blob_plan, tmp_path / "model", processes=2)


@pytest.mark.filterwarnings("ignore")
def test_two_workers_of_ray_teach_one_model(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    pytest.importorskip("ray.train.torch", reason="Ray is not installed: pip install 'isocenter[ray]'")
    settings = replace(QUICK, cache=str(tmp_path / "cache"))
    model = train_on_ray(datasets.split(blob_set, 2), blob_plan, tmp_path / "model", processes=2, settings=settings)
    assert model.facts["training"]["processes"] == 2
    assert model.facts["training"]["step"] == 4
