"""Checkpoints: all that a course needs to go on as if it had not been broken off.

A file is the state and its SHA-256, written beside the ones before and then named: a kill at any time leaves a whole
one. No states of generators are in it, since every step makes its own of the seed and its number. Reading runs no code.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isocenter.disk import replacing, write_synced
from isocenter.errors import InputError
from isocenter.reasons import Reason

_KEPT = 2
_DIGEST = hashlib.sha256().digest_size
_NAME = re.compile(r"step_(\d+)\.checkpoint")


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read.

    Parameters
    ----------
    state
        What :func:`save` was given.
    reasons
        ``CHECKPOINT_DAMAGED`` for each later one that could not be read.
    """

    state: Mapping[str, Any]
    reasons: tuple[Reason, ...] = ()


def save(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Keep a state (tensors and plain values) as the last one; the one before stays, older ones go.

    Raises
    ------
    TryLater
        If the disk is full.
    """
    write(folder / f"step_{step:08d}.checkpoint", state)
    for path in _kept(folder)[:-_KEPT]:
        path.unlink(missing_ok=True)


def last(folder: Path) -> Found | None:
    """The last checkpoint that is whole, or None if there is none at all.

    Raises
    ------
    InputError
        If there are some, and all are damaged.
    """
    reasons: list[Reason] = []
    paths = _kept(folder)[::-1]
    for path in paths:
        with suppress(InputError):
            return Found(read(path), tuple(reasons))
        text = f"The checkpoint {path.name} is damaged: learning goes on from the one before."
        reasons.append(Reason("CHECKPOINT_DAMAGED", text, (path.name,)))
    if paths:
        raise InputError(f"All checkpoints in {folder} are damaged: remove the folder, and learning begins anew.")
    return None


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write one state, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    data = buffer.getvalue()
    with replacing(path) as temporary:
        write_synced(temporary, data + hashlib.sha256(data).digest())


def read(path: Path) -> dict[str, Any]:
    """One state, on the CPU.

    Raises
    ------
    InputError
        If the file is not what was written.
    """
    data = path.read_bytes()
    state, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(state).digest() != digest:
        raise InputError(f"The checkpoint {path.name} is damaged.")
    found: dict[str, Any] = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
    return found


def _kept(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by their step."""
    found = [path for path in folder.glob("*.checkpoint") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name)
