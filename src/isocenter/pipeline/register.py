"""Two images from any paths, registered, and what is written of it: what ``isocenter register`` does."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isocenter import codes, formats
from isocenter.disk import replacing
from isocenter.findings import Segmentation
from isocenter.ops.registration import Registration, save_transform
from isocenter.ops.resample import AIR_HU
from isocenter.pipeline import look
from isocenter.pipeline.folder import writable
from isocenter.report.pictures import checkerboard
from isocenter.report.pictures.views import PlaneName
from isocenter.volume import Volume

_PLANES: tuple[PlaneName, ...] = ("axial", "coronal", "sagittal")


@dataclass(frozen=True, slots=True)
class Written:
    """What a registration left on disk.

    Parameters
    ----------
    moved
        The moved image.
    files
        Paths of the moved image, the transform, the checkerboards and the facts.
    outside
        Value of the voxels that the moving image does not reach.
    """

    moved: Volume
    files: tuple[Path, ...]
    outside: float


def mask_of(path: Path) -> Segmentation:
    """The segmentation of a label file, or of a stored DICOM Segmentation."""
    found = look.image(path)[0] if path.is_dir() or path.suffix.lower() in ("", ".dcm") else None
    return found if isinstance(found, Segmentation) else formats.load_segmentation(path)


def write(found: Registration, fixed: Volume, moving: Volume, folder: Path, *, outside: float | None = None) -> Written:
    """Write the moved image on the fixed grid, the transform, checkerboards of both images, and the facts.

    Parameters
    ----------
    found
        The registration.
    fixed, moving
        The images that it is of.
    folder
        Where to: ``moved.nii.gz``, ``transform.npz``, ``checkerboard_axial.png`` and so on, ``registration.json``.
    outside
        Value of the voxels that the moving image does not reach: by default air for a CT, else its least value.

    Raises
    ------
    UsageError
        If the folder cannot be written, or the image's values cannot hold ``outside``.
    TryLater
        If the disk is full.
    """
    writable(folder)
    if outside is None:
        outside = float(AIR_HU if moving.unit == codes.HU else moving.array.min())
    moved = found.transform.apply(moving, outside=outside)
    formats.save(moved, folder / "moved.nii.gz")
    save_transform(found.transform, folder / "transform.npz")
    figures = [checkerboard(fixed, moved, plane=plane) for plane in _PLANES]
    named = [replace(one, name=f"{one.name}_{plane}") for one, plane in zip(figures, _PLANES, strict=True)]
    pictures = look.write(named, folder)
    with replacing(folder / "registration.json") as temporary:
        text = json.dumps({**facts(found), "outside": outside}, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    files = (folder / "moved.nii.gz", folder / "transform.npz", *pictures, folder / "registration.json")
    return Written(moved, files, outside)


def facts(found: Registration) -> dict[str, Any]:
    """What is known of a registration, as plain values."""
    return {
        "verdict": str(found.verdict),
        "fixed_to_moving": found.transform.affine.tolist(),
        "has_displacement": found.transform.displacement is not None,
        "quality": found.quality.to_dict(),
        "reasons": [reason.to_dict() for reason in found.reasons],
    }
