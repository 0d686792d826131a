"""The same as ``Drawn.apply`` on batches of tensors, on whatever device they lie: one definition, equal results.

Equal to the loops on arrays within 1e-4 of an image's range; labels too, but where a place lies halfway between two
voxels. Random numbers are the same to the last bit but for their final polynomial.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.augment.chain import Drawn
from isocenter.augment.counting import BEND, DEVIATION, FIRST, MIDDLE, SECOND
from isocenter.augment.passes import (
    Along,
    Channel,
    Displaced,
    Field,
    Grain,
    Linear,
    Magnitude,
    Pass,
    Power,
    Rice,
    Wave,
    White,
)
from isocenter.augment.scale import Scale
from isocenter.augment.space import Pull, pull
from isocenter.augment.strangers import Stranger
from isocenter.errors import UsageError
from isocenter.geometry import Triple

Matrices = tuple["np.ndarray | None", "np.ndarray | None", "np.ndarray | None"]

_WORD = 0xFFFFFFFF


def apply(
    drawn: Sequence[Drawn], images: Tensor, labels: Tensor | None = None, *, scale: Scale | None = None
) -> tuple[Tensor, Tensor | None]:
    """Do one drawing to each image of a batch.

    Parameters
    ----------
    drawn
        One for each image.
    images
        (batch, channel, slice, row, column).
    labels
        Whole numbers (batch, slice, row, column).
    scale
        What axes and values of all images stand for.

    Returns
    -------
    New float32 images, and labels of the type that came in, on the same device.

    Raises
    ------
    UsageError
        If the shapes do not go together.
    InputError
        If a value is NaN or infinite.
    """
    if images.ndim != 5 or len(drawn) != len(images):
        raise UsageError(
            f"Images are (batch, channel, slice, row, column) with one drawing for each, not {tuple(images.shape)} "
            f"with {len(drawn)}."
        )
    if labels is not None and labels.shape != (len(images), *images.shape[2:]):
        raise UsageError(f"Labels are (batch, slice, row, column) of the images, not {tuple(labels.shape)}.")
    if any(isinstance(step, Stranger) for one in drawn for step in one.steps):
        raise UsageError("Transforms of other libraries work on arrays: take Drawn.apply.")
    scale = scale or Scale()
    new_images, new_labels = [], []
    for n, one in enumerate(drawn):
        image = images[n].float()
        shape: Triple = tuple(image.shape[1:])
        facts = _channels(image, shape, scale)
        image, label = _moved(
            image, None if labels is None else labels[n], pull(one.steps, shape, scale.spacing_mm), one
        )
        new_images.append(torch.stack([_done(image[c], one.passes(fact)) for c, fact in enumerate(facts)]))
        new_labels.append(label)
    return torch.stack(new_images), None if labels is None else torch.stack(
        [one for one in new_labels if one is not None]
    )


def _channels(image: Tensor, shape: Triple, scale: Scale) -> list[Channel]:
    flat = image.flatten(1)
    facts = torch.stack([flat.amin(1), flat.amax(1), flat.mean(1, dtype=torch.float64)], 1).tolist()
    return [scale.channel((n, len(facts)), shape, (one[0], one[1], one[2])) for n, one in enumerate(facts)]


# --- what moves an image ---------------------------------------------------------------------------------------------


def _moved(image: Tensor, labels: Tensor | None, by: Pull, drawn: Drawn) -> tuple[Tensor, Tensor | None]:
    places = _places(by, tuple(image.shape[1:]), image.device)
    ends = torch.tensor(image.shape[1:], device=image.device).view(3, 1, 1, 1) - 1
    grid = (2 * places / ends.clamp(min=1) - 1).flip(0).movedim(0, -1)[None]
    out = functional.grid_sample(image[None], grid, mode="bilinear", padding_mode="border", align_corners=True)[0]
    if labels is None:
        return out, None
    inside = torch.minimum(places.clamp(min=0), ends.float())
    cell = torch.minimum(inside.long(), (ends - 1).clamp(min=0))
    share = inside - cell
    if drawn.labels == "smooth":
        return out, _voted(labels, cell, share, ends)
    near = cell + (share >= 0.5)
    return out, labels[near[0], near[1], near[2]]


def _places(by: Pull, shape: Triple, device: torch.device) -> Tensor:
    """(3, slice, row, column): where each voxel of the new image lies in the old one."""
    matrix = torch.as_tensor(by.matrix.astype(np.float32), device=device)
    k, r, c = (torch.arange(n, dtype=torch.float32, device=device) for n in shape)
    terms = zip(matrix[:, 0], matrix[:, 1], matrix[:, 2], matrix[:, 3], strict=True)
    straight = torch.stack([a * k[:, None, None] + b * r[:, None] + d + e * c for a, b, e, d in terms])
    if by.lattice is None:
        return straight
    weights = [torch.as_tensor(one, device=device) for one in by.weights]
    return straight + torch.einsum("dabe,ka,rb,ce->dkrc", torch.as_tensor(by.controls, device=device), *weights)


def _voted(labels: Tensor, cell: Tensor, share: Tensor, ends: Tensor) -> Tensor:
    """The label with the greatest share of the eight voxels around; the first met of equals."""
    found, weights = [], []
    for corner in range(8):
        beside = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1], device=labels.device).view(3, 1, 1, 1)
        place = torch.minimum(cell + beside, ends)
        found.append(labels[place[0], place[1], place[2]])
        weights.append(torch.where(beside == 1, share, 1 - share).prod(0))
    totals = [sum((found[n] == one) * weights[n] for n in range(8)) for one in found]
    best = torch.stack(totals).argmax(0)
    return torch.stack(found).gather(0, best[None])[0]


# --- what changes values ---------------------------------------------------------------------------------------------


def _done(values: Tensor, passes: Sequence[Pass]) -> Tensor:
    for one in passes:
        match one:
            case Along():
                values = _along(values, one.matrices)
            case Grain():
                values = values + one.size * _along(_normal(values, one.keys), one.matrices)
            case Displaced():
                values = _displaced(values, one)
            case Magnitude(zero):
                values = (values - zero).abs() + zero
            case _:
                values = _bent(values, one)
    return values


def _bent(values: Tensor, one: Linear | Power | White | Rice | Wave | Field) -> Tensor:
    match one:
        case Linear(factor, offset):
            return values * factor + offset
        case Power(low, span, exponent):
            t = (values - low) / span
            return t.sign() * t.abs().pow(exponent) * span + low
        case White(size, pair):
            return values + size * _normal(values, pair)
        case Rice(size, zero, pair, other):
            return torch.hypot(values - zero + size * _normal(values, pair), size * _normal(values, other)) + zero
        case Wave():
            return values + _wave(values, one)
        case Field():
            return (values - one.zero) * torch.exp2(_field(values, one)) + one.zero


def _normal(like: Tensor, keys: tuple[int, int]) -> Tensor:
    """Normal deviates as those of ``counting.normal``."""
    words = torch.arange(like.numel(), dtype=torch.int64, device=like.device) & _WORD
    first = _mixed(words ^ keys[0])
    second = _mixed((first + keys[1]) & _WORD)
    total = (first >> 16) + (first & 0xFFFF) + (second >> 16) + (second & 0xFFFF)
    x = (total - MIDDLE).float() * np.float32(1 / DEVIATION)
    y = x * x
    bent = torch.full_like(x, BEND[-1])
    for factor in reversed(BEND[:-1]):
        bent = bent * y + factor
    return (x * bent).view(like.shape)


def _mixed(words: Tensor) -> Tensor:
    words = words ^ (words >> 16)
    words = (words * FIRST) & _WORD
    words = words ^ (words >> 15)
    words = (words * SECOND) & _WORD
    return words ^ (words >> 16)


def _wave(like: Tensor, wave: Wave) -> Tensor:
    angles = [
        torch.arange(n, dtype=torch.float64, device=like.device) * step
        for n, step in zip(like.shape, wave.angles, strict=True)
    ]
    whole = wave.phase + angles[0][:, None, None] + angles[1][:, None] + angles[2]
    return (wave.size * torch.cos(whole)).float()


def _field(like: Tensor, field: Field) -> Tensor:
    weights = [torch.as_tensor(one, device=like.device) for one in field.weights]
    return torch.einsum("abe,ka,rb,ce->krc", torch.as_tensor(field.controls, device=like.device), *weights)


def _along(values: Tensor, matrices: Matrices) -> Tensor:
    for axis, matrix in enumerate(matrices):
        if matrix is not None:
            values = torch.tensordot(torch.as_tensor(matrix, device=values.device), values, ([1], [axis])).movedim(
                0, axis
            )
    return values.contiguous()


def _displaced(values: Tensor, how: Displaced) -> Tensor:
    found = torch.fft.fftn(values - how.zero)
    for turn in how.turns(tuple(values.shape)):
        found = found * torch.as_tensor(turn, device=values.device)
    return torch.fft.ifftn(found).abs() + how.zero
