"""The loop: a course that is broken off, in whatever way, goes on as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.train.brightness import Brightness, course, network, taught

from isocenter.errors import Refused, TryLater, UsageError
from isocenter.train.course import Learned
from isocenter.train.loop import learn
from isocenter.train.progress import Progress

PROGRAM = Path(__file__).with_name("brightness.py")
STEPS = 100


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """What the program learns if nobody breaks it off."""
    return taught(tmp_path_factory.mktemp("undisturbed"), steps=STEPS)


def started(folder: Path, **environment: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(STEPS)],
        env={**os.environ, "PYTHONPATH": f"{root}/src:{root}", **environment},
        **pipes,
    )


def told(process: subprocess.Popen[str], what: str) -> None:
    """Wait until the program says something."""
    assert process.stdout is not None
    assert any(what in line for line in process.stdout), process.stderr.read() if process.stderr else ""


def same(one: Learned, other: Learned) -> bool:
    """Whether two courses are equal to the bit, but for the time they took."""
    points = [[(p.step, p.loss, p.rate, dict(p.scores)) for p in made.curve] for made in (one, other)]
    return points[0] == points[1] and equal(one.weights, other.weights)


def equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def codes(made: Learned) -> list[str]:
    return [reason.code for reason in made.reasons]


def test_a_network_learns_what_it_is_taught(tmp_path: Path) -> None:
    made = taught(tmp_path, steps=150, learning_rate=0.02)
    assert [point.step for point in made.curve if point.scores] == [20, 40, 60, 80, 100, 120, 140, 150]
    assert made.curve[-1].scores["score"] > 0.9 > made.curve[0].loss
    assert made.curve[-1].loss < 0.2 * made.curve[0].loss
    assert (tmp_path / "curve.csv").read_text().splitlines()[0] == "step,loss,rate,seconds_s,score,voxels"


def test_a_killed_course_goes_on_to_the_same_bits(tmp_path: Path, undisturbed: Learned) -> None:
    with started(tmp_path) as process:
        told(process, "'done': 50")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    resumed = taught(tmp_path, steps=STEPS)
    assert codes(resumed) == ["TRAINING_RESUMED"]
    assert undisturbed.reasons == ()
    assert same(resumed, undisturbed)


def test_two_processes_learn_the_same_weights(tmp_path: Path, undisturbed: Learned) -> None:
    port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(29500 + os.getpid() % 2000), "WORLD_SIZE": "2"}
    both = [started(tmp_path, RANK=str(rank), LOCAL_RANK=str(rank), **port) for rank in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    weights = [torch.load(tmp_path / f"weights_{rank}.pt", weights_only=True) for rank in range(2)]
    assert equal(*weights)
    assert not said[1][0], "the second process tells nobody"
    assert not equal(weights[0], undisturbed.weights), "two learn from more than one"


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    whole = taught(tmp_path / "whole")
    interrupted(tmp_path / "broken", at=40)
    last = max((tmp_path / "broken").glob("step_*.checkpoint"))
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 1
    last.write_bytes(data)
    resumed = taught(tmp_path / "broken")
    assert codes(resumed) == ["CHECKPOINT_DAMAGED", "TRAINING_RESUMED"]
    assert same(resumed, whole)


def interrupted(folder: Path, *, at: int, **settings: Any) -> None:
    """A course that is stopped after so many steps."""

    def tell(progress: Progress) -> None:
        if progress.done == at and progress.stage == "learning":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TryLater, match="goes on from there"):
        learn(network(), Brightness(), course(folder, **settings), observer=tell)


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0},
        {"workers": 3},
        {"accumulation": 3},
        {"optimiser": "sgd", "schedule": "poly", "learning_rate": 1e-3},
        {"schedule": "cosine", "ema_decay": 0.0, "clip": 0.0},
        {"precision": "bf16"},
        {"precision": "fp16"},
        {"keep": "best"},
    ],
    ids=str,
)
def test_every_setting_resumes_to_the_same_bits(tmp_path: Path, settings: dict[str, Any]) -> None:
    interrupted(tmp_path / "broken", at=30, **settings)
    assert same(taught(tmp_path / "broken", **settings), taught(tmp_path / "whole", **settings))


def test_accumulated_batches_count_as_one(tmp_path: Path) -> None:
    one, other = (taught(tmp_path / str(n), accumulation=n, steps=20) for n in (1, 4))
    assert not equal(one.weights, other.weights)
    losses = [[point.loss for point in made.curve] for made in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=0.2), "a mean over the parts, not their sum"


def test_the_curve_tells_all_the_time_that_learning_took(tmp_path: Path) -> None:
    seconds = iter(range(1000))
    here = replace(course(tmp_path, steps=40), clock=lambda: float(next(seconds)))
    assert [point.seconds_s for point in learn(network(), Brightness(), here).curve] == [1, 2, 3, 4]


def test_other_seeds_are_other_courses(tmp_path: Path) -> None:
    assert not same(taught(tmp_path / "0", steps=20), taught(tmp_path / "1", steps=20, seed=1))


def test_another_course_does_not_go_on(tmp_path: Path) -> None:
    interrupted(tmp_path, at=20)
    with pytest.raises(UsageError, match="holds a course with another plan"):
        learn(network(), Brightness(), replace(course(tmp_path), identity="another"))


def test_patience_ends_a_course_that_gains_nothing(tmp_path: Path) -> None:
    made = taught(tmp_path, patience=2, validate_every=5, learning_rate=1e-12, schedule="constant")
    assert codes(made) == ["TRAINING_STOPPED_EARLY"]
    assert made.step == 15


def test_the_best_weights_are_kept_where_asked_for(tmp_path: Path) -> None:
    made = taught(tmp_path, keep="best", validate_every=5)
    scores = {point.step: point.scores["score"] for point in made.curve if point.scores}
    assert scores[made.step] == max(scores.values())


class Strange(Brightness):
    """A task whose loss goes wrong once it has learned something."""

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong

    def loss(self, network: Any, batch: Any) -> Any:
        loss = super().loss(network, batch)
        return loss * self.wrong if loss < 0.5 else loss


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_told_with_its_step(tmp_path: Path, wrong: float) -> None:
    with pytest.raises(Refused, match=r"At step \d+ .* it was 0\.\d+ at step \d+.* Lower learning_rate") as refused:
        learn(network(), Strange(wrong), course(tmp_path, steps=200))
    assert refused.value.reasons[0].code == "TRAINING_DIVERGED"


class Steep(Brightness):
    """A task with a loss that is finite, and a gradient that is not."""

    def loss(self, network: Any, batch: Any) -> Any:
        return super().loss(network, batch) + (network(batch.images).float() * 0).abs().sqrt().sum()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_gradient_that_is_no_number_is_told(tmp_path: Path, precision: str) -> None:
    with pytest.raises(Refused) as refused:
        learn(network(), Steep(), course(tmp_path, precision=precision))
    assert refused.value.reasons[0].code == "TRAINING_DIVERGED"


class Undefined(Brightness):
    """A task with a score that is not defined, of a label that no held-out case has."""

    def validate(self, network: Any) -> Any:
        return {**super().validate(network), "dice_none": float("nan")}


def test_a_score_that_is_not_defined_is_left_out(tmp_path: Path) -> None:
    made = learn(network(), Undefined(), course(tmp_path, steps=20))
    assert set(made.curve[-1].scores) == {"score", "voxels"}


class Vast(Brightness):
    """A task that needs more memory than there is."""

    def loss(self, network: Any, batch: Any) -> Any:
        return super().loss(network, batch) + torch.zeros(1 << 50).sum()


def test_want_of_memory_is_told_with_what_to_lower(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Lower the plan's batch") as refused:
        learn(network(), Vast(), course(tmp_path))
    assert refused.value.reasons[0].code == "TRAINING_OUT_OF_MEMORY"


class Damaged(Brightness):
    """A task with a case that cannot be read."""

    def sample(self, rng: Any) -> Any:
        if rng.random() < 0.2:
            raise Refused([])
        return super().sample(rng)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_thread_meets_is_raised_and_no_thread_is_left(tmp_path: Path, workers: int) -> None:
    import threading

    with pytest.raises(Refused):
        learn(network(), Damaged(), course(tmp_path, workers=workers))
    assert not [one for one in threading.enumerate() if one.name.startswith("isocenter-draw")]


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match="There is no GPU"):
        learn(network(), Brightness(), replace(course(tmp_path), device="cuda"))


def test_the_callers_generator_and_modes_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model, before, handler = network(), torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    learn(model, Brightness(), course(tmp_path, steps=5))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()
    assert signal.getsignal(signal.SIGINT) is handler
