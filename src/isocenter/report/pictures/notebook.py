"""Notebooks: the still picture that an image shows of itself, and an interactive view of images and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter import bridges
from isocenter.errors import UsageError, expect
from isocenter.extras import needed
from isocenter.findings import Segmentation
from isocenter.formats.surfaces import mz3
from isocenter.mesh import Mesh
from isocenter.report.figure import Figure
from isocenter.report.pictures.slices import mosaic, planes
from isocenter.report.pictures.solids import solid
from isocenter.report.pictures.views import window_for
from isocenter.report.stills import still
from isocenter.volume import Volume

_LABELS = 1002  # NIfTI's intent code of label maps
_OVER = 0.5


def preview(shown: Volume | Segmentation | Mesh, over: Segmentation | None = None) -> Figure:
    """The picture that says most at a glance: three planes, of a cine its pictures, of a mesh three views."""
    if isinstance(shown, Mesh):
        return solid(shown, views=("anterior", "left", "superior"))
    is_cine = isinstance(shown, Volume) and shown.axes[:1] == ("time",) and shown.grid.shape[0] == 1
    return mosaic(shown, over, count=10) if is_cine else planes(shown, over)


def viewer(
    image: Volume | Segmentation, segmentation: Segmentation | None = None, *, meshes: Sequence[Mesh] = ()
) -> Any:
    """An interactive view in a notebook, by NiiVue: slices, a 3D view, segments over the image, meshes.

    Parameters
    ----------
    image
        What to show. Of further axes the middle place is shown; colours are not.
    segmentation
        Segments over it, on any grid of the same frame of reference.
    meshes
        Surfaces beside it.

    Returns
    -------
    An ``ipyniivue.NiiVue`` widget.

    Raises
    ------
    UsageError
        If the image has colours, segments overlap, or not all lie in one frame of reference.
    MissingExtra
        If ipyniivue is not installed.
    """
    expect(image, Volume, Segmentation)
    uids = {mesh.frame_of_reference_uid for mesh in meshes} | {image.grid.frame_of_reference_uid}
    if segmentation is not None:
        expect(segmentation, Segmentation)
        uids.add(segmentation.grid.frame_of_reference_uid)
        if segmentation.grid.space != image.grid.space:
            raise UsageError("The segments lie in another space than the image, so nothing says where they are in it.")
    if len(uids - {None}) > 1:
        raise UsageError("What is shown together lies in different frames of reference: register the images first.")
    ipyniivue = needed("ipyniivue", "jupyter")
    view = ipyniivue.NiiVue(is_radiological_convention=True)
    layers = [_layer(image)] + ([_layer(segmentation)] if segmentation is not None else [])
    view.load_volumes(layers)
    if meshes:
        view.load_meshes([{"name": f"{mesh.name}.mz3", "data": b"".join(mz3.parts([mesh]))} for mesh in meshes])
    return view


def _layer(image: Volume | Segmentation) -> dict[str, Any]:
    if isinstance(image, Segmentation):
        made = bridges.to_nibabel(image)
        made.header["intent_code"] = _LABELS
        return {"name": "segments.nii", "data": made.to_bytes(), "opacity": _OVER, "colormap": "random"}
    shown = still(image)
    if shown.axes:
        raise UsageError("The interactive view shows no colours: use iso.pictures.planes.")
    window = window_for(shown, None)
    plain = shown if shown.array.dtype != np.float64 else shown.with_array(shown.array.astype(np.float32))
    ends = {"cal_min": window.center - window.width / 2, "cal_max": window.center + window.width / 2}
    return {"name": "image.nii", "data": bridges.to_nibabel(plain).to_bytes(), "colormap": "gray", **ends}
