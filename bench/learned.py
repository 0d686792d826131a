"""What learning gains on real data: few labels with and without pretraining, registration. Denoising: ``restored``.

=================  ===================================================================================================
``few_labels``     hippocampus: 10 labelled cases, fresh and after pretraining on 70 others without labels; 24 held out
``registration``   hippocampus: pairs of cases never seen, beside ``iso.register``
=================  ===================================================================================================

Run by ``python -m bench.learned NAME --steps 300``; the data lie in ``ISOCENTER_TEST_DATA``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

import isocenter as iso
from isocenter.datasets import Split, open_dataset
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import load_case
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.train.settings import Settings
from isocenter.train.tasks.pretraining import pretraining_plan
from isocenter.train.tasks.segmentation import dice_of, mean_of
from isocenter.train.training import train

DATA = Path(os.environ.get("ISOCENTER_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def hippocampus() -> tuple[Dataset, tuple[Case, ...]]:
    """The set, and its cases by the SHA-256 of their names; the first 24 are held out everywhere."""
    found = open_dataset(DATA / "hippocampus_mr_labelled")
    return found, tuple(sorted(found.cases, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest()))


def few_labels(root: Path, steps: int) -> None:
    found, cases = hippocampus()
    held_out, few = replace(found, cases=cases[:24]), replace(found, cases=cases[24:34])
    bare = replace(found, cases=tuple(replace(one, label=None) for one in cases[34:]), labels={})
    network = Network("residual_unet", {"features": (16, 32, 64), "blocks": (1, 1, 1)})
    plan = Plan("segmentation", found.channels, tuple(found.labels), network, (40, 56, 40), 2, spacing_mm=(1.0,) * 3)
    settings = Settings(steps=steps, validate_every=steps, cache=str(root / "cache"))
    began = time.perf_counter()
    before = train(bare, pretraining_plan(plan), root / "before", settings=replace(settings, learning_rate=2e-3))
    print(f"pretrained in {time.perf_counter() - began:.0f} s, loss {before.curve[-1].loss:.3f}", flush=True)
    for seed in range(3):
        for name, start in (("fresh", ""), ("pretrained", str(root / "before"))):
            how = replace(settings, seed=seed, start=start)
            made = train(Split(few, held_out), plan, root / f"{name}_{seed}", settings=how)
            print(f"seed {seed} {name:12} held-out Dice {made.scores['score']:.4f}", flush=True)


def registration(root: Path, steps: int) -> None:
    found, cases = hippocampus()
    held_out = replace(found, cases=cases[:7])
    network = Network("registration", {"features": (8, 16, 32), "blocks": (1, 1, 1)})
    plan = Plan(
        "registration", ("fixed", "moving"), (), network, (40, 56, 40), 1, spacing_mm=(1.0,) * 3, outputs=3,
        normalisation=(Normalisation(),) * 2,
    )  # fmt: skip
    settings = Settings(steps=steps, validate_every=steps, cache=str(root / "cache"), learning_rate=2e-3)
    made = train(Split(replace(found, cases=cases[24:]), held_out), plan, root / "registration", settings=settings)
    said = {name: round(value, 4) for name, value in made.scores.items()}
    print(f"learned in {made.curve[-1].seconds_s:.0f} s: {said}", flush=True)
    loaded = [load_case(one, held_out) for one in held_out.cases]
    for kind in ("affine", "diffeomorphic"):
        began, dice = time.perf_counter(), []
        for fixed, moving in pairwise(loaded):
            result = iso.register(fixed.images[0], moving.images[0], kind=kind, start="geometry")
            moved = result.transform.apply(moving.segmentation, onto=fixed.images[0].grid)
            dice.append(mean_of(dice_of(np.asarray(moved.array), fixed.segmentation.array, len(found.labels))))
        print(
            f"iso.register {kind:14} Dice {np.mean(dice):.4f}, {(time.perf_counter() - began) / len(dice):.1f} s a pair"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = {one.__name__: one for one in (few_labels, registration)}
    parser.add_argument("name", choices=ways)
    parser.add_argument("--steps", type=int, default=300)
    folder = Path("bench/out/learned")
    parser.add_argument("--folder", type=Path, default=folder, help="of models; what lies there goes on")
    given = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    ways[given.name](given.folder / given.name, given.steps)


if __name__ == "__main__":
    main()
