"""Networks that tell what an image shows as a whole: residual and dense ones, of MONAI, in two and three dimensions.

``features`` are what the last layer sees of an image, one vector for each: for scatter plots, classical learning and
embedding distance as well.
"""

from __future__ import annotations

from monai.networks import nets
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets.networks.options import expect_options
from isocenter.nets.plan import Plan

_LAYERS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
_LEAST = 32  # voxels along each axis, for four halvings and a pool


def resnet(plan: Plan) -> Pooled:
    """A residual network (He 2016); weights of a 2D one have the names that are common (``conv1``, ``layer1.0``, ...).

    Options: ``depth`` (10, 18, 34 or 50; 18 by default), ``features`` of the first stage (64), ``norm`` ("batch", or
    "instance" for batches of few images), ``stride`` of the first layer (2).
    """
    options = expect_options(plan, ("depth", "features", "norm", "stride"))
    depth, width = options.get("depth", 18), int(options.get("features", 64))
    if depth not in _LAYERS:
        raise UsageError(f"A ResNet has a depth of {', '.join(map(str, _LAYERS))}; not {depth!r}.")
    wide = depth >= 50
    body = nets.ResNet(
        "bottleneck" if wide else "basic",
        list(_LAYERS[depth]),
        [width * 2**n for n in range(4)],
        spatial_dims=plan.dimensions,
        n_input_channels=plan.inputs,
        conv1_t_stride=options.get("stride", 2),
        feed_forward=False,
        bias_downsample=False,
        norm=_norm(options.get("norm", "batch")),
    )
    return Pooled(body, nn.Linear(width * 8 * (4 if wide else 1), plan.output_channels))


def densenet121(plan: Plan) -> Pooled:
    """A densely connected network (Huang 2017).

    Options: ``features`` of the first layer (64), ``growth`` (32), ``blocks`` (6, 12, 24, 16), ``norm`` ("batch").
    """
    options = expect_options(plan, ("features", "growth", "blocks", "norm"))
    if min(plan.patch[3 - plan.dimensions :]) < _LEAST:
        raise UsageError(f"A DenseNet takes images of {_LEAST} voxels or more along each axis, not {plan.patch}.")
    network = nets.DenseNet(
        plan.dimensions,
        plan.inputs,
        plan.output_channels,
        init_features=options.get("features", 64),
        growth_rate=options.get("growth", 32),
        block_config=tuple(options.get("blocks", (6, 12, 24, 16))),
        norm=_norm(options.get("norm", "batch")),
    )
    return Pooled(nn.Sequential(network.features, network.class_layers[:-1]), network.class_layers[-1])


class Pooled(nn.Module):
    """A network whose last layer sees one vector for each image.

    Attributes
    ----------
    body
        From an image to its vector.
    head
        From the vector to one output for each category: ``forward(x) == head(features(x))``.
    """

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (batch, feature)."""
        found: Tensor = self.body(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """One output for each category, (batch, category), before softmax."""
        out: Tensor = self.head(self.features(x))
        return out


def _norm(name: str) -> str | tuple[str, dict[str, bool]]:
    if name not in ("batch", "instance"):
        raise UsageError(f"The norm is batch or instance; not {name!r}.")
    return ("instance", {"affine": True}) if name == "instance" else name
