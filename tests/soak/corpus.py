"""The sound files that are mutated: real ones, where they are, and synthetic ones of every transfer syntax."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.testing.dicom import SYNTAXES, Style, write_series

_PER_FOLDER = 12
_SLICES = 5


@dataclass(frozen=True)
class Sound:
    """Files that are read together, as names and bytes."""

    name: str
    files: tuple[tuple[str, bytes], ...]


def synthetic(folder: Path) -> Iterator[Sound]:
    """Small series of five slices: every transfer syntax, CT, MR and PET."""
    grid = Grid.from_vectors((_SLICES, 24, 20), spacing_mm=(3, 0.7, 0.8))
    values = (np.arange(grid.shape[0] * 480).reshape(grid.shape) * 7) % 1800 - 900.0
    styles = {name: Style(syntax=name, bits_stored=12, is_signed=False) for name in SYNTAXES}
    styles["MR"] = Style(syntax="implicit", modality="MR", rescale=None, is_signed=True)
    styles["PET"] = Style(modality="PT", is_signed=False, rescale=[(0.5 + k / 8, -1024.0) for k in range(_SLICES)])
    styles["padded CT"] = Style(attributes={"PixelPaddingValue": -1024}, bits_stored=16)
    for name, style in styles.items():
        paths = write_series(values, grid, folder / name, style=style)
        yield Sound(name, tuple((path.name, path.read_bytes()) for path in paths))


def real(data: Path, largest_bytes: int) -> Iterator[Sound]:
    """Single files and short runs of slices out of the real data sets; a fixed choice."""
    by_folder: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.stat().st_size < largest_bytes:
            with path.open("rb") as file:
                if file.read(132)[128:] == b"DICM":
                    by_folder[str(path.relative_to(data).parent)].append(path)
    for folder, paths in by_folder.items():
        rng = random.Random(folder)  # noqa: S311
        for path in rng.sample(paths, min(len(paths), _PER_FOLDER)):
            yield Sound(str(path.relative_to(data)), ((path.name, path.read_bytes()),))
        for series in [one for one in scan(data / folder) if one.verdict.usable and len(one) > 1][:3]:
            chosen = {frame.instance.path: None for frame in series.frames[:_SLICES]}
            files = tuple((Path(path).name, Path(path).read_bytes()) for path in chosen)
            if all(len(content) < largest_bytes for _, content in files):
                yield Sound(f"{folder} ({series.modality}, {len(files)} slices)", files)
