"""A chain of steps, and what one drawing of it does to images, labels and points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from isocenter.augment import acquisition, contrast, noise, space
from isocenter.augment.drawing import Step
from isocenter.augment.on_arrays import done
from isocenter.augment.passes import Channel, Pass, merged
from isocenter.augment.scale import Scale
from isocenter.augment.strangers import Stranger
from isocenter.augment.warping import Placing, moved
from isocenter.errors import InputError, UsageError, expect, expect_word
from isocenter.geometry import Floats, Triple

Singles = npt.NDArray[np.float32]

STEPS: dict[str, type[Step]] = {
    one.__name__: one
    for one in (
        space.Affine, space.Elastic, space.Flip, contrast.Shift, contrast.Gain, contrast.Contrast, contrast.Gamma,
        contrast.BiasField, noise.Noise, noise.RicianNoise, noise.DoseNoise, noise.Spikes, acquisition.Blur,
        acquisition.LowResolution, acquisition.Ghosting, acquisition.Motion,
    )
}  # fmt: skip
"""All steps by name."""


class Augmented(NamedTuple):
    """What came out.

    Parameters
    ----------
    images
        float32 (channel, slice, row, column).
    labels
        (slice, row, column), of the type that came in; None if none came in.
    points
        float64 (n, 3), (slice, row, column) in voxels of the new image, also beyond its edge; None if none came in.
    """

    images: Singles
    labels: npt.NDArray[Any] | None
    points: Floats | None


class Window(NamedTuple):
    """The part of an image that is taken: (slice, row, column) of its first voxel, and its shape."""

    start: Triple
    shape: Triple


@dataclass(frozen=True)
class Augmentation:
    """Steps that may be done to an image, each with the ranges of its values.

    Whatever the order, all that moves the image comes first, as one resampling: it is bent (Elastic), then turned and
    flipped in the order of the steps. Then values are changed, in the order of the steps.

    Parameters
    ----------
    steps
        The steps; not more than one Elastic.
    labels
        How labels are resampled: ``"nearest"``, or ``"smooth"`` for that which has most of the eight voxels around.
    """

    steps: tuple[Step, ...]
    labels: Placing = "nearest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        _check(self.steps, self.labels)

    def sample(self, rng: np.random.Generator) -> Drawn:
        """Draw all values: what the result does, it does each time."""
        drawn = (one.sample(rng) for one in self.steps)
        return Drawn(tuple(one for one in drawn if one is not None), self.labels)


@dataclass(frozen=True)
class Drawn:
    """Steps whose values are all drawn; the same on the same image, whenever and wherever it is applied.

    Parameters
    ----------
    steps, labels
        As of :class:`Augmentation`; steps with numbers alone make one by hand.
    """

    steps: tuple[Step, ...]
    labels: Placing = "nearest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        _check(self.steps, self.labels)
        open_ones = [type(one).__name__ for one in self.steps if not one.is_drawn]
        if open_ones:
            raise UsageError(f"Not all values of {', '.join(open_ones)} are drawn: Augmentation(steps).sample(rng).")

    def apply(
        self,
        images: npt.NDArray[Any],
        labels: npt.NDArray[Any] | None = None,
        *,
        points: npt.ArrayLike | None = None,
        scale: Scale | None = None,
        window: Window | None = None,
    ) -> Augmented:
        """Do the steps.

        Parameters
        ----------
        images
            (channel, slice, row, column), real numbers; one slice for two dimensions. Not changed.
        labels
            Whole numbers (slice, row, column).
        points
            (n, 3), (slice, row, column) in voxels of the image that comes in.
        scale
            What axes and values stand for; by default voxels of 1 mm and values in standard deviations.
        window
            The part that is wanted. What lies beside it is used where the image moves, so that a patch cut this way
            has no false edges; beyond the edge of the image its values go on.

        Returns
        -------
        New arrays, of the window's shape.

        Raises
        ------
        UsageError
            If the shapes do not go together, or points are no numbers (n, 3).
        InputError
            If a value is NaN or infinite.
        """
        given, labels = _checked(images, labels)
        scale = scale or Scale()
        start, shape = window if window is not None else Window((0, 0, 0), given.shape[1:])
        counts = [isinstance(n, int | np.integer) for n in (*start, *shape)]
        if len(start) != 3 or len(shape) != 3 or not all(counts) or min(shape) < 1:
            raise UsageError(
                f"A window has a start and a positive shape, in voxels along (slice, row, column), not {window!r}."
            )
        facts = list(scale.channels(_seen(given, start, shape), shape))
        whole = space.pull(self.steps, shape, scale.spacing_mm, start)
        nothing = np.empty((0, 0, 0), np.uint8)
        out, out_labels = moved(given, nothing if labels is None else labels, whole, shape, self.labels)
        if not np.isfinite(out.sum(dtype=np.float64)):
            raise InputError("Some values beside the window are NaN or infinite: replace them before.")
        for number, channel in enumerate(facts):
            out[number] = done(out[number], self.passes(channel))
        strangers = [one for one in self.steps if isinstance(one, Stranger)]
        if strangers and points is not None:
            raise UsageError("Where transforms of other libraries move points is not known: leave one or the other.")
        found = None if labels is None else out_labels
        for one in strangers:
            out, found = one.apply(out, found, scale)
        return Augmented(out, found, None if points is None else whole.forth(points))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to the values of a channel once it has moved."""
        found: list[Pass] = []
        for step in self.steps:
            if space.is_spatial(step) or isinstance(step, Stranger):
                continue
            for one in step.passes(channel):  # type: ignore[attr-defined]
                found.append(one)
                channel = channel.after(one)
        return merged(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"steps": [one.to_dict() for one in self.steps], "labels": self.labels}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], strangers: Sequence[Step] = ()) -> Drawn:
        """The drawing of plain values.

        Parameters
        ----------
        values
            What :meth:`to_dict` gave.
        strangers
            The transforms of other libraries among the steps, in order: these are no plain values.

        Raises
        ------
        InputError
            If they are none.
        UsageError
            If transforms of other libraries are missing, or are others.
        """
        try:
            steps = [dict(one) for one in values["steps"]]
            wanted = sum(one["step"] == Stranger.__name__ for one in steps)
            if wanted != len(strangers):
                raise UsageError(f"{wanted} transforms of other libraries are needed, and {len(strangers)} are given.")
            given = iter(strangers)
            return cls(tuple(_made(one, given) for one in steps), values["labels"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"These values are no drawn augmentation: {error!r}.") from error


def _made(values: dict[str, Any], strangers: Iterator[Step]) -> Step:
    if values["step"] == Stranger.__name__:
        stranger = next(strangers)
        expect(stranger, Stranger)
        return cast("Stranger", stranger).replayed(values)
    return STEPS[values.pop("step")](**values, probability=1.0)


def _check(steps: Sequence[Step], labels: Placing) -> None:
    for one in steps:
        expect(one, Step)
    if sum(isinstance(one, space.Elastic) for one in steps) > 1:
        raise UsageError("An augmentation bends an image once: give one Elastic a greater displacement.")
    expect_word(labels, Placing, "How labels are resampled")


def _checked(images: npt.NDArray[Any], labels: npt.NDArray[Any] | None) -> tuple[Singles, npt.NDArray[Any] | None]:
    images = np.asarray(images)
    if images.ndim != 4 or not images.size or images.dtype.kind not in "buif":
        raise UsageError(
            f"Images are real numbers (channel, slice, row, column), not {images.dtype} of shape {images.shape}."
        )
    if labels is not None:
        labels = np.ascontiguousarray(labels)
        if labels.shape != images.shape[1:] or labels.dtype.kind not in "ui":
            raise UsageError(
                f"Labels are whole numbers of the images' shape {images.shape[1:]}, not {labels.dtype} of "
                f"{labels.shape}."
            )
    return np.ascontiguousarray(images, np.float32), labels


def _seen(images: Singles, start: Triple, shape: Triple) -> Singles:
    """The part of the images that a window holds; the nearest voxels where it lies beside them."""
    cuts = []
    for first, count, n in zip(start, shape, images.shape[1:], strict=True):
        low = min(max(first, 0), n - 1)
        cuts.append(slice(low, max(min(first + count, n), low + 1)))
    return images[:, *cuts]
