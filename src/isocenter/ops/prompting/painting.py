"""The mask of the working image drawn onto the whole image, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.ops.boxes import box_of
from isocenter.ops.prompting.cutting import Field
from isocenter.ops.prompting.prompts import Frame, Prompt, Side
from isocenter.ops.prompting.refining import redrawn
from isocenter.ops.prompting.scene import Scene
from isocenter.reasons import Reason, counted

Mask = npt.NDArray[np.bool_]

_HALF, _BELOW = 0.5, 0.498
_MARGIN = 4  # working voxels around the mask, in which its surroundings are looked at
_SHARE_ON_FACE = 0.01  # of a face of the image; less of the mask may lie on it by chance


def drawn(
    scene: Scene, found: tuple[Mask, Field], prompts: Sequence[Prompt], *, frame: Frame | None = None
) -> Segmentation:
    """The working mask on the whole image: its border redrawn, every prompt honoured, nothing where no value is.

    Parameters
    ----------
    scene
        The image made ready.
    found
        The working mask, and a level from 0 to 1 that is about one half at its border.
    prompts
        In order; where two mark one voxel, the later counts.
    frame
        Nothing outside this box is taken.
    """
    mask, level = found
    whole = scene.volume.grid
    out = np.zeros(whole.shape, np.uint8)
    if mask.any():
        near, part = _near(scene, mask, level)
        out[part] = near
        if scene.volume.array.dtype.kind == "f":
            out[part] &= np.isfinite(scene.volume.array[part])
    if frame is not None:
        within = np.zeros_like(out)
        within[frame.place] = out[frame.place]
        out = within
    for prompt in prompts:
        out[tuple(prompt.voxels.T)] = prompt.side == "inside"
    return Segmentation((out,), whole, (Segment.named("drawn"),), Algorithm("", ""))


def _near(scene: Scene, mask: Mask, level: Field) -> tuple[npt.NDArray[np.uint8], tuple[slice, ...]]:
    """The part of the whole image around a working mask drawn, and where it lies.

    Where each voxel of the image was a working voxel, the cut has seen all there is: its border stays.
    """
    whole = scene.volume.grid
    box = box_of(mask, (_MARGIN, _MARGIN, _MARGIN))
    if scene.grid.coincides(whole):
        return mask[box].astype(np.uint8), box
    small = scene.grid.crop([part.start for part in box], [part.stop for part in box])
    corners = whole.to_index(small.to_world([(-0.5, -0.5, -0.5), [n - 0.5 for n in small.shape]]))
    start = np.clip(np.floor(corners[0] + 0.5), 0, np.asarray(whole.shape) - 1).astype(int)
    stop = np.clip(np.ceil(corners[1] + 0.5), start + 1, whole.shape).astype(int)
    part = tuple(slice(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True))
    first, second = small.to_index(whole.to_world([start, start + 1]))
    steep = np.where(mask, np.maximum(level, _HALF), np.minimum(level, _BELOW))[box].astype(np.float32)
    found = scene.values[box], mask[box], steep
    return redrawn((scene.volume.array[part], scene.noise), found, scene.steps, (first, second - first)), part


def remarks(found: Segmentation, scene: Scene, prompts: Sequence[Prompt]) -> Iterator[Reason]:
    """What to look at in a mask made by prompts."""
    mask = found.array > 0
    clashes = _clashes(prompts, scene.volume.grid.shape)
    if clashes:
        yield Reason(
            "PROMPTS_CONTRADICT", f"{counted(clashes, 'voxel is', 'voxels are')} marked as inside and outside."
        )
    if np.count_nonzero(mask) <= len(_places(prompts, "inside", scene.volume.grid.shape)):
        yield Reason("PROMPTED_NOTHING", "The mask holds nothing but the voxels marked.")
    faces = [mask.take(end, axis) for axis in range(3) for end in (0, -1) if mask.shape[axis] > 1]
    met = sum(bool(face.mean() > _SHARE_ON_FACE) for face in faces)
    if met:
        yield Reason("PROMPTED_TO_BORDER", f"The mask reaches {counted(met, 'face', 'faces')} of the image.")


def _clashes(prompts: Sequence[Prompt], shape: tuple[int, ...]) -> int:
    return len(np.intersect1d(_places(prompts, "inside", shape), _places(prompts, "outside", shape)))


def _places(prompts: Sequence[Prompt], side: Side, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Places in memory of all voxels marked on a side, each once."""
    marked = [prompt.flat(shape) for prompt in prompts if prompt.side == side]
    return np.unique(np.concatenate([np.empty(0, np.intp), *marked]))
