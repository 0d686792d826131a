"""Transforms of TorchIO and MONAI as steps: seeded by the drawing, given images and labels together, replayable.

They are done after the library's own steps, in their order. Where they move points is not known, so points are refused
beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from isocenter.augment.drawing import Step, seed
from isocenter.augment.scale import Scale
from isocenter.errors import UsageError
from isocenter.extras import needed

Singles = npt.NDArray[np.float32]
Labels = npt.NDArray[Any]

_LEGACY_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class Stranger(Step):
    """A transform of another library; :func:`torchio` and :func:`monai` make it.

    Parameters
    ----------
    library
        ``"torchio"`` or ``"monai"``.
    transform
        The transform.
    seed
        What its random numbers come from.
    """

    library: Literal["torchio", "monai"]
    transform: Any = field(compare=False)
    seed: int | None = seed()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; of the transform its text alone."""
        text = f"{type(self.transform).__module__}.{type(self.transform).__qualname__}"
        return {"step": "Stranger", "library": self.library, "transform": text, "seed": self.seed}

    def replayed(self, values: dict[str, Any]) -> Self:
        """This step with the seed of plain values.

        Raises
        ------
        UsageError
            If they are those of another transform.
        """
        drawn = replace(self, seed=values["seed"], probability=1.0)
        if drawn.to_dict() != values:
            raise UsageError(f"The values are those of {values['transform']}, not of {self.to_dict()['transform']}.")
        return drawn

    def apply(self, images: Singles, labels: Labels | None, scale: Scale) -> tuple[Singles, Labels | None]:
        """Do it to images (channel, slice, row, column) and labels (slice, row, column).

        Raises
        ------
        UsageError
            If it changes the shape.
        """
        way = _by_torchio if self.library == "torchio" else _by_monai
        out, out_labels = way(self, images, labels, scale)
        if out.shape != images.shape or (labels is not None and out_labels.shape != labels.shape):
            raise UsageError(
                f"The transform changes the shape from {images.shape} to {out.shape}: crop or resample before or after."
            )
        if labels is None:
            return out.astype(np.float32), None
        return out.astype(np.float32), np.rint(out_labels).astype(labels.dtype)


def torchio(transform: Any, *, probability: float = 1.0) -> Step:
    """A transform of TorchIO as a step; its random numbers come from torch.

    Raises
    ------
    UsageError
        If it cannot be called, or TorchIO is not installed.
    """
    needed("torchio", "nets")
    return Stranger(library="torchio", transform=_expect_callable(transform), probability=probability)


def monai(transform: Any, *, probability: float = 1.0) -> Step:
    """A dictionary transform of MONAI (of the keys ``"image"`` and ``"label"``) as a step.

    Raises
    ------
    UsageError
        If it cannot be called, or MONAI is not installed.
    """
    needed("monai", "nets")
    return Stranger(library="monai", transform=_expect_callable(transform), probability=probability)


def _expect_callable(transform: Any) -> Any:
    if not callable(transform):
        raise UsageError(f"A transform is called with an image, which {type(transform).__name__} cannot be.")
    return transform


def _by_torchio(step: Stranger, images: Singles, labels: Labels | None, scale: Scale) -> tuple[Any, Any]:
    torch, tio = needed("torch", "nets"), needed("torchio", "nets")
    affine = np.diag([*scale.spacing_mm[::-1], 1.0])
    parts = {"image": tio.ScalarImage(tensor=torch.from_numpy(images.transpose(0, 3, 2, 1).copy()), affine=affine)}
    if labels is not None:
        tensor = torch.from_numpy(labels.astype(np.int32).transpose(2, 1, 0)[None].copy())
        parts["label"] = tio.LabelMap(tensor=tensor, affine=affine)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step.seed)
        out = step.transform(tio.Subject(parts))
    image = out["image"].data.numpy().transpose(0, 3, 2, 1)
    return image, None if labels is None else out["label"].data.numpy()[0].transpose(2, 1, 0)


def _by_monai(step: Stranger, images: Singles, labels: Labels | None, scale: Scale) -> tuple[Any, Any]:
    torch, data = needed("torch", "nets"), needed("monai.data", "nets")
    affine = torch.diag(torch.tensor([*scale.spacing_mm, 1.0], dtype=torch.float64))
    given = np.zeros(images.shape[1:]) if labels is None else labels  # its transforms want all keys that they name
    parts = {
        "image": data.MetaTensor(torch.from_numpy(images.copy()), affine=affine),
        "label": data.MetaTensor(torch.from_numpy(given.astype(np.float32))[None], affine=affine),
    }
    if hasattr(step.transform, "set_random_state"):
        step.transform.set_random_state(seed=(step.seed or 0) % _LEGACY_SEEDS)
    out = step.transform(parts)
    return np.asarray(out["image"]), None if labels is None else np.asarray(out["label"])[0]
