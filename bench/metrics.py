"""Dice, 95 % Hausdorff distance and surface Dice of 14 structures on 300 slices of 512 x 512, beside every peer.

Run it by ``python -m bench metrics``, or ``python -m bench.metrics --slices 60`` for a short look. The same label maps
for all, in one run; compiling is stated apart. Isocenter gives all its scores (also the mean distance, the Hausdorff
distance and volumes); the peers give the three. ``surface-distance`` weighs surfaces by area, another definition: its
values differ and are shown, not compared. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from bench.timing import best_and_peak, versions_of

ROUNDS = 3
SPACING_MM = (1.0, 0.7, 0.7)
TOLERANCE_MM = 1.0
COUNT = 14
PEERS = ("numpy", "numba", "scipy", "monai", "torch", "surface-distance")

Three = dict[int, tuple[float, float, float]]


def organs(slices: int) -> tuple[Any, Any]:
    """A label map of 14 wavy bodies, large and small, and one that a network might give for it."""
    rng = np.random.default_rng(0)
    truth = np.zeros((slices, 512, 512), np.uint8)
    k, r, c = (np.arange(n, dtype=np.float32) for n in truth.shape)
    for label in range(1, COUNT + 1):
        middle = [n * x for n, x in zip(truth.shape, rng.uniform(0.25, 0.75, 3), strict=True)]
        radii = [n * x for n, x in zip(truth.shape, rng.uniform(0.04, 0.22, 3), strict=True)]
        u, v, w = (((x - m) / s) for x, m, s in zip((k, r, c), middle, radii, strict=True))
        wave = 1 + 0.15 * np.sin(5 * u)[:, None, None] * np.sin(4 * v)[None, :, None] * np.sin(6 * w)[None, None, :]
        truth[(u**2)[:, None, None] + (v**2)[None, :, None] + (w**2)[None, None, :] < wave] = label
    found = np.roll(truth, (1, 2, -1), (0, 1, 2))
    for label in (3, 10):  # a piece that is missed, and one too many
        places = np.argwhere(truth == label)
        middle = places[len(places) // 3]
        ball = sum(
            ((x - m).reshape([-1 if a == axis else 1 for a in range(3)])) ** 2
            for axis, (x, m) in enumerate(zip((k, r, c), middle, strict=True))
        )
        found[(ball < 20**2) & (found == label)] = 0
        found[np.roll(ball < 12**2, 150, 1) & (found == 0)] = label
    return found, truth


def by_isocenter(found: Any, truth: Any) -> Callable[[], Three]:
    from isocenter.evaluate import scores
    from isocenter.findings import Algorithm, Segment, Segmentation
    from isocenter.geometry import Grid

    grid = Grid.from_vectors(truth.shape, spacing_mm=SPACING_MM)
    segments = tuple(Segment.named(f"organ_{label}", label) for label in range(1, COUNT + 1))
    mine, true = (Segmentation((one,), grid, segments, Algorithm("bench", "")) for one in (found, truth))

    def run() -> Three:
        made = scores(mine, true, tolerance_mm=TOLERANCE_MM)
        return {n: (one.dice, one.hd95_mm, one.surface_dice) for n, one in enumerate(made.of, 1)}

    return run


def by_monai(found: Any, truth: Any) -> Callable[[], Three]:
    import warnings

    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

    def run() -> Three:
        made = {}
        for label in range(1, COUNT + 1):
            one, other = (torch.from_numpy(array == label)[None, None] for array in (found, truth))
            options: dict[str, Any] = {"include_background": True, "spacing": SPACING_MM}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made[label] = (
                    float(compute_dice(one, other)),
                    float(compute_hausdorff_distance(one, other, percentile=95, **options)),
                    float(compute_surface_dice(one, other, [TOLERANCE_MM], **options)),
                )
        return made

    return run


def by_scipy(found: Any, truth: Any) -> Callable[[], Three]:
    from scipy import ndimage

    def sides(one: Any, other: Any) -> tuple[Any, Any]:
        edges = [mask ^ ndimage.binary_erosion(mask) for mask in (one, other)]
        ways = [ndimage.distance_transform_edt(~edge, SPACING_MM) for edge in edges]
        return ways[1][edges[0]], ways[0][edges[1]]

    def run() -> Three:
        made = {}
        for label in range(1, COUNT + 1):
            one, other = found == label, truth == label
            box = tuple(
                slice(max(0, s.start - 1), s.stop + 1) for s in ndimage.find_objects((one | other).view(np.uint8))[0]
            )
            one, other = one[box], other[box]
            to_truth, to_found = sides(one, other)
            near = np.count_nonzero(to_truth <= TOLERANCE_MM) + np.count_nonzero(to_found <= TOLERANCE_MM)
            made[label] = (
                2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)),
                max(np.percentile(to_truth, 95), np.percentile(to_found, 95)),
                near / (to_truth.size + to_found.size),
            )
        return made

    return run


def by_surface_distance(found: Any, truth: Any) -> Callable[[], Three]:
    import surface_distance as peer

    def run() -> Three:
        made = {}
        for label in range(1, COUNT + 1):
            one, other = found == label, truth == label
            apart = peer.compute_surface_distances(other, one, SPACING_MM)
            made[label] = (
                peer.compute_dice_coefficient(other, one),
                peer.compute_robust_hausdorff(apart, 95),
                peer.compute_surface_dice_at_tolerance(apart, TOLERANCE_MM),
            )
        return made

    return run


RUNS = {"SciPy, cropped": by_scipy, "surface-distance *": by_surface_distance, "MONAI": by_monai}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=300)
    found, truth = organs(options.parse_args().slices)
    print(f"{versions_of(PEERS)}; {len(os.sched_getaffinity(0))} cores, uint8 {truth.shape}, {COUNT} structures")
    run = by_isocenter(found, truth)
    first, _, _ = best_and_peak(run, 1)
    seconds, peak, mine = best_and_peak(run, ROUNDS)
    print(f"Isocenter            {seconds:8.2f} s (first {first:.2f}), memory {peak / 2**20:.0f} MiB above the input")
    for name, way in RUNS.items():
        try:
            theirs, peak, result = best_and_peak(way(found, truth), ROUNDS)
        except ImportError:
            continue
        apart = max(abs(a - b) for n in mine for a, b in zip(mine[n], result[n], strict=True))
        print(
            f"{name:20} {theirs:8.2f} s {theirs / seconds:6.1f} x, memory {peak / 2**20:.0f} MiB, apart {apart:.2g}",
            flush=True,
        )


if __name__ == "__main__":
    main()
