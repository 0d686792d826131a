"""One click into a structure of a CT, against SimpleITK and scikit-image from the same point, seconds and Dice.

Run it by ``python -m bench.prompting IMAGE.nii.gz LABELS.nii.gz 5 1 2``: an image, a label map on its grid, and the
labels to look for; without arguments it takes the lungs of a phantom of 512 x 512 x 300. The peers are given what a
person would have to find out by trying: of several tolerances (SimpleITK) or weights (scikit-image, which is also given
the box around the structure, whose border it takes for outside) the one that comes nearest to the truth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from bench.timing import best_of

ROUNDS = 3
CLICKS = 5


def dice(one: Any, other: Any) -> float:
    return 2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other))


def by_confidence(image: Any, seed: tuple[int, ...]) -> Iterator[Callable[[], Any]]:
    import SimpleITK as sitk  # noqa: N813

    place = [int(at) for at in seed[::-1]]
    for multiplier in (1.5, 2.0, 2.5, 3.0):
        yield lambda multiplier=multiplier: sitk.GetArrayFromImage(
            sitk.ConfidenceConnected(image, [place], 3, multiplier, 2, 1)
        )


def by_fast_marching(image: Any, seed: tuple[int, ...]) -> Iterator[Callable[[], Any]]:
    import SimpleITK as sitk  # noqa: N813

    place = [int(at) for at in seed[::-1]]

    def arrival() -> Any:
        edges = sitk.GradientMagnitudeRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat32), 3.0)
        speed = sitk.BoundedReciprocal(edges)
        return sitk.GetArrayFromImage(sitk.FastMarching(speed, [place], 1.0, 1e4))

    for stop in (100, 200, 400, 800, 1600):
        yield lambda stop=stop: arrival() < stop


def by_random_walker(array: Any, seed: tuple[int, ...], truth: Any, spacing: Any) -> Iterator[Callable[[], Any]]:
    from skimage.segmentation import random_walker

    hit = np.argwhere(truth)
    start, stop = np.maximum(hit.min(0) - 4, 0), np.minimum(hit.max(0) + 5, truth.shape)
    box = tuple(map(slice, start, stop))
    part = np.clip(array[box].astype(float), *np.percentile(array[box], (1, 99)))
    marks = np.full(part.shape, 2)
    marks[tuple(slice(1 if n > 2 else 0, -1 if n > 2 else None) for n in part.shape)] = 0
    near = np.maximum(np.subtract(seed, start) - 2, 0)
    marks[tuple(slice(at, at + 5) for at in near)] = 1  # a single voxel is nothing beside a whole border

    def walked(beta: float) -> Any:
        out = np.zeros(truth.shape, bool)
        out[box] = random_walker(part, marks, beta, mode="cg_j", spacing=spacing) == 1
        return out

    for beta in (30, 130, 600):
        yield lambda beta=beta: walked(beta)


def best_try(tries: Iterator[Callable[[], Any]], truth: Any) -> str:
    seconds, score = min((best_of(run, 1) for run in tries), key=lambda pair: -dice(pair[1] > 0, truth))
    return f"{seconds:8.2f} {dice(score > 0, truth):5.2f}"


def cases() -> Iterator[tuple[Any, str, Any]]:
    """Image, name and truth of each structure."""
    from isocenter.findings import Algorithm, Segment, Segmentation
    from isocenter.formats import load, load_segmentation
    from isocenter.testing.phantom import chest_grid, chest_phantom

    if len(sys.argv) > 3:
        volume, labels = load(sys.argv[1]), load_segmentation(sys.argv[2])
        for value in sys.argv[3:]:
            mask = (labels.array == int(value)).astype(np.uint8)
            yield volume, value, Segmentation((mask,), labels.grid, (Segment.named(value),), Algorithm("truth", ""))
        return
    phantom = chest_phantom(chest_grid((300, 512, 512), (1.1, 0.7, 0.7)))
    for name in ("lung_right", "lung_left"):
        yield phantom.volume, name, phantom.truth.only(name)


def main() -> None:
    import SimpleITK as sitk  # noqa: N813
    import skimage

    from isocenter.bridges import to_simpleitk
    from isocenter.ops.prompting import begin, next_click

    print(f"SimpleITK {sitk.Version.VersionString()}, scikit-image {skimage.__version__}, seconds and Dice")
    print("structure    prepare  isocenter: clicks (seconds each)   confidence     fast march.    random walker")
    for volume, name, truth in cases():
        mask = truth.mask(name)
        prepare, session = best_of(lambda volume=volume, name=name: begin(volume, name=name), ROUNDS)
        seed = np.unravel_index(0, mask.shape)
        found, scores, times = None, [], []
        for number in range(CLICKS):
            click = next_click(truth, found, name=name)
            if click is None:
                break
            if number == 0:
                seed = tuple(np.rint(volume.grid.to_index(click.point_mm)).astype(int).tolist())
            seconds, session = best_of(
                lambda click=click, session=session: session.click(click.point_mm, click.side), ROUNDS
            )
            start = time.perf_counter()
            found = session.segmentation
            times.append(seconds + time.perf_counter() - start)
            scores.append(dice(found.mask(name), mask))
        ours = " ".join(f"{score:.2f}({seconds:.2f})" for score, seconds in zip(scores, times, strict=True))
        print(f"{name:12} {prepare:7.2f}  {ours}", end="  ", flush=True)
        image = to_simpleitk(volume)
        print(best_try(by_confidence(image, seed), mask), end=" ")
        print(best_try(by_fast_marching(image, seed), mask), end=" ", flush=True)
        small = mask.size < 5_000_000
        print(best_try(by_random_walker(volume.array, seed, mask, volume.spacing_mm), mask) if small else "  (hours)")


if __name__ == "__main__":
    main()
