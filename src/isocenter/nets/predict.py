"""From a model and images to findings: prepare, run, decide, bring back to the grid that the images came on.

=================================  ================================================================================
:func:`predict`                    what the model is for: one of those below
:func:`segmented`                  a segmentation on the image's own grid
:func:`judged`                     the same, with how sure the model is of each structure
:func:`classified`                 labels of the whole image with their probabilities
:func:`restored`                   an image: less noise, more voxels
:func:`detected`                   boxes of what was found, with how sure the model is
=================================  ================================================================================

How a model is kept warm lives in ``pool``, what is doubted of a result in ``checks``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, Literal

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError, expect, expect_word
from isocenter.findings import Algorithm, Box, Label, Segmentation
from isocenter.nets.certainty.checks import about_input, about_labels, expect_modality
from isocenter.nets.certainty.conformal import Calibration
from isocenter.nets.certainty.uncertainty import Certainty, Watching
from isocenter.nets.detecting import detections
from isocenter.nets.models.model import Model
from isocenter.nets.plan import Plan
from isocenter.nets.pool import POOL, Pool
from isocenter.nets.prepare import Prepared, back, prepared
from isocenter.nets.region import box_around, coarse_of, labels_within, part_seen
from isocenter.nets.runtimes import OWN, Device, Precision, Runtime, runtime_name
from isocenter.nets.structures import expect_mirrors, segments_of
from isocenter.nets.windows import deciding
from isocenter.nets.windows.enlarging import Folded, times_of, unfolded
from isocenter.nets.windows.heads import numbers
from isocenter.nets.windows.mirrored import Flip, Mirrored, flips_of
from isocenter.nets.windows.window import Window
from isocenter.ops.masks.pieces import largest
from isocenter.ops.resample import to_orientation
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

Mirror = Literal["none", "plan"]
Doubt = Literal["none", "scores", "agreement"]
Run = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Inference:
    """How a model is run. Only ``overlap``, ``mirror`` and ``precision`` change results by more than rounding.

    Parameters
    ----------
    runtime
        What runs it, of :data:`isocenter.nets.runtimes.RUNTIMES`; by default what its weights are for.
    device
        Where.
    precision
        ``"float32"``, or ``"bfloat16"`` where speed counts more.
    overlap
        Share of a window that the next one sees too.
    batch
        Windows at once.
    mirror
        ``"plan"`` averages over the image and its mirror images along the plan's axes: more right by a little, and
        2, 4 or 8 times the time.
    doubt
        What the certainty of a segmentation is told from: the network's ``"scores"``, which costs little; also the
        ``"agreement"`` of members and mirror images, each run by itself; or ``"none"``. It changes no label.
    """

    runtime: str = OWN
    device: Device = "cpu"
    precision: Precision = "float32"
    overlap: float = 0.5
    batch: int = 1
    mirror: Mirror = "none"
    doubt: Doubt = "scores"

    def __post_init__(self) -> None:
        expect_word(self.doubt, Doubt, "The way of doubting")
        expect_word(self.mirror, Mirror, "The way of mirroring")


AS_IT_IS = Inference()


def predict(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> Segmentation | Volume | tuple[Label, ...] | tuple[Box, ...]:
    """What a model finds in images, or makes of them.

    Parameters
    ----------
    model
        As :func:`isocenter.nets.models.model.load_model` gives it.
    images
        One volume for each channel of its plan, on one grid.
    how
        How it is run.
    pool
        Where it is kept warm for the next case.

    Returns
    -------
    A segmentation or boxes on the grid of the first image, labels of the image, or an image, by the task of the plan.
    Segmentations and images carry reasons: those of the images, of the model (``model.reasons``) and of the result.

    Raises
    ------
    UsageError
        If the images are not as many as the channels, or the model is for something else.
    Refused
        If the images are not what the model takes; the reasons say why.
    InputError
        If the model is damaged.
    """
    ways: dict[str, Any] = {
        "segmentation": segmented,
        "classification": classified,
        "denoising": restored,
        "super_resolution": restored,
        "detection": detected,
    }
    if model.plan.task not in ways:
        raise UsageError(f"A model for {model.plan.task} is not run by predict: see isocenter.nets.")
    return ways[model.plan.task](model, images, how=how, pool=pool)  # type: ignore[no-any-return]


def segmented(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> Segmentation:
    """The structures that a model finds, on the grid of the first image; parameters as of :func:`predict`.

    Its reasons say what is to be doubted; of a calibrated model also what Dice is to be expected.
    """
    return judged(model, images, how=how, pool=pool)[0]


def judged(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> tuple[Segmentation, Certainty | None]:
    """As :func:`segmented`, with how sure the model is of each structure; None without doubt."""
    case = _prepared(model, images, "segmentation")
    views, window = _views(model, how, pool), window_of(model.plan, how)
    watching = Watching(1 + len(model.plan.labels), len(views)) if how.doubt != "none" else None

    def run(array: Array) -> Array:
        return deciding.labels(array, views, window, witness=watching)

    labels, part = _in_region(model, images, case, run=run, how=replace(how, doubt="none"), pool=pool)
    if labels is None:
        watching = Watching(1 + len(model.plan.labels), len(views)) if how.doubt != "none" else None
        labels = run(case.array)
    found = _placed(labels, case, model.plan)
    certainty = watching.certainty(model.plan.labels) if watching else None
    reasons = merge(
        found.reasons, part, model.reasons, about_input(case, model), _about_certainty(certainty, model, how)
    )
    return replace(found, algorithm=algorithm_of(model, how), reasons=reasons), certainty


def _in_region(
    model: Model, images: Sequence[Volume] | Volume, case: Prepared, *, run: Run, how: Inference, pool: Pool
) -> tuple[Array | None, tuple[Reason, ...]]:
    """The labels of the part where a model's coarse one finds something; None where the whole image is to be seen."""
    coarse = coarse_of(model)
    if coarse is None:
        return None, ()
    seen = _prepared(coarse, images, "segmentation")
    places = labels_of(seen, coarse.plan, pool.opened(coarse, how), how=how)
    box = box_around(places, seen, case.grid, plan=model.plan)
    labels = None if box is None else labels_within(case.array, box, run)
    return labels, () if box is None or labels is None else (part_seen(box, labels.shape),)


def classified(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> tuple[Label, ...]:
    """The categories that a model tells apart, the likeliest first; parameters as of :func:`predict`.

    An image larger than the plan's patch is seen in its middle alone, a smaller one amid zeros.
    """
    case = _prepared(model, images, "classification")
    shares = shares_of(case, model.plan, pool.opened(model, how), how=how)
    order = np.argsort(-shares, kind="stable")
    return tuple(Label(model.plan.labels[n], probability=float(shares[n])) for n in order)


def restored(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> Volume:
    """The image that a model makes, in the first image's unit; parameters as of :func:`predict`.

    It lies on the first image's grid, or on the plan's where that states a spacing or shape; of a network that gives
    more voxels, on the finer grid of the same extent.

    Raises
    ------
    UsageError
        If the model does not give one channel.
    """
    case = _prepared(model, images, "denoising", "super_resolution")
    runtime, times = _mirrored(pool.opened(model, how), model.plan, how), times_of(model.plan)
    if max(times) > 1:
        runtime = Folded(runtime, times)
    given = unfolded(deciding.outputs(case.array, [runtime], window_of(model.plan, how)), times)
    if given.shape[0] != 1:
        raise UsageError(f"A model that makes an image gives one channel, not {given.shape[0]}.")
    offset, factor = case.scales[0]
    array = given[0]
    array *= np.float32(factor)
    array += np.float32(offset)
    grid = case.grid if array.shape == case.grid.shape else case.grid.with_shape(array.shape)
    made = case.source.on(grid, array) if case.source.axes == () else Volume(array, grid)
    if model.plan.spacing_mm is None and model.plan.shape is None:
        made = to_orientation(made, case.source.grid.orientation)  # turned back: each value is copied
    return made.with_reasons(merge(case.reasons, model.reasons, about_input(case, model)))


def detected(
    model: Model, images: Sequence[Volume] | Volume, *, how: Inference = AS_IT_IS, pool: Pool = POOL
) -> tuple[Box, ...]:
    """What a detector finds, the surest first, as boxes on the first image's grid; parameters as of :func:`predict`.

    Their probability is the detector's score, which is not calibrated. Mirrored images are not looked at.
    """
    case = _prepared(model, images, "detection")
    found = detections(case, model.plan, pool.opened(model, how))
    return tuple(one.box(case.source.grid, case.grid) for one in found)


def segmentation_of(case: Prepared, plan: Plan, runtime: Runtime, *, how: Inference = AS_IT_IS) -> Segmentation:
    """What a network that runs finds in a prepared case, on the grid of its source.

    The same way for a model that is served and for a network that is still learning.
    """
    return _placed(labels_of(case, plan, runtime, how=how), case, plan)


def _placed(labels: Array, case: Prepared, plan: Plan) -> Segmentation:
    """Labels on the network's grid as a segmentation on that of the source."""
    segments = segments_of(plan.labels)
    if plan.largest_only:
        found = Segmentation((labels,), case.grid, segments, Algorithm("network", "1"))
        labels = largest(found, names=plan.largest_only).array
    source = case.source
    array = back(labels, case)
    reasons = merge(case.reasons, about_labels(array, segments))
    return Segmentation((array,), source.grid, segments, Algorithm("network", "1"), source.sources, reasons)


def shares_of(case: Prepared, plan: Plan, runtime: Runtime, *, how: Inference = AS_IT_IS) -> Array:
    """How likely each category is of a prepared case, as a network that runs has it: (category,), their sum is 1.

    The same way for a model that is served and for a network that is still learning.
    """
    running = _mirrored(runtime, plan, how)
    given = numbers(_on_cpu(running(_in_middle(case.array, plan, running.device))))
    scores = np.asarray(given[0], np.float64)
    shares: Array = np.exp(scores - scores.max())
    shares /= shares.sum()
    return shares


def labels_of(case: Prepared, plan: Plan, runtime: Runtime, *, how: Inference = AS_IT_IS) -> Array:
    """The label map on the network's own grid: (slice, row, column), 0 for background."""
    return deciding.labels(case.array, [_mirrored(runtime, plan, how)], window_of(plan, how))


def window_of(plan: Plan, how: Inference) -> Window:
    """The window that a plan is seen through."""
    return Window(plan.patch, how.overlap, how.batch, plan.neighbours)


def algorithm_of(model: Model, how: Inference) -> Algorithm:
    """What made a finding: the model, its digest, its licence and how it was run."""
    runtime = runtime_name(model, how.runtime)
    settings = {
        "model_sha256": model.sha256,
        **({"coarse_sha256": coarse.sha256} if (coarse := coarse_of(model)) else {}),
        "licence": model.licence,
        "source": model.source,
        "runtime": f"{runtime} {_version(runtime)}".strip(),
        "precision": how.precision,
        "overlap": how.overlap,
        "mirror": how.mirror,
    }
    return Algorithm(model.name, model.version, tuple(settings.items()), codes.ARTIFICIAL_INTELLIGENCE)


def _version(runtime: str) -> str:
    """Version of the package that runs a model."""
    package = {"onnx": "onnxruntime", "tensorrt": "onnxruntime", "openvino": "openvino"}.get(runtime, "torch")
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _prepared(model: Model, images: Sequence[Volume] | Volume, *tasks: str) -> Prepared:
    expect(model, Model)
    if model.plan.task not in tasks:
        raise UsageError(f"{model.name} is a model for {model.plan.task}, not for {' or '.join(tasks)}.")
    given = tuple(images) if isinstance(images, Sequence) else (images,)
    for one in given:
        expect(one, Volume)
    expect_modality(given, model)
    return prepared(given, model.plan)


def _views(model: Model, how: Inference, pool: Pool) -> list[Runtime]:
    """What a model is run as: one network, or each member and mirror image by itself where their agreement is asked."""
    if how.doubt != "agreement":
        return [_mirrored(pool.opened(model, how), model.plan, how)]
    members = [pool.opened(model, how, member=number) for number in range(len(model.weights))]
    return [Mirrored(member, (flip,)) for member in members for flip in _flips(model.plan, how)]


def _about_certainty(certainty: Certainty | None, model: Model, how: Inference) -> tuple[Reason, ...]:
    if certainty is None:
        return ()
    if "calibration" not in model.facts:
        return certainty.reasons()
    calibration = Calibration.from_dict(model.facts["calibration"])
    if "agreement" in calibration.names and how.doubt != "agreement":
        return certainty.reasons()
    return (*certainty.reasons(), calibration.interval(certainty.features(*calibration.names)).reason())


def _mirrored(runtime: Runtime, plan: Plan, how: Inference) -> Runtime:
    flips = _flips(plan, how)
    return Mirrored(runtime, flips) if len(flips) > 1 else runtime


def _flips(plan: Plan, how: Inference) -> tuple[Flip, ...]:
    if how.mirror == "none":
        return ((),)
    expect_mirrors(plan)
    return flips_of(plan.mirror_axes, plan.dimensions)


def _in_middle(array: Array, plan: Plan, device: str) -> Any:
    """The middle of an image (channel, slice, row, column) of the size of the patch, as a batch of one."""
    for axis, wanted in enumerate(plan.patch, start=1):
        have = array.shape[axis]
        if have > wanted:
            array = np.take(array, range((have - wanted) // 2, (have - wanted) // 2 + wanted), axis)
        elif have < wanted:
            missing = wanted - have
            around = [(0, 0)] * 4
            around[axis] = missing // 2, missing - missing // 2
            array = np.pad(array, around)
    batch = array[None] if plan.dimensions == 3 else array[None, :, 0]
    if device == "cpu":
        return np.ascontiguousarray(batch)
    import torch

    return torch.from_numpy(np.ascontiguousarray(batch)).to(device)


def _on_cpu(outputs: Any) -> Array:
    return outputs if isinstance(outputs, np.ndarray) else outputs.cpu().numpy()
