"""The sliding window by itself, around networks that cost nothing, beside MONAI's on the same input in one run.

Run it by ``python -m bench window``, or ``python -m bench.window --slices 60`` for a short look. An identity network
shows what the window costs; a network with a head shows what classes cost. The best of a few rounds counts.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np
from bench.resampling import PEERS
from bench.timing import best_and_peak, versions_of

ROUNDS = 5
ROI = (96, 96, 96)
FEATURES = 8


class Identity:
    """A network that gives what it is given."""

    name, device, head = "identity", "cpu", None

    def __call__(self, batch: Any) -> Any:  # noqa: D102 - as of every runtime
        return batch


class Featured:
    """A network that gives features at no cost, and a head of some classes."""

    name, device = "featured", "cpu"

    def __init__(self, classes: int) -> None:
        from isocenter.nets.runtimes import Head

        rng = np.random.default_rng(0)
        weight = rng.normal(size=(classes, FEATURES)).astype(np.float32)
        self.head = Head(weight, rng.normal(size=classes).astype(np.float32))

    def __call__(self, batch: Any) -> Any:  # noqa: D102 - as of every runtime
        return np.concatenate([batch * np.float32(n / FEATURES) for n in range(FEATURES)], axis=1)


def by_isocenter(array: Any) -> Any:
    from isocenter.nets.windows.deciding import outputs
    from isocenter.nets.windows.window import Window

    return lambda: outputs(array, [Identity()], Window(ROI))


def by_monai(array: Any, batch: int = 4, **options: Any) -> Any:
    import torch
    from monai.inferers import sliding_window_inference

    image = torch.from_numpy(array)[None]

    def run() -> Any:
        with torch.inference_mode():
            net = torch.nn.Identity()
            return sliding_window_inference(image, ROI, batch, net, overlap=0.5, mode="gaussian", **options).numpy()[0]

    return run


def labels_by_isocenter(array: Any, classes: int) -> Any:
    from isocenter.nets.windows.deciding import labels
    from isocenter.nets.windows.window import Window

    return lambda: labels(array, [Featured(classes)], Window(ROI))


def labels_by_monai(array: Any, classes: int) -> Any:
    import torch
    from monai.inferers import sliding_window_inference

    image, net = torch.from_numpy(array)[None], Featured(classes)
    weight, bias = torch.from_numpy(net.head.weight), torch.from_numpy(net.head.bias)[:, None, None, None]

    def outputs(batch: Any) -> Any:
        return torch.einsum("of,bfkrc->bokrc", weight, torch.from_numpy(net(batch.numpy()))) + bias

    def run() -> Any:
        with torch.inference_mode():
            return sliding_window_inference(image, ROI, 1, outputs, overlap=0.5, mode="gaussian")[0].argmax(0).numpy()

    return run


def shown(title: str, run: Any, rounds: int, mine: tuple[float, float, Any] | None = None) -> Any:
    run()
    seconds, peak, result = best_and_peak(run, rounds)
    more = "" if mine is None else f"   {seconds / mine[0]:.1f} x the time, {peak / mine[1]:.1f} x the memory"
    print(f"  {title:22} {seconds:7.3f} s  {peak / 2**20:7.0f} MiB{more}", flush=True)
    return seconds, peak, result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=300)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    given = options.parse_args()
    array = np.random.default_rng(0).random((1, given.slices, 320, 320), np.float32)
    print(f"{versions_of(PEERS)}; {len(os.sched_getaffinity(0))} cores")
    print(f"float32 {array.shape[1:]}, windows {ROI}, overlap 0.5")
    print("seconds; memory above what was held, with the result\n\nidentity network, whole output:")
    mine = shown("isocenter", by_isocenter(array), given.rounds)
    theirs = shown("MONAI, 4 windows", by_monai(array), given.rounds, mine)
    shown("MONAI, 1 window", by_monai(array, batch=1), given.rounds, mine)
    print(f"  farthest apart {np.abs(mine[2] - theirs[2]).max():.2g}")
    shown("MONAI, buffered", by_monai(array, buffer_steps=1, buffer_dim=0), given.rounds, mine)
    for classes in (14, 104):
        print(f"\n{FEATURES} features, {classes} classes, label map:")
        mine = shown("isocenter", labels_by_isocenter(array, classes), 1)
        if classes * array.size * 8 > 4 * 2**30:
            print("  MONAI                  left out: its outputs alone take more than 4 GiB")
        else:
            shown("MONAI", labels_by_monai(array, classes), 1, mine)


if __name__ == "__main__":
    main()
