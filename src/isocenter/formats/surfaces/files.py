"""The front of the mesh files: one function to save, one to load, by the ending of the file's name."""

from __future__ import annotations

import importlib
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isocenter.errors import InputError, UsageError, expect
from isocenter.formats.writing import write
from isocenter.mesh import Mesh

_MODULES = {".stl": "stl", ".obj": "obj", ".mz3": "mz3", ".glb": "glb"}
_OF_ONE = (".stl", ".mz3")


def save(meshes: Mesh | Sequence[Mesh], path: str | os.PathLike[str]) -> None:
    """Write a mesh, or several, as the ending of the file's name says; an existing file is replaced at the end.

    Raises
    ------
    UsageError
        If the ending is unknown, the file cannot hold several meshes, they lie in different frames of reference, or
        the folder is missing or closed.
    TryLater
        If the disk is full.
    """
    several = [meshes] if isinstance(meshes, Mesh) else list(meshes)
    for mesh in several:
        expect(mesh, Mesh)
    ending, module = _module(path)
    if not several or not all(len(mesh.faces) for mesh in several):
        raise UsageError("A mesh without triangles is no surface: nothing was written.")
    if len(several) > 1 and ending in _OF_ONE:
        raise UsageError(
            f"A {ending} file holds one mesh, not {len(several)}: write a file for each, make one mesh of several "
            "segments by iso.surfaces.mesh(segmentation, *names), or take .glb or .obj."
        )
    if len({mesh.frame_of_reference_uid for mesh in several} - {None}) > 1:
        raise UsageError("The meshes lie in different frames of reference: register their images first.")
    write(Path(path), module.parts(several))


def load(path: str | os.PathLike[str]) -> tuple[Mesh, ...]:
    """The meshes of a file, in LPS millimetres.

    An STL or OBJ file whose header does not say in which space its points lie is taken as LPS; an MZ3 file as RAS.

    Raises
    ------
    UsageError
        If there is no such file, or its kind is not read.
    InputError
        If it is damaged, or says that its points lie in another space than LPS or RAS.
    """
    ending, module = _module(path)
    if not hasattr(module, "meshes"):
        raise UsageError(f"{ending} files are written but not read.")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {Path(path).name}: {error.strerror or error}.") from error
    try:
        found: tuple[Mesh, ...] = module.meshes(data, Path(path).stem)
    except (ValueError, IndexError, EOFError, struct.error, zlib.error, OSError) as error:
        raise InputError(f"{Path(path).name} is damaged, or no {ending} file: {error}") from error
    return found


def _module(path: str | os.PathLike[str]) -> tuple[str, Any]:
    ending = Path(path).suffix.lower()
    if ending not in _MODULES:
        raise UsageError(f"The name {Path(path).name!r} ends in none of {', '.join(_MODULES)}.")
    return ending, importlib.import_module(f"isocenter.formats.surfaces.{_MODULES[ending]}")
