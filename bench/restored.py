"""What restoring networks gain on real data, beside what needs no learning: noise taken away, thick slices made thin.

=================  ===================================================================================================
``noise_ct``       noise of less dose, alike in neighbouring pixels, added to CT: learned from one chest, proved on
                   another one beside the classical filters
``noise_mr``       Rician noise added to MR: learned from 80 hippocampi, proved on the 24 held out
``thinner_ct``     slices of 3 mm averaged to 6, 9 and 12 mm: learned from one chest, proved on another scanner's,
                   beside linear and cubic interpolation
``thinner_mr``     the same for slices of 1 mm of the hippocampi
=================  ===================================================================================================

Each classical filter stands at its best settings for these images, chosen by the truth of other slices or cases, for
PSNR and SSIM apart. Run by ``python -m bench.restored NAME --steps 700``; the data lie in ``ISOCENTER_TEST_DATA``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.learned import DATA, hippocampus
from scipy import ndimage

import isocenter as iso
from isocenter import codes
from isocenter.augment.chain import Augmentation
from isocenter.augment.noise import DoseNoise, RicianNoise
from isocenter.datasets.dataset import Case, Dataset
from isocenter.geometry import Grid
from isocenter.nets import networks
from isocenter.nets.models.model import weights_of
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.windows import deciding
from isocenter.nets.windows.window import Window
from isocenter.train.cache import CachedCase
from isocenter.train.serving import running
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material, build
from isocenter.train.tasks.quality import middle_of, quality
from isocenter.train.training import train
from isocenter.train.varying import scale_of
from isocenter.volume import Array, Volume

Restore = Callable[[Array], Array]
Scene = tuple[Array, Array]
"""The truth, and the same spoiled: (channel, slice, row, column) each."""

CHEST = Dataset("chest", (Case("chest", (DATA / "chest_ct_covid_P001",)),), ("CT",))
OTHER = Dataset("other", (Case("other", (DATA / "chest_ct_normal001_every3",)),), ("CT",))
TUMOUR = Dataset("tumour", (Case("tumour", (DATA / "ibsi_1_ct_phantom/nifti/image/phantom.nii.gz",)),), ("CT",))
HU = (Normalisation("ct", -1024, 1500, -300, 400),)


def taught(learning: Dataset, held_out: Dataset, plan: Plan, settings: Settings, *, out: Path) -> tuple[Any, Restore]:
    """The task with its cases, and the network taught."""
    began = time.process_time()
    made = train(learning, plan, out, settings=settings)
    print(f"{settings.steps} steps, {time.process_time() - began:.0f} s of processor", flush=True)
    task: Any = build(Material(learning, held_out, plan, settings, Path(settings.cache))).task
    network = networks.build(plan)
    network.load_state_dict(weights_of(made.model)[0])
    runtime = running(network.eval(), plan)
    return task, lambda spoiled: deciding.outputs(spoiled, [runtime], Window.of(plan))


def noise_ct(root: Path, steps: int) -> None:
    network = Network("denoiser", {"features": (16, 32), "blocks": (1, 1)})
    plan = Plan("denoising", ("CT",), (), network, (1, 64, 64), 4, normalisation=HU)
    task, restore = taught(CHEST, OTHER, plan, settings(root, steps, rate=2e-3), out=root / "network")
    case = task.held_out[0]
    clean = middle(case)
    one = 1 / case.scales[0][1]
    for dose in (0.05, 0.1, 0.25):
        noise = Augmentation((DoseNoise(dose=dose, grain_mm=0.6),)).sample(np.random.default_rng(1))
        spoiled = noise.apply(clean, scale=scale_of(case)).images
        print(f"dose {100 * dose:.0f} %, {np.std(spoiled - clean) / one:.0f} HU added")
        tuning, proving = ([(clean[:, part], spoiled[:, part])] for part in (slice(0, 8), slice(8, None)))
        beside(filters(case.grid.spacing_mm, float(np.std(spoiled - clean))), tuning, proving, one=one, learned=restore)


def noise_mr(root: Path, steps: int) -> None:
    learning, held_out = halves()
    network = Network("denoiser", {"features": (16, 32), "blocks": (1, 1)})
    plan = Plan("denoising", learning.channels, (), network, (16, 32, 32), 2, spacing_mm=(1.0,) * 3)
    task, restore = taught(learning, held_out, plan, settings(root, steps), out=root / "network")
    for size in (0.1, 0.2, 0.3):
        noise = Augmentation((RicianNoise(size=size),))
        tuning, proving = (
            [spoiled_by(noise, one, seed) for seed, one in enumerate(cases)]
            for cases in (task.cases[:8], task.held_out)
        )
        noise_size = float(np.mean([np.std(spoiled - clean) for clean, spoiled in tuning]))
        print(f"Rician noise of {size:g} standard deviations, {len(proving)} cases")
        beside(filters((1.0,) * 3, noise_size), tuning, proving, learned=restore)


def thinner_ct(root: Path, steps: int) -> None:
    network = Network("denoiser", {"features": (16, 32), "blocks": (1, 1)})
    plan = Plan(
        "super_resolution", ("CT",), (), network, (16, 32, 32), 2, spacing_mm=(3.0, 0.977, 0.977), normalisation=HU
    )
    task, restore = taught(CHEST, TUMOUR, plan, settings(root, steps), out=root / "network")
    for times in (2, 3, 4):
        print(f"slices of {3 * times} mm, to be 3 mm")
        thinner([middle(one) for one in task.held_out], times, restore, one=1 / task.held_out[0].scales[0][1])


def thinner_mr(root: Path, steps: int) -> None:
    learning, held_out = halves()
    network = Network("denoiser", {"features": (16, 32), "blocks": (1, 1)})
    plan = Plan("super_resolution", learning.channels, (), network, (16, 32, 32), 2, spacing_mm=(1.0,) * 3)
    task, restore = taught(learning, held_out, plan, settings(root, steps), out=root / "network")
    for times in (2, 3, 4):
        print(f"slices of {times} mm, to be 1 mm, {len(task.held_out)} cases")
        thinner([middle(one) for one in task.held_out], times, restore)


def halves() -> tuple[Dataset, Dataset]:
    found, cases = hippocampus()
    bare = tuple(replace(one, label=None) for one in cases)
    return replace(found, cases=bare[24:], labels={}), replace(found, cases=bare[:24], labels={})


def settings(root: Path, steps: int, *, rate: float = 3e-3) -> Settings:
    return Settings(
        steps=steps,
        validate_every=steps,
        cache=str(root / "cache"),
        loss="l2",
        learning_rate=rate,
        clip=1,
        ema_decay=0.99,
    )


def middle(case: CachedCase) -> Array:
    (k, r, c), (deep, high, wide) = middle_of(case.space)
    return np.ascontiguousarray(case.image()[:, k : k + deep, r : r + high, c : c + wide], np.float32)


def spoiled_by(noise: Augmentation, case: CachedCase, seed: int) -> Scene:
    clean, scale = middle(case), scale_of(case)
    return clean, noise.sample(np.random.default_rng(seed)).apply(clean, scale=scale).images


def filters(spacing_mm: Sequence[float], noise: float) -> Iterator[tuple[str, Restore]]:
    """The classical ones with their settings; within slices where these are thick."""
    deep, size = (spacing_mm[0] if spacing_mm[0] < 2 * spacing_mm[1] else 0.0), spacing_mm[1]
    thick = deep or 0.1 * spacing_mm[0]
    flat = iso.filters
    volume_of = seen(spacing_mm)

    def by(work: Callable[[Volume], Volume]) -> Restore:
        return lambda array: work(volume_of(array)).array[None]

    for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.85):
        sigma = (share * deep, share * size, share * size)
        yield f"Gaussian, {share} pixels", by(lambda v, s=sigma: flat.gaussian(v, s))
    near = {"patch_mm": (deep, size, size), "search_mm": (3 * deep, 4 * size, 4 * size)}
    for share in (0.6, 0.8, 1.0, 1.2):
        yield f"non-local means, {share}", by(lambda v, s=share: flat.non_local_means(v, noise, strength=s, **near))
    for share in (0.2, 0.3, 0.4, 0.5, 0.7, 0.9):
        yield f"total variation, {share}", by(lambda v, s=share: flat.total_variation(v, s * noise))
    for width in (0.8, 1.4):
        sigma = (max(width * deep, thick) if deep else thick, width * size, width * size)
        for share in (1.5, 2.0, 3.0, 4.0):
            name = f"bilateral, {width} pixels, {share}"
            yield name, by(lambda v, w=sigma, s=share: flat.bilateral(v, w, s * noise))


def seen(spacing_mm: Sequence[float]) -> Callable[[Array], Volume]:
    """An array as a volume, for a filter."""
    k, r, c = spacing_mm
    return lambda array: Volume(
        array[0], Grid.from_vectors(array.shape[1:], spacing_mm=(k, r, c)), codes.ONE, modality="OT"
    )


def beside(
    ways: Iterator[tuple[str, Restore]],
    tuning: Sequence[Scene],
    proving: Sequence[Scene],
    *,
    learned: Restore,
    one: float = 1.0,
) -> None:
    """Say what the best setting of each filter, and the network, make of the scenes that nothing was chosen by."""
    known = dict(ways)
    kinds = dict.fromkeys(name.partition(",")[0] for name in known)
    tuned = {name: judged(work, tuning)[:2] for name, work in known.items()}
    say("as spoiled", judged(lambda array: array, proving), one)
    for kind in kinds:
        for column, by in enumerate(("PSNR", "SSIM")):
            best = max((name for name in known if name.startswith(kind)), key=lambda name: tuned[name][column])
            say(f"{best} (by {by})", judged(known[best], proving), one)
    say("network", judged(learned, proving), one)


def thinner(cleans: Sequence[Array], times: int, learned: Restore, *, one: float = 1.0) -> None:
    """Say what interpolation and the network make of slices averaged by so many."""
    scenes = []
    for clean in cleans:
        kept = clean[:, : clean.shape[1] // times * times]
        slabs = kept.reshape(1, -1, times, *kept.shape[2:]).mean(axis=2)
        scenes.append((kept, slabs))
    for name, order in (("linear", 1), ("cubic", 3)):
        say(name, judged(lambda slabs, o=order: between(slabs, times, o), scenes), one)
    say("network", judged(lambda slabs: learned(between(slabs, times, 1)), scenes), one)


def between(slabs: Array, times: int, order: int) -> Array:
    """Slices between the middles of slabs; beyond the outermost middles these go on."""
    places = (np.arange(slabs.shape[1] * times) + 0.5) / times - 0.5
    depth = np.clip(places, 0, slabs.shape[1] - 1)
    index = np.meshgrid(depth, *(np.arange(n) for n in slabs.shape[2:]), indexing="ij")
    return ndimage.map_coordinates(slabs[0], index, order=order, mode="nearest")[None].astype(np.float32)


def judged(work: Restore, scenes: Sequence[Scene]) -> tuple[float, float, float, float]:
    """Mean PSNR, SSIM, root of the mean squared error, and mean error."""
    rows = []
    for clean, spoiled in scenes:
        found = work(spoiled)
        missed = found.astype(np.float64) - clean
        rows.append((*quality(found, clean), float(np.sqrt(np.mean(missed**2))), float(missed.mean())))
    psnr, ssim, size, bias = np.mean(rows, axis=0).tolist()
    return psnr, ssim, size, bias


def say(name: str, found: tuple[float, float, float, float], one: float) -> None:
    psnr, ssim, size, bias = found
    print(
        f"  {name:42} PSNR {psnr:6.2f} dB, SSIM {ssim:.4f}, off {size / one:8.3f}, mean {bias / one:+.3f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = {one.__name__: one for one in (noise_ct, noise_mr, thinner_ct, thinner_mr)}
    parser.add_argument("name", choices=ways)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--threads", type=int, default=2)
    folder = Path("bench/out/restored")
    parser.add_argument("--folder", type=Path, default=folder, help="of models; what lies there goes on")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    ways[given.name](given.folder / given.name, given.steps)


if __name__ == "__main__":
    main()
