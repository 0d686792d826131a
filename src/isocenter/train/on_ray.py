"""Learning on a Ray cluster: the same call, made by each of the workers that Ray Train starts and joins."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.datasets import Dataset, Split
from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.models.model import Model, load_model
from isocenter.nets.plan import Plan
from isocenter.train.settings import Settings


def train_on_ray(
    cases: Dataset | Split, plan: Plan, out: str | os.PathLike[str], *, processes: int, settings: Settings | None = None
) -> Model:
    """Teach a network by several workers of a Ray cluster, or of this machine where none is joined.

    Parameters
    ----------
    cases, plan, out, settings
        As of :func:`isocenter.train.training.train`. Data and model lie where all workers find them.
    processes
        How many workers, each with a processor, or a GPU for a plan for ``"cuda"``.

    Raises
    ------
    UsageError
        If there is no worker.
    MissingExtra
        If Ray is not installed.
    ray.train.TrainingFailedError
        If a worker failed; it quotes the worker's error.
    """
    if processes < 1:
        raise UsageError(f"One process at least learns, not {processes}.")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray starts; nothing is sent anywhere
    trainer, ray = needed("ray.train.torch", "ray").TorchTrainer, needed("ray.train", "ray")
    place = Path(os.path.abspath(out))  # noqa: PTH100 - workers have folders of their own

    def work() -> None:
        from isocenter.train.training import train

        train(cases, plan, place, settings=settings)

    scaling = ray.ScalingConfig(num_workers=processes, use_gpu=plan.device == "cuda")
    storage = ray.RunConfig(name=place.name, storage_path=str(place.with_name(f"{place.name}.course") / "ray"))
    trainer(work, scaling_config=scaling, run_config=storage).fit()
    return load_model(place)
