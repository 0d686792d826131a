"""Trackers: what they write is read back by their own readers, and nothing leaves the machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from isocenter.train import trackers
from isocenter.train.curve import Point, table, thinned
from isocenter.train.progress import Progress

POINTS = [Point(10, 0.5, 1e-3, 2.0), Point(20, 0.25, 2e-3, 4.0, {"score": 0.75, "dice_left lung": 0.5})]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls elsewhere is caught."""

    def refuse(*args: Any) -> None:
        raise AssertionError(f"a connection to {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def told(name: trackers.Tracker, folder: Path) -> None:
    with trackers.opened([name], folder, name="course") as observer:
        for point in POINTS:
            observer(Progress("learning", point.step, 20, point))
        observer(Progress("validating", 20, 20))


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_was_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    told("tensorboard", tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert {"loss", "rate", "held_out/score"} <= set(found.Tags()["scalars"])
    assert [(one.step, one.value) for one in found.Scalars("held_out/score")] == [(20, 0.75)]


@pytest.mark.usefixtures("offline")
def test_mlflow_reads_what_was_told(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    told("mlflow", tmp_path)
    told("mlflow", tmp_path)  # a course that goes on is a further run of the same experiment
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "mlflow").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("course").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert runs[0].data.metrics["held_out/score"] == 0.75
    history = client.get_metric_history(runs[0].info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(10, 0.5)]


def test_the_table_has_a_column_for_each_score() -> None:
    assert table(POINTS).splitlines() == [
        "step,loss,rate,seconds_s,score,dice_left lung",
        "10,0.5,0.001,2.00,,",
        "20,0.25,0.002,4.00,0.75,0.5",
    ]


def test_a_thinned_curve_keeps_every_score() -> None:
    curve = tuple(Point(n, 0.0, 0.0, 0.0, {"score": 1.0} if n % 7 == 0 else {}) for n in range(1000))
    found = thinned(curve, 50)
    assert [point for point in found if point.scores] == [point for point in curve if point.scores]
    assert len(found) < 250


def test_progress_reads_as_a_line() -> None:
    assert str(Progress("checking", 3, 5)) == "Checking: 3 of 5"
    text = str(Progress("learning", 20, 50, POINTS[1]))
    assert text == "Learning: 20 of 50, loss 0.2500, score 0.7500, dice_left lung 0.5000, 0 min left"
