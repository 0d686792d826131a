"""Transforms on disk: one ``.npz`` file that holds all of a transform, and ITK's files by SimpleITK.

ITK's own transforms lead from the fixed to the moving world in LPS millimetres too, so no sign changes on the way. They
hold no frames of reference, grids of images or reasons: a transform is saved for ITK, and loaded from ``.npz``.
"""

from __future__ import annotations

import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.bridges import to_simpleitk
from isocenter.disk import replacing
from isocenter.errors import InputError, MissingExtra, UsageError, expect
from isocenter.formats import description
from isocenter.geometry import Grid
from isocenter.ops.registration.transform import Transform, displacement_on
from isocenter.reasons import Reason

_FOR_ITK = (".tfm", ".h5")


def save_transform(transform: Transform, path: Path | str) -> None:
    """Write a transform.

    Parameters
    ----------
    transform
        The transform.
    path
        ``.npz`` for all of it; ``.tfm`` or ``.h5`` for ITK, 3D Slicer and SimpleITK (extra ``sitk``): an affine
        transform, or a composite one of a displacement field and, after it, the affine.

    Raises
    ------
    UsageError
        If the ending is none of these, the path cannot be written, or the field's grid is sheared, which ITK lacks.
    MissingExtra
        If SimpleITK is needed and not installed.
    """
    expect(transform, Transform)
    path = Path(path)
    if path.suffix.lower() in _FOR_ITK:
        _save_for_itk(transform, path)
        return
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path.name}: a transform is written as .npz, or for ITK as .tfm or .h5.")
    said: dict[str, Any] = {
        "kind": "transform",
        "affine": transform.affine.tolist(),
        "fixed": transform.fixed.to_dict(),
        "moving": transform.moving.to_dict(),
        "reasons": [list(asdict(reason).values()) for reason in transform.reasons],
        "field": None if transform.displacement is None else transform.displacement.grid.to_dict(),
    }
    arrays = {} if transform.displacement is None else {"displacement": transform.displacement.array}
    text = np.frombuffer(description.text(said).encode(), np.uint8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, description=text, **arrays)


def load_transform(path: Path | str) -> Transform:
    """Read a transform that :func:`save_transform` wrote as ``.npz``.

    Raises
    ------
    UsageError
        If there is no such file.
    InputError
        If it holds no transform, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        said = description.parsed(members.pop("description").tobytes().decode()) or {}
        if said["kind"] != "transform":
            raise InputError(f"{path.name} holds a {said['kind']}, no transform: isocenter.load reads it.")
        vectors = None
        if said["field"] is not None:
            vectors = displacement_on(Grid.from_dict(said["field"]), members["displacement"])
        reasons = tuple(Reason(code, message, tuple(ids)) for code, message, ids in said["reasons"])
        ends = (Grid.from_dict(said["fixed"]), Grid.from_dict(said["moving"]))
        return Transform(np.array(said["affine"]), *ends, vectors, reasons)
    except (KeyError, TypeError, ValueError, EOFError, UsageError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} is no transform saved by Isocenter, or is damaged.") from error


def _save_for_itk(transform: Transform, path: Path) -> None:
    try:
        import SimpleITK as sitk  # noqa: N813 - its own name
    except ModuleNotFoundError as error:
        raise MissingExtra("SimpleITK", "sitk") from error
    made = sitk.AffineTransform(3)
    made.SetMatrix(transform.affine[:3, :3].ravel().tolist())
    made.SetTranslation(transform.affine[:3, 3].tolist())
    if transform.displacement is not None:
        image = sitk.Cast(to_simpleitk(transform.displacement), sitk.sitkVectorFloat64)
        made = sitk.CompositeTransform([made, sitk.DisplacementFieldTransform(image)])  # the last one is applied first
    with replacing(path.with_name(path.name)) as temporary:
        named = temporary.with_name(f"{temporary.name}{path.suffix.lower()}")  # ITK tells the kind by the ending
        sitk.WriteTransform(made, str(named))
        named.replace(temporary)
