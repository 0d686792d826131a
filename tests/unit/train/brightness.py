"""A task that a network of a few weights learns in seconds, and a program that learns it: for the tests of the loop.

Bright cubes on noise are to be found: what is true is known, each step draws new ones, and a validation draws others.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from isocenter.errors import IsocenterError
from isocenter.train import distributed
from isocenter.train.course import Course, Learned
from isocenter.train.loop import learn
from isocenter.train.progress import Progress
from isocenter.train.settings import Settings
from isocenter.train.tasks import Batch

SHAPE = (8, 10, 12)


class Brightness:
    """Find bright cubes."""

    def sample(self, rng: np.random.Generator) -> Batch:
        truth = np.zeros((2, *SHAPE), np.int64)
        for one in truth:
            k, r, c = rng.integers(0, 5, 3)
            one[k : k + 4, r : r + 4, c : c + 4] = 1
        images = rng.normal(0, 1, truth.shape) + 2 * truth
        return Batch(torch.from_numpy(images[:, None].astype(np.float32)), torch.from_numpy(truth))

    def loss(self, network: Any, batch: Batch) -> Any:
        return functional.cross_entropy(network(batch.images).float(), batch.truth)

    def validate(self, network: Any) -> Mapping[str, float]:
        batch = self.sample(np.random.default_rng(99))
        with torch.no_grad():
            found = network(batch.images).argmax(1)
        both = int(((found == 1) & (batch.truth == 1)).sum())
        return {
            "score": 2 * both / int((found == 1).sum() + (batch.truth == 1).sum()),
            "voxels": float((found == 1).sum()),
        }


def network(seed: int = 0) -> Any:
    """Two convolutions, with a dropout that draws numbers of its own."""
    torch.manual_seed(seed)
    first, last = torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Conv3d(4, 2, 3, padding=1)
    return torch.nn.Sequential(first, torch.nn.LeakyReLU(), torch.nn.Dropout(0.1), last)


def course(folder: Path, **settings: Any) -> Course:
    """A short course in deterministic mode."""
    usual = {"steps": 60, "validate_every": 20, "checkpoint_every": 7, "mode": "deterministic", "precision": "fp32"}
    return Course(Settings(**{**usual, **settings}), folder)


def taught(folder: Path, **settings: Any) -> Learned:
    """What comes of such a course."""
    return learn(network(), Brightness(), course(folder, **settings))


def tell(progress: Progress) -> None:
    """Tell whoever started the program."""
    sys.stdout.write(f"{progress.to_dict()}\n")
    sys.stdout.flush()


def main() -> int:
    """Learn in a folder, telling each point; exit as the command line does."""
    torch.set_num_threads(1)
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with distributed.joined("cpu") as world:
            made = learn(network(world.rank), Brightness(), course(folder, steps=steps), world=world, observer=tell)
            torch.save(made.weights, folder / f"weights_{world.rank}.pt")
    except IsocenterError as error:
        sys.stderr.write(str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
