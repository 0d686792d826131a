"""What learning gains on real data: few labels with and without pretraining, denoising, registration.

=================  ===================================================================================================
``few_labels``     hippocampus: 10 labelled cases, fresh and after pretraining on 70 others without labels; 24 held out
``denoising``      noise added to CT: learned from one scan, proved on another, beside the classical filters
``registration``   hippocampus: pairs of cases never seen, beside ``iso.register``
=================  ===================================================================================================

Run by ``python -m bench.learned NAME --steps 300``; the data lie in ``ISOCENTER_TEST_DATA``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isocenter as iso
from isocenter import codes
from isocenter.datasets import Split, open_dataset
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import load_case
from isocenter.geometry import Grid
from isocenter.nets import networks
from isocenter.nets.models.model import weights_of
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.windows import deciding
from isocenter.nets.windows.window import Window
from isocenter.train.serving import running
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material, build
from isocenter.train.tasks.pretraining import pretraining_plan
from isocenter.train.tasks.quality import quality
from isocenter.train.tasks.segmentation import dice_of, mean_of
from isocenter.train.training import train
from isocenter.volume import Volume

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


def denoising(root: Path, steps: int) -> None:
    first = Dataset("first", (Case("first", (DATA / "chest_ct_covid_P001",)),), ("CT",))
    second = Dataset("second", (Case("second", (DATA / "chest_ct_normal001_every3",)),), ("CT",))
    network = Network("denoiser", {"features": (16, 32, 64), "blocks": (1, 1, 1)})
    ct = (Normalisation("ct", -1024, 1500, -300, 400),)
    plan = Plan("denoising", ("CT",), (), network, (1, 96, 96), 8, normalisation=ct)
    settings = Settings(
        steps=steps, validate_every=steps, cache=str(root / "cache"), loss="l2", learning_rate=2e-3, clip=1
    )
    began = time.perf_counter()
    made = train(first, plan, root / "denoiser", settings=settings)
    print(f"learned in {time.perf_counter() - began:.0f} s", flush=True)
    task: Any = build(Material(first, second, plan, settings, root / "cache")).task
    learned = networks.build(plan)
    learned.load_state_dict(weights_of(made.model)[0])
    case = task.held_out[0]
    clean, spoiled = task.pair(case, np.random.default_rng(0))
    ((offset, factor),) = case.scales
    hu = lambda array: array * np.float32(factor) + np.float32(offset)  # noqa: E731

    def say(name: str, array: np.ndarray, seconds: float) -> None:
        psnr, ssim = quality(array, clean)
        error = hu(array) - hu(clean)
        print(
            f"{name:20} PSNR {psnr:6.2f} dB, SSIM {ssim:.4f}, {np.sqrt(np.mean(error**2)):6.2f} HU off,"
            f" bias {error.mean():+.2f} HU, {seconds:.1f} s",
            flush=True,
        )

    say("as spoiled", spoiled, 0)
    began = time.perf_counter()
    given = deciding.outputs(spoiled, [running(learned.eval(), plan)], Window.of(plan))
    say("network", given, time.perf_counter() - began)
    grid = Grid.from_vectors(clean.shape[1:], spacing_mm=case.grid.spacing_mm)
    noise = float(np.std(hu(spoiled) - hu(clean)))
    for name, work in filters(Volume(hu(spoiled[0]), grid, codes.HU, modality="CT"), noise):
        began = time.perf_counter()
        array = work().array
        say(name, ((array - offset) / factor)[None].astype(np.float32), time.perf_counter() - began)


def filters(volume: Volume, noise: float) -> Iterator[tuple[str, Callable[[], Volume]]]:
    """The classical ones within slices (these are 6 mm apart), each with some settings: the best is the one to beat."""
    flat = iso.filters
    for size in (0.3, 0.4, 0.5):
        yield f"Gaussian {size} mm", lambda s=size: flat.gaussian(volume, (0.01, s, s))
    for share in (0.8, 1.2):
        near = {"patch_mm": (0.1, 1.0, 1.0), "search_mm": (0.1, 3.5, 3.5)}
        yield f"non-local {share}", lambda s=share, n=near: flat.non_local_means(volume, noise, strength=s, **n)
    for share in (0.2, 0.3, 0.4, 0.6):
        yield f"total variation {share}", lambda s=share: flat.total_variation(volume, s * noise)
    for share in (1.5, 2.0, 3.0):
        yield f"bilateral {share}", lambda s=share: flat.bilateral(volume, (0.1, 1.0, 1.0), s * noise)


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
    ways = {one.__name__: one for one in (few_labels, denoising, registration)}
    parser.add_argument("name", choices=ways)
    parser.add_argument("--steps", type=int, default=300)
    folder = Path("bench/out/learned")
    parser.add_argument("--folder", type=Path, default=folder, help="of models; what lies there goes on")
    given = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    ways[given.name](given.folder / given.name, given.steps)


if __name__ == "__main__":
    main()
