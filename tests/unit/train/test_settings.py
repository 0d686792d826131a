"""Settings: read strictly, and a rate that is a function of the step alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from isocenter.errors import UsageError
from isocenter.train.settings import Settings


def test_plain_values_give_the_settings_back() -> None:
    settings = Settings(steps=7, schedule="poly", trackers=("mlflow",), locks=("a.json",), learning_rate=1)
    assert Settings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stepz": 3}, "no setting stepz; it has steps,"),
        ({"steps": 0}, "steps is 1 or more; not 0"),
        ({"steps": "many"}, "steps is a whole number; not 'many'"),
        ({"steps": True}, "steps is a whole number; not True"),
        ({"steps": 1.5}, "steps is a whole number"),
        ({"learning_rate": 0}, "learning_rate is from 1e-12 to 1000; not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is from"),
        ({"ema_decay": 1.0}, "ema_decay is from 0 to 1"),
        ({"optimiser": "adam"}, "The optimiser of training is one of adamw, sgd; not 'adam'"),
        ({"trackers": "mlflow"}, "trackers is a list of words"),
        ({"trackers": ["wandb"]}, "A tracker is one of tensorboard, mlflow; not 'wandb'"),
        ({"mode": 3}, "mode is a word"),
        ({"locks": [3]}, "locks"),
        ({"hold": [1]}, "hold"),
    ],
)
def test_what_is_no_setting_is_told(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings.from_dict(values)


def test_one_cycle_is_that_of_torch() -> None:
    settings = Settings(steps=200, learning_rate=0.01, warmup=0.1)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=200, pct_start=0.1)
    for step in range(200):
        assert settings.rate_at(step) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9, abs=1e-15), step
        optimiser.step()
        if step < 199:
            schedule.step()


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "poly", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_a_rate_rises_in_the_warm_up_and_never_after(schedule: Any, warmup: float) -> None:
    settings = Settings(steps=100, schedule=schedule, warmup=warmup, learning_rate=0.5)
    rates = [settings.rate_at(step) for step in range(100)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 0.5 for rate in rates)
    assert max(rates) == pytest.approx(0.5, rel=0.06)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert abs(top - 100 * warmup) <= 1
    assert schedule == "constant" or rates[-1] < 0.02


def test_what_lies_around_does_not_change_what_is_learned() -> None:
    around = Settings(workers=5, checkpoint_every=3, trackers=("mlflow",), locks=("a",), cache="b")
    assert around.essence == Settings().essence != Settings(seed=1).essence
