"""Augmenting patches of 96^3 with labels (elastic, affine, flip, noise, gamma), beside every peer at hand, in one run.

Run it by ``python -m bench augmentation``, or ``python -m bench.augmentation --rounds 3`` for a short look; by the
Python of ``make peers`` batchgeneratorsv2 is among them. One thread; the median of the rounds counts, since steps are
drawn anew in each. The peers' elastic models differ: batchgeneratorsv2 and MONAI smooth white noise, TorchIO and
Isocenter bend by cubic B-splines.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from bench.timing import versions_of

SIDE = 96
PEERS = ("numpy", "numba", "torch", "monai", "torchio", "batchgenerators", "batchgeneratorsv2")

Run = Callable[[Any, Any], Any]


def by_isocenter(seed: int) -> Run:
    from isocenter.augment import Affine, Augmentation, Elastic, Flip, Gamma, Noise

    chain = Augmentation(
        (
            Elastic(displacement_mm=(0, 7), control_mm=20),
            Affine(rotation_degrees=(-15, 15), scale=(0.8, 1.2)),
            Flip(axes=(0, 1, 2)),
            Noise(size=(0, 0.1)),
            Gamma(exponent=(0.7, 1.5)),
        )
    )
    random = np.random.default_rng(seed)
    return lambda image, labels: chain.sample(random).apply(image, labels)


def on_torch(seed: int) -> Run:
    """The same definition on torch, here on the processor."""
    import torch

    from isocenter.augment import Affine, Augmentation, Elastic, Flip, Gamma, Noise
    from isocenter.augment.on_torch import apply

    steps = (Elastic(displacement_mm=(0, 7), control_mm=20), Affine(), Flip(axes=(0, 1, 2)), Noise(), Gamma())
    chain, random = Augmentation(steps), np.random.default_rng(seed)
    return lambda image, labels: apply(
        [chain.sample(random)], torch.from_numpy(image)[None], torch.from_numpy(labels)[None]
    )


def by_batchgenerators_2(seed: int) -> Run:
    import torch
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    np.random.seed(seed)  # noqa: NPY002 - it has no other source
    torch.manual_seed(seed)
    turn = np.radians(15)
    chain = ComposeTransforms(
        [
            SpatialTransform(
                (SIDE,) * 3, 0, random_crop=False, p_elastic_deform=1, p_rotation=1, rotation=(-turn, turn),
                p_scaling=1, scaling=(0.8, 1.2), mode_seg="nearest", padding_mode_image="border",
            ),
            MirrorTransform((0, 1, 2)),
            GaussianNoiseTransform((0, 0.1)),
            GammaTransform((0.7, 1.5), p_invert_image=0, synchronize_channels=False, p_per_channel=1, p_retain_stats=0),
        ]
    )  # fmt: skip
    return lambda image, labels: chain(
        image=torch.from_numpy(image), segmentation=torch.from_numpy(labels[None].astype(np.int16))
    )


def by_torchio(seed: int) -> Run:
    import torch
    import torchio

    torch.manual_seed(seed)
    chain = torchio.Compose(
        [
            torchio.RandomElasticDeformation(num_control_points=7, max_displacement=7),
            torchio.RandomAffine(scales=0.2, degrees=15),
            torchio.RandomFlip((0, 1, 2)),
            torchio.RandomNoise(std=(0, 0.1)),
            torchio.RandomGamma(),
        ]
    )
    return lambda image, labels: chain(
        torchio.Subject(
            image=torchio.ScalarImage(tensor=torch.from_numpy(image)),
            label=torchio.LabelMap(tensor=torch.from_numpy(labels[None])),
        )
    )


def by_monai(seed: int) -> Run:
    import torch
    from monai import transforms

    both = ("image", "label")
    chain = transforms.Compose(
        [
            transforms.Rand3DElasticd(
                both, (5, 7), (50, 150), prob=1, rotate_range=(0.26,) * 3, scale_range=(0.2,) * 3,
                mode=("bilinear", "nearest"), padding_mode="border",
            ),
            transforms.RandAxisFlipd(both, prob=0.5),
            transforms.RandGaussianNoised("image", prob=1, std=0.1),
            transforms.RandAdjustContrastd("image", prob=1, gamma=(0.7, 1.5)),
        ]
    ).set_random_state(seed)  # fmt: skip
    return lambda image, labels: chain({"image": torch.from_numpy(image), "label": torch.from_numpy(labels[None])})


RUNS: dict[str, Callable[[int], Run]] = {
    "Isocenter": by_isocenter, "Isocenter on torch": on_torch, "batchgeneratorsv2": by_batchgenerators_2,
    "MONAI": by_monai, "TorchIO": by_torchio,
}  # fmt: skip


def patch() -> tuple[Any, Any]:
    """Smooth structures with noise, and six labels."""
    k, r, c = np.ogrid[:SIDE, :SIDE, :SIDE]
    waves = np.sin(k / 9) * np.sin(r / 11 + c / 17)
    noise = np.random.default_rng(0).standard_normal((SIDE,) * 3, np.float32)
    image = (waves + np.float32(0.1) * noise).astype(np.float32)[None]
    return image, (3 + 2.9 * waves).astype(np.uint8)


def seconds_of(run: Run, rounds: int, image: Any, labels: Any) -> float:
    run(image, labels)
    took = []
    for _ in range(rounds):
        start = time.process_time()
        run(image, labels)
        took.append(time.process_time() - start)
    return statistics.median(took)


def at_the_limit(image: Any, labels: Any) -> None:
    """What the processor can do at most: the values copied once, and eight of them fetched for each voxel."""
    random = np.random.default_rng(0)
    flat = image.ravel()
    places = (np.arange(flat.size) + random.integers(-2, 3, flat.size)).clip(0, flat.size - 1)
    copy = seconds_of(lambda a, b: (a.copy(), b.copy()), 9, image, labels)
    fetch = seconds_of(lambda a, _: a.ravel().take(places), 9, image, labels)
    moved = 2 * (image.nbytes + labels.nbytes) / 1e6
    print(f"    {'read and written once':22} {1e3 * copy:8.2f} ms   {moved:.0f} MB")
    print(f"    {'one fetch for each':22} {1e3 * fetch:8.2f} ms   linear interpolation needs eight, labels one")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    rounds = options.parse_args().rounds
    with suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    image, labels = patch()
    print(versions_of(PEERS))
    print(f"median of {rounds} patches of {SIDE}^3 with labels, seconds of the processor, one thread")
    ours = 0.0
    for name, make in RUNS.items():
        try:
            seconds = seconds_of(make(0), rounds, image, labels)
        except ImportError:
            continue
        ours = ours or seconds
        print(
            f"    {name:22} {1e3 * seconds:8.1f} ms  {1 / seconds:6.1f} patches/s/core  {seconds / ours:6.1f} x",
            flush=True,
        )
    at_the_limit(image, labels)


if __name__ == "__main__":
    main()
