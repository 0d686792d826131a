"""In which numbers a network is taught on a device, and whether to the same bits in every run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from isocenter.errors import UsageError
from isocenter.train.settings import Mode, Precision

_NUMBERS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def precision_on(device: str, asked: Precision) -> Precision:
    """The precision to work in; ``"auto"`` is bf16 where the device computes in it and does not only imitate it."""
    if asked != "auto":
        return asked
    if device != "cpu":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # of later versions of torch
    return "bf16" if any(told.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else "fp32"


def autocast(device: str, precision: Precision) -> Any:
    """The context in which a forward pass is computed in a precision."""
    return torch.autocast(kind(device), _NUMBERS[precision], enabled=precision != "fp32")


def scaler(device: str, precision: Precision) -> Any:
    """What keeps small gradients of fp16 from vanishing; for other numbers it does nothing."""
    return torch.amp.GradScaler(kind(device), enabled=precision == "fp16")


def best_device() -> Literal["cpu", "cuda"]:
    """What networks are taught on where nothing else is said."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def kind(device: str) -> str:
    """``"cpu"`` or ``"cuda"``, of any device."""
    return device.partition(":")[0]


def layout(dimensions: int) -> Any:
    """The order of values in memory that convolutions take without turning them: channels last."""
    return torch.channels_last_3d if dimensions == 3 else torch.channels_last


def expect_device(device: str) -> None:
    """Tell who asks for a GPU where there is none.

    Raises
    ------
    UsageError
        If torch sees no such device.
    """
    if kind(device) == "cuda" and not torch.cuda.is_available():
        text = "There is no GPU that PyTorch can use here: plan for the CPU, or install PyTorch's build for CUDA."
        raise UsageError(text)
    if kind(device) not in ("cpu", "cuda"):
        raise UsageError(f"A network is taught on 'cpu' or 'cuda'; not on {device!r}.")


@contextmanager
def repeatable(mode: Mode) -> Iterator[None]:
    """In deterministic mode the same bits in every run, else what is fastest; torch is left as it was found."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if mode == "deterministic":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not repeatable
        torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = mode == "fast"  # patches have one shape: the fastest way is tried out once
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=before[0])
        torch.backends.cudnn.benchmark = before[1]


@contextmanager
def generators_apart(device: str) -> Iterator[None]:
    """Whatever is drawn in here, the caller's generators of the CPU and of this device go on as they were."""
    with torch.random.fork_rng(devices=[] if kind(device) == "cpu" else [device]):
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed on the CPU in here."""
    with generators_apart("cpu"):
        torch.default_generator.manual_seed(seed)
        yield
