"""From what a data set is like to the plan of a network, decided by rules, each with its sentence.

After nnU-Net (Isensee 2021; residual presets 2024) where it has a rule: target spacing, patch, normalisation. How patch
and batch are made to fit lives in ``fitting``, what a data set is like is measured in ``fingerprint``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

from isocenter.datasets import Dataset
from isocenter.errors import UsageError, expect, expect_word
from isocenter.geometry import Triple
from isocenter.nets.networks.stages import stages
from isocenter.nets.plan import Network, Plan, Spacing, Task
from isocenter.nets.planning.decisions import (
    channels_of,
    largest_only_of,
    lattice_of,
    mirror_axes_of,
    normalisation_of,
)
from isocenter.nets.planning.fingerprint import Fingerprint, fingerprint
from isocenter.nets.planning.fitting import Room, fitted
from isocenter.reasons import counted

Device = Literal["cpu", "cuda"]

_GIB = 1024**3
MEMORY_BYTES = {"cpu": 4 * _GIB, "cuda": 8 * _GIB}
"""Memory that is planned for where none is stated."""

_PATCH = {("cpu", 3): 96, ("cuda", 3): 160, ("cpu", 2): 256, ("cuda", 2): 512}
"""Edge of the largest patch that is tried, as if it were a cube."""
_PICTURE = {("cpu", 3): 64, ("cuda", 3): 128, ("cpu", 2): 224, ("cuda", 2): 224}
"""Edge of the largest image that is told as a whole."""
_BATCH = {("cpu", 3): 4, ("cuda", 3): 8, ("cpu", 2): 32, ("cuda", 2): 64}
_STAGES = {"cpu": 4, "cuda": 6}
_WINDOWS = 8  # patches that an image may be made of before a coarse network looks first
_FEW_SLICES = 8  # below it a network sees one slice at a time


def plan_for(
    found: Dataset | Fingerprint, *, task: Task | None = None, device: Device = "cpu", memory_bytes: int = 0
) -> Plan:
    """The plan of a network for a data set.

    Parameters
    ----------
    found
        The data set, or its fingerprint.
    task
        What the network is for. By default segmentation where cases have labels, classification where they have
        categories.
    device
        What it learns on. For a CPU the plan is small enough to learn in an hour.
    memory_bytes
        Memory of the device; 0 plans for 4 GiB on a CPU and 8 GiB on a GPU.

    Returns
    -------
    The plan; ``why`` has a sentence for each decision. The same fingerprint gives the same plan.

    Raises
    ------
    UsageError
        If the data set has nothing to learn for the task.
    Refused
        If nothing fits into the memory (``PLAN_TOO_LARGE``), no case can be used, or the cases are of kinds that one
        network cannot learn from together (``CASES_UNLIKE``).
    MissingExtra
        If torch, which tells what a network costs, is not installed.
    """
    expect(found, Dataset, Fingerprint)
    expect_word(device, Device, "The device")
    if memory_bytes < 0:
        raise UsageError(f"The memory is a number of bytes above 0, not {memory_bytes}.")
    seen = fingerprint(found) if isinstance(found, Dataset) else found
    ways: dict[str, Callable[[Fingerprint, Plan], Plan]] = {
        "segmentation": _segmentation,
        "classification": _classification,
        "denoising": _restoring,
        "super_resolution": _restoring,
        "detection": _detection,
    }
    wanted, because = (task, "It was stated.") if task else _task_of(seen.dataset)
    if wanted not in ways:
        raise UsageError(f"Plans are made for {', '.join(ways)}; of {', '.join(get_args(Task))} not for {wanted!r}.")
    memory = memory_bytes or MEMORY_BYTES[device]
    stated = "stated" if memory_bytes else "taken, since none was stated"
    why = {"task": because, "memory_bytes": f"{memory / _GIB:.3g} GiB of {device} memory were {stated}."}
    return ways[wanted](seen, _common(seen, wanted, device=device, memory=memory, why=why))


def _task_of(dataset: Dataset) -> tuple[Task, str]:
    """What a data set is for, and why."""
    if dataset.labels:
        return "segmentation", "The cases have labels."
    if dataset.categories:
        return "classification", "The cases have categories and no labels."
    raise UsageError(f"The data set {dataset.name} has neither labels nor categories: say by task= (--task) what for.")


def _common(seen: Fingerprint, task: Task, *, device: Device, memory: int, why: dict[str, str]) -> Plan:
    """What all plans decide in the same way; patch and network are still to come."""
    channels, lattice = channels_of(seen), lattice_of(seen)
    normalisation, because = normalisation_of(seen, task)
    why.update(orientation=lattice.why_orientation, spacing_mm=lattice.why_spacing, normalisation=because)
    return Plan(
        task,
        channels,
        (),
        Network("residual_unet"),
        lattice.median,
        spacing_mm=lattice.spacing_mm,
        orientation=lattice.orientation,
        normalisation=normalisation * len(channels) if len(normalisation) == 1 else normalisation,
        memory_bytes=memory,
        device=device,
        why=why,
    )


# --- structures -------------------------------------------------------------------------------------------------------


def _segmentation(seen: Fingerprint, plan: Plan) -> Plan:
    if not seen.dataset.labels:
        raise UsageError(f"The data set {seen.dataset.name} has no labels, so nothing can be segmented by it.")
    plan = replace(plan, labels=tuple(seen.dataset.labels))
    largest, because = largest_only_of(seen)
    mirror, allowed = mirror_axes_of(plan)
    why = {**plan.why, "largest_only": because, "mirror_axes": allowed}
    return _in_patches(seen, replace(plan, largest_only=largest, mirror_axes=mirror, why=why))


def _detection(seen: Fingerprint, plan: Plan) -> Plan:
    """Things found by their centres: each piece of a label is one."""
    found = _segmentation(seen, plan)
    because = "Not asked: every piece is a thing of its own."
    return replace(found, largest_only=(), why={**found.why, "largest_only": because})


def _in_patches(seen: Fingerprint, plan: Plan) -> Plan:
    """The plan with patch, batch and network; and with a coarse one before it where images are large."""
    whole = plan.patch if plan.patch[0] >= _FEW_SLICES else (1, *plan.patch[1:])
    if whole[0] == 1 and 0 in plan.mirror_axes:
        because = "None: left to right runs across the slices, of which one is seen at a time."
        plan = replace(plan, mirror_axes=(), why={**plan.why, "mirror_axes": because})
    fine = _fitted(seen, plan, whole, plan.spacing_mm)
    seen_at_once = math.prod(fine.patch) / math.prod(whole)
    why = {**fine.why, "patch": _why_patch(fine, whole), "batch": _why_batch(fine)}
    why["network"] = _why_network(fine)
    if seen_at_once * _WINDOWS >= 1 or plan.spacing_mm is None or plan.task == "detection":
        few = "None: the median image is seen in few windows."
        why["coarse"] = "None: things may lie anywhere." if plan.task == "detection" else few
        return replace(fine, why=why)
    spacing = _coarser(plan.spacing_mm, whole, math.prod(fine.patch))
    small = [max(1, round(n * old / new)) for n, old, new in zip(whole, plan.spacing_mm, spacing, strict=True)]
    coarse = _fitted(seen, replace(plan, spacing_mm=spacing), (small[0], small[1], small[2]), spacing)
    text = " x ".join(f"{one:.3g}" for one in spacing)
    sentence = f"The median image is {1 / seen_at_once:.0f} patches large: a network at {text} mm finds where to look."
    why["coarse"] = sentence
    return replace(fine, coarse=replace(coarse, why={"coarse": sentence}), why=why)


def _fitted(seen: Fingerprint, plan: Plan, whole: Triple, spacing: Spacing | None) -> Plan:
    """The plan with the patch, batch and network that fit for images of a shape and spacing."""
    dimensions = 2 if whole[0] == 1 else 3
    first = 3 - dimensions
    most = _STAGES[plan.device]

    def steps(patch: Triple) -> Triple:
        multiple = stages(patch[first:], spacing[first:] if spacing else None, most=most).multiple
        a, b, c = (*(1,) * first, *multiple)
        return a, b, c

    def build(patch: Triple) -> Network:
        found = stages(patch[first:], spacing[first:] if spacing else None, most=most)
        return Network(_NAMES[plan.task], _options(found.strides, found.kernels, plan))

    edge = _PATCH[plan.device, dimensions]
    start = _start(whole, spacing or (1.0, 1.0, 1.0), edge**dimensions, first)
    start = _rounded_up(start, steps(start))
    room = Room.on(plan.device, plan.memory_bytes, most=min(_BATCH[plan.device, dimensions], _a_quarter(seen)))
    return fitted(replace(plan, patch=start), whole, room, build=build, steps=steps)


_NAMES = {
    "segmentation": "residual_unet",
    "detection": "heatmap",
    "denoising": "denoiser",
    "super_resolution": "super_resolution",
}


def _a_quarter(seen: Fingerprint) -> int:
    return max(2, len(seen.cases) // 4)


def _options(
    strides: tuple[tuple[int, ...], ...], kernels: tuple[tuple[int, ...], ...], plan: Plan
) -> dict[str, object]:
    """Features, strides, kernels and blocks of each stage: nnU-Net's residual ones, or half as wide on a CPU."""
    if plan.task == "super_resolution":
        return {"scale": 2}
    count = len(strides)
    if plan.device == "cpu":
        features, blocks = [min(16 * 2**n, 256) for n in range(count)], [1, *[2] * (count - 1)]
    else:
        most = 320 if len(strides[0]) == 3 else 512
        features, blocks = [min(32 * 2**n, most) for n in range(count)], [1, 3, 4, *[6] * count][:count]
    options: dict[str, object] = {
        "features": tuple(features), "strides": strides, "kernels": kernels, "blocks": tuple(blocks)
    }  # fmt: skip
    if plan.task == "detection" and count > 1:  # its outputs lie on the second stage's grid, where its network begins
        return {
            "stride": strides[1], "features": tuple(features[:-1]), "strides": (strides[0], *strides[2:]),
            "kernels": kernels[1:], "blocks": tuple(blocks[:-1]),
        }  # fmt: skip
    if plan.device == "cuda" and plan.task == "segmentation" and count > 3:
        options["deep_supervision"] = min(count - 2, 3)
    return options


def _start(whole: Triple, spacing: Spacing, voxels: float, first: int) -> Triple:
    """The first patch tried: as deep in millimetres along each axis, no longer than the image, of so many voxels."""
    free = list(range(first, 3))
    found = [1.0] * 3
    while free:  # axes that are shorter than their share leave the rest to the others
        share = voxels / math.prod(found[axis] for axis in range(3) if axis not in free)
        scale = (share * math.prod(spacing[axis] for axis in free)) ** (1 / len(free))
        short = [axis for axis in free if whole[axis] <= scale / spacing[axis]]
        for axis in short or free:
            found[axis] = min(whole[axis], scale / spacing[axis])
        free = [axis for axis in free if axis not in short] if short else []
    a, b, c = (max(1, round(one)) for one in found)
    return a, b, c


def _rounded_up(patch: Triple, multiple: Triple) -> Triple:
    a, b, c = (-(-n // step) * step for n, step in zip(patch, multiple, strict=True))
    return a, b, c


def _coarser(spacing: Spacing, whole: Triple, voxels: int) -> Spacing:
    """The spacing at which an image has so many voxels: the finest axes are made coarser first."""
    low, high = min(spacing), max(spacing) * max(whole)
    for _ in range(60):
        middle = (low + high) / 2
        count = math.prod(n * s / max(s, middle) for n, s in zip(whole, spacing, strict=True))
        low, high = (middle, high) if count > voxels else (low, middle)
    a, b, c = (round(max(s, high), 3) for s in spacing)
    return a, b, c


def _why_patch(plan: Plan, whole: Triple) -> str:
    size = " x ".join(map(str, whole))
    if whole[0] == 1:
        return f"The images have fewer than {_FEW_SLICES} slices, so one slice is seen at a time; the median is {size}."
    if all(a >= b for a, b in zip(plan.patch, whole, strict=True)):
        return f"The median image, {size} voxels, is seen whole, rounded up to what the strides divide."
    limit = "the memory and an hour on two cores allow" if plan.device == "cpu" else "the memory allows"
    return f"As much as {limit} of the median image of {size} voxels."


def _why_batch(plan: Plan) -> str:
    limit = "the memory and the hour" if plan.device == "cpu" else "the memory"
    return f"{counted(plan.batch, 'patch fits', 'patches fit')} into {limit}."


def _why_network(plan: Plan) -> str:
    size = "half as wide as nnU-Net's, for a CPU" if plan.device == "cpu" else "as wide and deep as nnU-Net's"
    count = len(plan.network.options.get("features", ()))
    uneven = any(len(set(one)) > 1 for one in plan.network.options.get("kernels", ()))
    flat = " Kernels are flat and strides 1 along the coarse axis until the others are as coarse." if uneven else ""
    stages_text = f" of {counted(count, 'stage', 'stages')}" if count else ""
    return f"A residual network{stages_text}, {size}.{flat}"


# --- whole images and restored ones -----------------------------------------------------------------------------------


def _classification(seen: Fingerprint, plan: Plan) -> Plan:
    """Images seen whole: pictures stretched to one shape, volumes brought to a spacing at which the median fits."""
    categories = seen.dataset.categories
    if len(categories) < 2:
        raise UsageError(
            f"The data set {seen.dataset.name} has {len(categories)} categories; two are needed to be told apart."
        )
    if "" in {case.category for case in seen.dataset.cases}:
        raise UsageError(f"Some cases of the data set {seen.dataset.name} have no category.")
    dimensions = 2 if plan.patch[0] == 1 else 3
    edge = _PICTURE[plan.device, dimensions]
    plan, because = _whole(seen, plan, edge)
    options = {"depth": 10 if plan.device == "cpu" else 18, "features": 16 if plan.device == "cpu" else 64}
    if max(plan.patch) <= 96:
        options["stride"] = 1
    plan = replace(plan, labels=categories, network=Network("resnet", options))
    room = Room.on(plan.device, plan.memory_bytes, most=min(_BATCH[plan.device, dimensions], _a_quarter(seen)))
    fine = fitted(plan, plan.patch, room, build=lambda _: plan.network, steps=lambda patch: patch)
    why = {
        **fine.why,
        "patch": because,
        "batch": _why_batch(fine),
        "network": f"A residual network of {options['depth']} layers, which some hundreds of images can teach.",
    }
    return replace(fine, why=why)


def _whole(seen: Fingerprint, plan: Plan, edge: int) -> tuple[Plan, str]:
    """The plan with the shape that images are seen in."""
    shapes = {tuple(int(n) for n in one) for one in seen.shapes}
    if plan.spacing_mm is None:
        if len(shapes) == 1 and max(plan.patch) <= edge:
            return plan, "All images have this shape."
        scale = min(1.0, edge / max(plan.patch))
        a, b, c = (max(1, round(n * scale)) for n in plan.patch)
        return replace(plan, patch=(a, b, c), shape=(a, b, c)), "Images of other shapes are stretched to it."
    extent = [n * s for n, s in zip(plan.patch, plan.spacing_mm, strict=True)]
    spacing = tuple(max(s, e / edge) for s, e in zip(plan.spacing_mm, extent, strict=True))
    a, b, c = (max(1, math.ceil(e / s - 1e-6)) for e, s in zip(extent, spacing, strict=True))
    why = {**plan.why, "spacing_mm": f"The median image is brought to {edge} voxels along an axis at most."}
    moved = replace(plan, patch=(a, b, c), spacing_mm=(spacing[0], spacing[1], spacing[2]), why=why)
    return moved, "The median image, seen whole: larger ones are seen in their middle."


def _restoring(seen: Fingerprint, plan: Plan) -> Plan:
    """Images given back: on their own voxels, since noise and sharpness are theirs."""
    why = {**plan.why, "spacing_mm": "None: noise and sharpness are those of the voxels as they were taken."}
    lattice = lattice_of(seen)
    whole = lattice.as_taken if lattice.as_taken[0] >= _FEW_SLICES else (1, *lattice.as_taken[1:])
    fine = _fitted(seen, replace(plan, spacing_mm=None), whole, lattice.spacing_mm)
    why |= {"patch": _why_patch(fine, whole), "batch": _why_batch(fine), "network": _why_network(fine)}
    return replace(fine, why=why)
