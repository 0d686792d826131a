"""Volumes and segmentations to and from the image types of other libraries: the only place that reverses axes or signs.

====================  ===========================  =========================  ==========================
library               array                        world                      holds a sheared grid
====================  ===========================  =========================  ==========================
SimpleITK             (slice, row, column)         LPS, (c, r, k) vectors     no: refused
nibabel               (column, row, slice)         RAS, affine on (c, r, k)   yes
MONAI ``MetaTensor``  (channel, slice, row, col.)  RAS, affine on (k, r, c)   yes
TorchIO               (channel, column, row, sl.)  RAS, affine on (c, r, k)   no: refused
highdicom ``Volume``  (slice, row, column)         LPS, affine on (k, r, c)   no: refused
====================  ===========================  =========================  ==========================

Every bridge copies, so neither side can change or outlive the other's memory. A segmentation goes out as its label
map. None of these types says what its values mean: unit and modality come back by argument. Sources and reasons stay
behind, and the frame of reference too, except with highdicom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import InputError, UsageError, expect
from isocenter.extras import needed
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Floats, Grid, Space
from isocenter.volume import Array, Volume

_LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CHANNEL = "channel"


# --- affines and axes ------------------------------------------------------------------------------------------------


def ras_affine(grid: Grid) -> Floats:
    """(4, 4) matrix from (column, row, slice) index to RAS millimetres, as NIfTI has it."""
    affine: Floats = _LPS_RAS @ grid.affine[:, [2, 1, 0, 3]]
    return affine


def grid_from_ras(affine: npt.ArrayLike, shape: Sequence[int]) -> Grid:
    """Grid of a NIfTI-like image: its affine to RAS millimetres and its shape (columns, rows, slices).

    Raises
    ------
    InputError
        If the affine is not a finite invertible one.
    """
    return grid_from_lps(_LPS_RAS @ np.asarray(affine, float), shape)


def lps_affine(grid: Grid) -> Floats:
    """(4, 4) matrix from (column, row, slice) index to LPS millimetres, as NRRD and ITK have it."""
    return grid.affine[:, [2, 1, 0, 3]]


def grid_from_lps(affine: npt.ArrayLike, shape: Sequence[int]) -> Grid:
    """As :func:`grid_from_ras`, from an affine to LPS millimetres."""
    c, r, k = shape
    return _grid((k, r, c), np.asarray(affine, float)[:, [2, 1, 0, 3]])


def columns_first(array: Array) -> Array:
    """View of a (slice, row, column, *axes) array as (column, row, slice, *axes); its own inverse."""
    return array.swapaxes(0, 2)


def as_segmentation(labels: Volume, segments: Sequence[Segment], algorithm: Algorithm) -> Segmentation:
    """A label map that came over a bridge as a segmentation.

    Raises
    ------
    InputError
        If the values are not whole numbers of 0 or more, or hold a label that no segment has.
    """
    array = labels.array
    if array.dtype.kind == "f" and np.array_equal(array, np.rint(array)) and 0 <= array.min() <= array.max() < 2**31:
        array = array.astype(np.int32)
    if array.dtype.kind not in "ui" or labels.axes:
        raise InputError("A label map holds whole numbers on three axes.")
    unknown = set(np.unique(array).tolist()) - {0, *(segment.label for segment in segments)}
    if unknown:
        raise InputError(f"The label map holds labels without a segment: {sorted(unknown)[:10]}.")
    return Segmentation((array,), labels.grid, tuple(segments), algorithm, labels.sources, labels.reasons)


# --- points of meshes -------------------------------------------------------------------------------------------------


def points_between_ras_and_lps(points: Array) -> Array:
    """(n, 3) points or directions in RAS of those in LPS, and the other way."""
    turned: Array = points * np.array([-1, -1, 1], points.dtype)
    return turned


def points_in_gltf(points: Array) -> Array:
    """(n, 3) points or directions as glTF has its axes (left, head, front), of those in LPS; the unit stays."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1)


# --- SimpleITK -------------------------------------------------------------------------------------------------------


def to_simpleitk(image: Volume | Segmentation) -> Any:
    """``SimpleITK.Image`` of the same voxels; one further axis becomes the components of a vector image.

    Raises
    ------
    UsageError
        If the grid is sheared, which ITK cannot hold, or there are two further axes.
    MissingExtra
        If SimpleITK is not installed.
    """
    expect(image, Volume, Segmentation)
    sitk = needed("SimpleITK", "sitk")
    array, grid = _values(image), _orthogonal(image.grid, "SimpleITK")
    if array.ndim > 4:
        raise UsageError("SimpleITK holds one axis beside the spatial ones: take one of the others out first.")
    made = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    made.SetSpacing(grid.spacing_mm[::-1])
    made.SetOrigin(grid.origin_mm)
    made.SetDirection(grid.direction[:, ::-1].ravel().tolist())
    return made


def from_simpleitk(image: Any, *, unit: Code = codes.ONE, modality: str = "") -> Volume:
    """Volume of a three-dimensional ``SimpleITK.Image``; vector components become the axis ``"channel"``."""
    sitk = needed("SimpleITK", "sitk")
    if image.GetDimension() != 3:
        raise InputError(f"Expected a SimpleITK image of three dimensions, not {image.GetDimension()}.")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image)
    axes = (_CHANNEL,) if array.ndim == 4 else ()
    return Volume(array, grid_from_lps(affine, image.GetSize()), unit, axes, modality)


# --- nibabel ---------------------------------------------------------------------------------------------------------


def to_nibabel(image: Volume | Segmentation) -> Any:
    """``nibabel.Nifti1Image`` of the same voxels, with both transforms set where a quaternion can hold the grid."""
    expect(image, Volume, Segmentation)
    nibabel = needed("nibabel", "all")
    affine = ras_affine(image.grid)
    made = nibabel.Nifti1Image(columns_first(_values(image)).copy(order="F"), affine, dtype=_values(image).dtype)
    made.header.set_xyzt_units("mm")
    made.set_sform(affine, code="scanner")
    made.set_qform(affine, code="unknown" if image.grid.is_sheared else "scanner")
    return made


def from_nibabel(image: Any, *, unit: Code = codes.ONE, modality: str = "", axes: Sequence[str] = ()) -> Volume:
    """Volume of a nibabel image in its scaled values; ``axes`` names those after the three spatial ones.

    nibabel's own affine is taken as millimetres; :func:`isocenter.formats.load` looks closer.
    """
    array = np.asanyarray(image.dataobj)
    if array.ndim != 3 + len(axes):
        raise UsageError(f"The image has {array.ndim - 3} axes beside the spatial ones: name each by axes=(...).")
    values = columns_first(array).copy(order="C")
    return Volume(values, grid_from_ras(image.affine, array.shape[:3]), unit, tuple(axes), modality)


# --- torch: MONAI and TorchIO ----------------------------------------------------------------------------------------


def to_metatensor(image: Volume | Segmentation) -> Any:
    """``monai.data.MetaTensor`` (channel, slice, row, column) with the affine to RAS on (slice, row, column)."""
    expect(image, Volume, Segmentation)
    monai, torch = needed("monai.data", "nets"), needed("torch", "nets")
    affine = torch.from_numpy(_LPS_RAS @ image.grid.affine)
    return monai.MetaTensor(_tensor(torch, _channel_first(image)), affine=affine, meta={"space": "RAS"})


def to_metatensors(**images: Volume | Segmentation) -> dict[str, Any]:
    """``MetaTensor`` of images of one patient by name, as ``to_metatensors(image=volume, label=segmentation)``.

    A list of these is what MONAI's dictionary transforms and data sets (``CacheDataset``) take, without ``LoadImaged``.
    """
    return {name: to_metatensor(image) for name, image in images.items()}


def from_metatensor(tensor: Any, *, unit: Code = codes.ONE, modality: str = "") -> Volume:
    """Volume of a ``MetaTensor`` (channel, three spatial axes); several channels become the axis ``"channel"``.

    Raises
    ------
    InputError
        If it has not four axes, or its meta data say that its affine leads to another space than RAS or LPS.
    """
    space = str(tensor.meta.get("space", "RAS")).rpartition(".")[2]
    if tensor.ndim != 4 or space not in ("RAS", "LPS"):
        raise InputError(f"Expected a tensor of four axes in RAS or LPS, not {tensor.ndim} axes in {space!r}.")
    array = _without_channel(np.array(tensor.detach().cpu().as_tensor().numpy()))
    affine = np.asarray(tensor.affine.cpu(), float)
    grid = _grid(array.shape[:3], _LPS_RAS @ affine if space == "RAS" else affine)
    return Volume(array, grid, unit, (_CHANNEL,) * (array.ndim - 3), modality)


def to_torchio(image: Volume | Segmentation) -> Any:
    """``torchio.ScalarImage`` of a volume, ``torchio.LabelMap`` of a segmentation.

    Raises
    ------
    UsageError
        If the grid is sheared, which TorchIO cannot hold.
    """
    expect(image, Volume, Segmentation)
    torchio, torch = needed("torchio", "nets"), needed("torch", "nets")
    grid = _orthogonal(image.grid, "TorchIO")
    kind = torchio.LabelMap if isinstance(image, Segmentation) else torchio.ScalarImage
    return kind(tensor=_tensor(torch, _channel_first(image).swapaxes(1, 3)), affine=ras_affine(grid))


def to_subject(**images: Volume | Segmentation) -> Any:
    """``torchio.Subject`` of images of one patient by name, as ``to_subject(ct=volume, lungs=segmentation)``.

    TorchIO's transforms then move images and labels alike.

    Raises
    ------
    UsageError
        As :func:`to_torchio`.
    """
    torchio = needed("torchio", "nets")
    return torchio.Subject({name: to_torchio(image) for name, image in images.items()})


def from_torchio(image: Any, *, unit: Code = codes.ONE, modality: str = "") -> Volume:
    """Volume of a ``torchio.Image``; several channels become the axis ``"channel"``."""
    array = _without_channel(np.array(image.data.numpy().swapaxes(1, 3)))
    grid = grid_from_ras(image.affine, image.spatial_shape)
    return Volume(array, grid, unit, (_CHANNEL,) * (array.ndim - 3), modality)


# --- highdicom -------------------------------------------------------------------------------------------------------


def to_highdicom(image: Volume | Segmentation) -> Any:
    """``highdicom.Volume`` of the same array, affine and frame of reference.

    Raises
    ------
    UsageError
        If the grid is sheared or not in the patient, or the image has further axes.
    """
    expect(image, Volume, Segmentation)
    highdicom = needed("highdicom", "all")
    array, grid = _values(image), _orthogonal(image.grid, "highdicom")
    if array.ndim > 3 or grid.space != Space.PATIENT:
        raise UsageError("A highdicom.Volume is made of three spatial axes in the patient.")
    uid = grid.frame_of_reference_uid
    return highdicom.Volume(array.copy(), grid.affine.copy(), coordinate_system="PATIENT", frame_of_reference_uid=uid)


def from_highdicom(volume: Any, *, unit: Code = codes.ONE, modality: str = "") -> Volume:
    """Volume of a ``highdicom.Volume`` in the patient; its channels become named axes."""
    if str(volume.coordinate_system.value) != "PATIENT":
        raise InputError("The highdicom.Volume lies on a slide, not in a patient.")
    uid = None if volume.frame_of_reference_uid is None else str(volume.frame_of_reference_uid)
    grid = _grid(volume.spatial_shape, volume.affine, uid)
    axes = tuple(str(channel.keyword) for channel in volume.channel_descriptors)
    return Volume(np.array(volume.array, order="C"), grid, unit, axes, modality)


# --- shared by the bridges -------------------------------------------------------------------------------------------


def _grid(shape: Sequence[int], affine: Floats, frame_of_reference_uid: str | None = None) -> Grid:
    k, r, c = (int(n) for n in shape)
    try:
        return Grid((k, r, c), affine, frame_of_reference_uid)
    except ValueError as error:
        raise InputError(f"The image has no place in the world: {error}") from error


def _values(image: Volume | Segmentation) -> Array:
    """The array to hand over; booleans as uint8, which every library takes."""
    if isinstance(image, Segmentation) and len(image.layers) != 1:
        raise UsageError("The segments overlap, so there is no one label map: hand over one layer at a time.")
    array = image.array
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def _orthogonal(grid: Grid, library: str) -> Grid:
    if grid.is_sheared:
        raise UsageError(
            f"{library} cannot hold a sheared grid and would misplace its voxels: resample it onto an orthogonal one."
        )
    return grid


def _channel_first(image: Volume | Segmentation) -> Array:
    array = _values(image)
    if array.ndim > 4:
        raise UsageError("A tensor of an image holds one axis beside the spatial ones: take one of the others out.")
    return array[None] if array.ndim == 3 else np.moveaxis(array, 3, 0)


def _without_channel(array: Array) -> Array:
    return np.ascontiguousarray(array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, 3))


def _tensor(torch: Any, array: Array) -> Any:
    return torch.from_numpy(array.copy(order="C"))
