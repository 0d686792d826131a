"""A body without any symmetry, on any grid, and maps that move it."""

import numpy as np
from scipy.spatial.transform import Rotation

from isocenter import codes
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((32, 40, 48), spacing_mm=(3, 2.5, 2.5), frame_of_reference_uid="1.1")


def body(x, y, z):
    """Smooth HU at LPS millimetres about the origin: an ellipsoid with organs; a lesion on the left, one in front."""
    values = np.full(np.shape(x), -1000.0)
    for center, radii, hu in (
        ((0, 0, 0), (46, 34, 36), 1040),
        ((-18, 4, 6), (13, 16, 20), -800),
        ((20, 6, -4), (10, 14, 22), -750),
        ((4, 22, 0), (7, 6, 30), 500),
        ((24, -14, 10), (6, 6, 6), 300),
        ((-6, -20, -12), (9, 5, 8), 260),
        ((-20, 14, -18), (7, 8, 6), 420),
    ):
        r = np.sqrt(sum(((a - m) / s) ** 2 for a, m, s in zip((x, y, z), center, radii, strict=True)))
        values += hu / (1 + np.exp(np.minimum((r - 1) * min(radii) / 1.2, 60)))
    return values


def centred(shape=(32, 40, 48), spacing_mm=(3, 2.5, 2.5), uid="1.1", turn_degrees=(0, 0, 0), flips=()):
    """A grid about the origin."""
    grid = Grid.from_vectors(shape, spacing_mm=spacing_mm, frame_of_reference_uid=uid)
    turn = Rotation.from_euler("xyz", turn_degrees, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ grid.affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine, uid).flip(*flips)


def painted(grid, to_body=lambda x: x, *, noise_hu=10, seed=0, values=lambda hu: hu):
    """The body on a grid, where each point shows the body's point ``to_body(point)``."""
    points = to_body(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)))
    array = values(body(*np.moveaxis(points, -1, 0)))
    array = array + np.random.default_rng(seed).normal(0, noise_hu, grid.shape)
    return Volume(np.rint(array).astype(np.int16), grid, codes.HU, modality="CT")


def matrix(turn_degrees=(0, 0, 0), shift_mm=(0, 0, 0), linear=None):
    """(4, 4) from the fixed to the moving world, about the origin."""
    made = np.eye(4)
    made[:3, :3] = Rotation.from_euler("xyz", turn_degrees, degrees=True).as_matrix() @ (
        np.eye(3) if linear is None else linear
    )
    made[:3, 3] = shift_mm
    return made


def moved_by(affine):
    """For a moving image: from its points to the body's, so that the body's point x lies at ``affine @ x``."""
    back = np.linalg.inv(affine)
    return lambda points: points @ back[:3, :3].T + back[:3, 3]


def in_the_body():
    """Points spread over the body."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3), axis=-1).reshape(-1, 3)
    return grid[(grid**2).sum(axis=1) < 1] * (44, 32, 34)
