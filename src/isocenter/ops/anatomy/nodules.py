"""Nodule candidates in the lungs: blobs of solid density, by scale-space blob detection and their shape.

The scale-normalised Laplacian of Gaussians is largest where its scale fits a ball (Lindeberg, Int J Comput Vis 30,
1998); a vessel answers it too, but bends in two directions alone. Forks of vessels, scars and ribs that bulge remain:
these are candidates to look at. Ground-glass nodules answer too weakly and are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.ops.anatomy.lungs import AIR_HU, segment_lungs
from isocenter.ops.resample import to_spacing
from isocenter.ops.shape import crop_to
from isocenter.reasons import Reason, counted, merge
from isocenter.volume import Array, Volume

Singles = npt.NDArray[np.float32]

_VOXEL_MM = 1.25
_MARGIN_MM = 8.0
_SIGMAS_MM = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8)
_PER_SIGMA = 2 * 3**0.5
"""Diameter of the ball that a scale fits, over its standard deviation."""
_LUNG_HU, _SOLID_HU = -850.0, 100.0
_LEAST_RESPONSE = 300.0
"""A solid ball in lung answers by 500 or more."""
_ROUND = 0.45
"""Least over greatest bending; 1 of a ball, 0 of a vessel."""
_LEAST_MM, _MOST_MM = 4.0, 30.0
_REACH = 0.75
"""A nodule is looked for this far from its middle, in diameters of the ball that fits it."""
_MOST = 50
_THICK_MM = 3.0
_COLORS = ((240, 80, 80), (250, 170, 60), (240, 230, 80), (120, 220, 120), (90, 190, 250), (220, 120, 240))

ALGORITHM = Algorithm(
    "Isocenter nodule candidates",
    "1",
    (("least_response", _LEAST_RESPONSE), ("round", _ROUND), ("least_mm", _LEAST_MM), ("solid_hu", AIR_HU)),
)


@dataclass(frozen=True, eq=False)
class Blob:
    """A place where a ball fits.

    Parameters
    ----------
    center_mm
        World (x, y, z).
    diameter_mm
        Of the ball.
    response
        Scale-normalised Laplacian, in HU.
    """

    center_mm: Floats
    diameter_mm: float
    response: float


def segment_nodules(volume: Volume) -> Segmentation:
    """Candidates for solid nodules of 4 to 30 mm, each a segment (``nodule_1``, ...), the clearest first.

    Parameters
    ----------
    volume
        A CT in HU of the chest, on a grid of any orientation.

    Returns
    -------
    Segmentation on the volume's grid with 50 candidates at most. Its reasons are those of the lungs, how many
    candidates there are, and whether the slices are too thick for small nodules.
    """
    lungs = segment_lungs(volume)
    labels = np.zeros(volume.grid.shape, np.uint8)
    mask = lungs.mask("lung_right", "lung_left")
    kept = 0
    if mask.any():
        for blob in find_blobs(volume, lungs):
            kept += _drawn(volume, labels, blob, kept + 1) if kept < _MOST else 0
    segments = tuple(_segment(number) for number in range(1, kept + 1))
    reasons = merge(lungs.reasons, _about(volume, kept))
    return replace(Segmentation.of(labels, volume, segments, ALGORITHM), reasons=reasons)


def find_blobs(volume: Volume, lungs: Segmentation) -> list[Blob]:
    """The blobs inside the lungs, by falling response; none lies within another."""
    around = crop_to(volume, lungs, "lung_right", "lung_left", margin_mm=_MARGIN_MM)
    coarse = to_spacing(around, _VOXEL_MM)
    inside = _onto(lungs, coarse)
    image = np.where(inside, np.clip(coarse.array, -1000, _SOLID_HU), _LUNG_HU).astype(np.float32)
    spacing = float(np.mean(coarse.grid.spacing_mm))
    best, scale = _responses(image, spacing)
    places = _peaks(best, inside, np.float32(_LEAST_RESPONSE))
    order = np.argsort(-best[tuple(places.T)], kind="stable")
    found: list[Blob] = []
    for place in places[order]:
        sigma = _SIGMAS_MM[scale[tuple(place)]]
        center = coarse.grid.to_world(place)
        if any(np.linalg.norm(center - other.center_mm) < other.diameter_mm / 2 for other in found):
            continue
        if _roundness(image, place, sigma / spacing) >= _ROUND:
            found.append(Blob(center, sigma * _PER_SIGMA, float(best[tuple(place)])))
    return found


def _onto(lungs: Segmentation, coarse: Volume) -> Array:
    from isocenter.ops.resample import onto

    return onto(lungs.only("lung_right", "lung_left"), coarse.grid).mask("lung_right", "lung_left")


# --- scale space -----------------------------------------------------------------------------------------------------


def _responses(image: Singles, spacing: float) -> tuple[Singles, npt.NDArray[np.uint8]]:
    """The largest response of each voxel, and the index of its scale."""
    from isocenter.ops.filters.smoothing import smooth

    best = np.full(image.shape, -np.inf, np.float32)
    scale = np.zeros(image.shape, np.uint8)
    for index, sigma in enumerate(_SIGMAS_MM):
        voxels = sigma / spacing
        _keep_larger(smooth(image, (voxels, voxels, voxels)), float(voxels**2), best, (scale, index))
    return best, scale


@kernel
def _keep_larger(smoothed: Array, factor: float, best: Array, chosen: tuple[Array, int]) -> None:
    scale, index = chosen
    depth, height, width = smoothed.shape
    for k in range(1, depth - 1):
        for r in range(1, height - 1):
            for c in range(1, width - 1):
                around = smoothed[k - 1, r, c] + smoothed[k + 1, r, c] + smoothed[k, r - 1, c] + smoothed[k, r + 1, c]
                around += smoothed[k, r, c - 1] + smoothed[k, r, c + 1]
                response = factor * (6 * smoothed[k, r, c] - around)
                if response > best[k, r, c]:
                    best[k, r, c] = response
                    scale[k, r, c] = index


def _peaks(best: Singles, inside: Array, least: np.float32) -> npt.NDArray[np.int64]:
    """(n, 3) indices inside whose response is above the least one and that of all 26 neighbours."""
    from scipy import ndimage

    high = np.argwhere((best > least) & inside)
    top = ndimage.maximum_filter(best, 3)
    peaks: npt.NDArray[np.int64] = high[best[tuple(high.T)] == top[tuple(high.T)]]
    return peaks


def _roundness(image: Singles, place: npt.NDArray[np.int64], sigma: float) -> float:
    """The least over the greatest bending of the image at a place, at a scale in voxels; 0 where it bends up."""
    from scipy import ndimage

    reach = int(np.ceil(4 * sigma)) + 1
    first = np.maximum(place - reach, 0)
    part = image[tuple(slice(a, p + reach + 1) for a, p in zip(first, place, strict=True))]
    smoothed = ndimage.gaussian_filter(part, sigma, mode="nearest")
    around = np.pad(smoothed, 1, mode="edge")[tuple(slice(p, p + 3) for p in place - first)]
    bending = -np.linalg.eigvalsh(_hessian(around.astype(np.float64)))
    return float(max(bending.min(), 0.0) / bending.max()) if bending.max() > 0 else 0.0


def _hessian(cube: Floats) -> Floats:
    """(3, 3) second differences in the middle of a cube of 3 x 3 x 3 values."""
    slopes = np.gradient(cube)
    hessian: Floats = np.array([[np.gradient(slope)[axis][1, 1, 1] for axis in range(3)] for slope in slopes])
    middle = cube[1, 1, 1]
    hessian[0, 0], hessian[1, 1], hessian[2, 2] = (
        cube[2, 1, 1] + cube[0, 1, 1] - 2 * middle,
        cube[1, 2, 1] + cube[1, 0, 1] - 2 * middle,
        cube[1, 1, 2] + cube[1, 1, 0] - 2 * middle,
    )
    return hessian


# --- drawing ---------------------------------------------------------------------------------------------------------


def _drawn(volume: Volume, labels: npt.NDArray[np.uint8], blob: Blob, label: int) -> int:
    """Draw a blob as what is denser than half-way to lung and hangs together around its middle; 1 if it is a nodule."""
    from scipy import ndimage

    box, apart_mm = _around(volume, blob)
    solid = (volume.array[box] > AIR_HU) & (apart_mm <= _REACH * blob.diameter_mm) & (labels[box] == 0)
    pieces, count = ndimage.label(solid)
    if not count:
        return 0
    nearest = np.argmin(np.where(solid, apart_mm, np.inf))
    piece = pieces == pieces.reshape(-1)[nearest]
    diameter = 2 * (3 * np.count_nonzero(piece) * volume.grid.voxel_volume_mm3 / (4 * np.pi)) ** (1 / 3)
    if not _LEAST_MM <= diameter <= _MOST_MM or apart_mm.reshape(-1)[nearest] > blob.diameter_mm / 4:
        return 0
    labels[box][piece] = label
    return 1


def _around(volume: Volume, blob: Blob) -> tuple[tuple[slice, ...], Floats]:
    """The box of voxels around a blob, and how far each lies from its middle."""
    middle = volume.grid.to_index(blob.center_mm)
    reach = _REACH * blob.diameter_mm / np.array(volume.grid.spacing_mm)
    first = np.maximum(np.floor(middle - reach), 0).astype(int)
    last = np.minimum(np.ceil(middle + reach), np.array(volume.grid.shape) - 1).astype(int)
    index = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last, strict=True)), indexing="ij"), -1)
    apart: Floats = np.linalg.norm(volume.grid.to_world(index) - blob.center_mm, axis=-1)
    return tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True)), apart


def _segment(number: int) -> Segment:
    color = _COLORS[(number - 1) % len(_COLORS)]
    title = f"Nodule candidate {number}"
    category = codes.MORPHOLOGIC_ABNORMALITY
    return Segment(f"nodule_{number}", number, title, codes.NODULE, category, color, region=codes.LUNG)


def _about(volume: Volume, kept: int) -> Iterator[Reason]:
    if kept:
        most = ", the most that are kept" if kept == _MOST else ""
        text = f"{counted(kept, 'place looks', 'places look')} like a solid nodule{most}."
        yield Reason("NODULE_CANDIDATES", text)
    thickest = max(volume.grid.spacing_mm)
    if thickest > _THICK_MM:
        yield Reason("NODULES_MISSED", f"The voxels are {thickest:.3g} mm long; nodules below twice that are missed.")
