"""Where a course can be watched: TensorBoard and MLflow, as files on this machine. Nothing is sent anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from isocenter.extras import needed
from isocenter.train.progress import Observer, Progress, all_of
from isocenter.train.settings import Tracker

_EXTRA = "tracking"


@contextmanager
def opened(names: Sequence[Tracker], folder: Path, *, name: str) -> Iterator[Observer]:
    """An observer that tells each tracker; they are closed at the end.

    Parameters
    ----------
    names
        Which.
    folder
        They write below it, to ``tensorboard`` and ``mlflow``.
    name
        What the course is called there.

    Raises
    ------
    MissingExtra
        If a tracker is not installed.
    """
    ways = {"tensorboard": _tensorboard, "mlflow": _mlflow}
    with ExitStack() as stack:
        yield all_of(*(stack.enter_context(ways[one](folder, name)) for one in names))


@contextmanager
def _tensorboard(folder: Path, _name: str) -> Iterator[Observer]:
    needed("tensorboard", _EXTRA)
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "tensorboard") as writer:

        def tell(progress: Progress) -> None:
            for name, value in _values(progress).items():
                writer.add_scalar(name, value, progress.done)

        yield tell


@contextmanager
def _mlflow(folder: Path, name: str) -> Iterator[Observer]:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # files need no server and no database
    client = needed("mlflow", _EXTRA).MlflowClient(tracking_uri=(folder / "mlflow").resolve().as_uri())
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    try:

        def tell(progress: Progress) -> None:
            for key, value in _values(progress).items():
                client.log_metric(run, key.replace(" ", "_"), value, step=progress.done)

        yield tell
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run, "FINISHED")


def _values(progress: Progress) -> dict[str, float]:
    """What there is to be plotted of a point; of one that was validated, its scores."""
    point = progress.point
    if point is None:
        return {}
    if point.scores:
        return {f"held_out/{name}": value for name, value in point.scores.items()}
    return {"loss": point.loss, "rate": point.rate}
