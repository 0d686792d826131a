"""One window through every runtime: seconds to open, seconds to run, memory, and how far outputs lie from torch's.

Run it by ``python -m bench runtimes``, or ``python -m bench.runtimes --patch 32 64 64 --networks residual_unet`` for a
short look. The best of a few rounds counts; memory is above what was held before a window. Beside them stand torch
without the runtime around it, torch with channels last, and torch's own newer exporter to ONNX.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.timing import best_and_peak, versions_of

from isocenter.nets.exporting.equality import equality_of
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.nets.runtimes import open_runtime

ROUNDS = 5
RUNTIMES = (
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("compiled", "float32"),
    ("onnx", "float32"),
    ("openvino", "float32"),
)
PACKAGES = ("torch", "monai", "onnx", "onnxruntime", "openvino")
NETWORKS: dict[str, dict[str, Any]] = {
    "residual_unet": {"features": [16, 32, 64]},
    "unet": {"features": [16, 32, 64]},
    "segresnet": {"features": 16},
    "dynunet": {"features": [16, 32, 64]},
}


def rows(name: str, patch: tuple[int, int, int], labels: int) -> Iterator[tuple[str, float, float, float, Any]]:
    """Name, seconds to open, seconds and bytes of a window and equality with torch, of each runtime."""
    names = tuple(f"structure {n}" for n in range(labels))
    plan = Plan("segmentation", ("MR",), names, Network(name, NETWORKS[name]), patch, spacing_mm=(1.0, 1.0, 1.0))
    torch.manual_seed(0)
    network = build(plan).eval()
    batch = np.random.default_rng(0).standard_normal((1, 1, *patch), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        model = save_model(Model(name, "1", plan, Path(folder) / name, {}), [network.state_dict()])
        expected = open_runtime(model)(batch)
        for runtime, precision in RUNTIMES:
            start = time.perf_counter()
            opened = open_runtime(model, runtime, precision=precision)
            opened(batch)
            ready = time.perf_counter() - start
            seconds, peak, found = best_and_peak(lambda opened=opened: opened(batch), ROUNDS)
            yield f"{runtime} {precision}", ready, seconds, peak, equality_of([(expected, found)])
    with torch.inference_mode():
        tensor = torch.from_numpy(batch)
        seconds, peak, found = best_and_peak(lambda: network(tensor), ROUNDS)
        bare = getattr(network, "features", network) if found.shape[1] != expected.shape[1] else network
        yield "torch by itself", 0.0, seconds, peak, equality_of([(expected, bare(tensor).numpy())])
        last = network.to(memory_format=torch.channels_last_3d)
        seconds, peak, _ = best_and_peak(lambda: last(tensor.to(memory_format=torch.channels_last_3d)), ROUNDS)
        yield "torch, channels last", 0.0, seconds, peak, None


def by_newer_exporter(name: str, patch: tuple[int, int, int]) -> tuple[float, float]:
    """Seconds of torch's newer exporter to ONNX, and of the older one that is used here."""
    from isocenter.nets.runtimes.tracing import as_onnx

    plan = Plan("segmentation", ("MR",), ("a",), Network(name, NETWORKS[name]), patch, spacing_mm=(1.0, 1.0, 1.0))
    network = build(plan).eval()
    start = time.perf_counter()
    as_onnx(network, (1, 1, *patch))
    older = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        torch.onnx.export(network, (torch.zeros(2, 1, *patch),), dynamo=True, verbose=False)
    return time.perf_counter() - start, older


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patch", type=int, nargs=3, default=(64, 96, 96))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--labels", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    patch = tuple(options.patch)
    print(versions_of(PACKAGES))
    print(f"window {' x '.join(map(str, patch))}, {options.labels} labels, {options.threads} threads\n")
    print("| network | runtime | ready s | window s | of torch | MiB | difference | least Dice |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.networks:
        first = 0.0
        for runtime, ready, seconds, peak, equal in rows(name, patch, options.labels):
            first = first or seconds
            told = f"{equal.difference:.1e} | {equal.dice:.4f}" if equal else "- | -"
            cost = f"{seconds:.3f} | {seconds / first:.2f} | {peak / 2**20:.0f}"
            print(f"| {name} | {runtime} | {ready:.1f} | {cost} | {told} |", flush=True)
    newer, older = by_newer_exporter(options.networks[0], patch)
    print(f"\n{options.networks[0]} to ONNX: {older:.1f} s as here, {newer:.1f} s by torch's newer exporter")


if __name__ == "__main__":
    main()
