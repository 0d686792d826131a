from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from isocenter.geometry import Grid
from isocenter.ops.registration import Transform, load_transform, register, save_transform
from isocenter.ops.registration.fields import determinants, joined, smoothed, undone
from isocenter.ops.registration.transform import displacement_on

from .strategies import examples, grids, volumes

points = st.lists(st.tuples(*[st.floats(-60, 60)] * 3), min_size=1, max_size=8).map(np.array)


@st.composite
def affines(draw):
    """Turned, scaled and sheared a little, and shifted."""
    made = np.eye(4)
    turn = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True).as_matrix()
    made[:3, :3] = turn @ (np.diag(draw(st.tuples(*[st.floats(0.7, 1.4)] * 3))) + draw(st.floats(-0.1, 0.1)))
    made[:3, 3] = draw(st.tuples(*[st.floats(-80, 80)] * 3))
    return made


def world(uid):
    return Grid.from_vectors((8, 9, 10), spacing_mm=(12, 12, 12), origin_mm=(50, -50, -45), frame_of_reference_uid=uid)


@st.composite
def transforms(draw, fixed="1", moving="2"):
    """Affine, or with a displacement too smooth to fold, which is zero at its border."""
    affine = draw(affines())
    ends = world(fixed), world(moving)
    if draw(st.booleans()):
        return Transform(affine, *ends)
    turn = Rotation.from_euler("z", draw(st.floats(-180, 180)), degrees=True).as_matrix()
    shape, spacing = (14, 15, 16), draw(st.floats(9, 13))
    lattice = np.eye(4)
    lattice[:3, :3] = turn * spacing
    lattice[:3, 3] = -lattice[:3, :3] @ ((np.array(shape) - 1) / 2)
    grid = Grid(shape, lattice, fixed)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    vectors = rng.normal(size=(*shape, 3)).astype(np.float32)
    for axis in range(3):
        fade = np.sin(np.linspace(0, np.pi, shape[axis])) ** 2
        vectors *= fade.reshape([-1 if i == axis else 1 for i in range(4)]).astype(np.float32)
    vectors = smoothed(vectors, (1.5, 1.5, 1.5))
    edge = np.zeros(shape, bool)
    edge[1:-1, 1:-1, 1:-1] = True
    vectors = vectors * edge[..., None] / np.abs(vectors).max() * draw(st.floats(0.5, 6))
    return Transform(affine, *ends, displacement_on(grid, vectors))


@given(transforms(), points)
@examples(0.5)
def test_a_transform_and_its_inverse_are_nothing(transform, places):
    back = transform.inverse()
    np.testing.assert_allclose(back.points(transform.points(places)), places, atol=1.0)
    np.testing.assert_allclose(transform.then(back).points(places), places, atol=1.0)
    assert (back.fixed, back.moving) == (transform.moving, transform.fixed)


@given(transforms("1", "2"), transforms("2", "3"), transforms("3", "4"), points)
@examples(0.5)
def test_joining_is_associative_and_goes_one_after_the_other(first, second, third, places):
    one_by_one = third.points(second.points(first.points(places)))
    for whole in (first.then(second).then(third), first.then(second.then(third))):
        np.testing.assert_allclose(whole.points(places), one_by_one, atol=1.0)
        assert (whole.fixed, whole.moving) == (first.fixed, third.moving)


@given(transforms(), points)
@examples(0.5)
def test_what_was_saved_is_what_is_loaded(tmp_path_factory, transform, places):
    path = tmp_path_factory.mktemp("t") / "t.npz"
    save_transform(transform, path)
    np.testing.assert_array_equal(load_transform(path).points(places), transform.points(places))


@given(volumes(dtypes=(np.int16, np.float32)), grids(), affines())
def test_an_affine_carries_an_image_to_where_its_points_go(volume, target, affine):
    fixed = replace(target, frame_of_reference_uid="f")
    moving = replace(volume, grid=replace(volume.grid, frame_of_reference_uid="m"))
    brought = Transform(affine, fixed, moving.grid).apply(moving)
    index = moving.grid.to_index(fixed.to_world(np.argwhere(np.ones(fixed.shape))) @ affine[:3, :3].T + affine[:3, 3])
    shape = np.array(moving.grid.shape)
    far = ((index < -0.51) | (index > shape - 0.49)).any(axis=1)
    inside = ((index >= 0) & (index <= shape - 1)).all(axis=1)
    values = brought.array.reshape(-1)
    assert (values[far] == -1024).all()
    assert ((values[inside] >= moving.array.min()) & (values[inside] <= moving.array.max())).all()


@given(st.tuples(st.integers(-3, 3), st.integers(-4, 4), st.integers(-4, 4)), grids(), st.booleans())
@examples(0.1)
def test_a_shift_by_whole_voxels_is_found_exactly(shift, like, is_flipped):
    rng = np.random.default_rng(5)
    wide = smoothed(rng.normal(size=(40, 44, 48, 1)).astype(np.float32), (3, 3, 3))[..., 0] * 1000
    affine = like.affine.copy()
    affine[:3, :3] = like.direction * (2.5, 2, 2)
    whole = Grid(wide.shape, affine, "1")
    begins = [(8, 8, 8), [8 + n for n in shift]]
    parts = [wide[tuple(slice(a, a + 26) for a in begin)] for begin in begins]
    fixed, moving = (
        replace(_volume(part), grid=replace(whole.crop(b, [n + 26 for n in b]), frame_of_reference_uid=uid))
        for part, b, uid in zip(parts, begins, "12", strict=True)
    )
    moving = replace(moving, grid=replace(moving.grid, affine=fixed.grid.affine))  # its place is forgotten
    if is_flipped:
        moving = moving.on(moving.grid.flip(0, 2), np.ascontiguousarray(moving.array[::-1, :, ::-1]))
    found = register(fixed, moving, metric="ncc").transform
    center = np.array(fixed.grid.center_mm)
    expected = center - fixed.grid.affine[:3, :3] @ shift
    np.testing.assert_allclose(found.points(center), expected, atol=0.1)


def _volume(part):
    from isocenter.volume import Volume

    return Volume(np.ascontiguousarray(part), Grid.from_vectors(part.shape))


@given(st.integers(0, 50), st.floats(0.1, 1.2))
@examples(0.3)
def test_undoing_and_joining_fields_agree_and_determinants_are_those_of_numpy(seed, size):
    rng = np.random.default_rng(seed)
    field = smoothed(rng.normal(size=(9, 10, 11, 3)).astype(np.float32), (2, 2, 2))
    field *= np.float32(size / np.abs(field).max())
    assert np.abs(joined(field, undone(field))).max() < 0.01
    slopes = [np.gradient(field[..., i].astype(float)) for i in range(3)]
    matrices = np.moveaxis(np.array(slopes), (0, 1), (-2, -1)) + np.eye(3)
    np.testing.assert_allclose(determinants(field), np.linalg.det(matrices), atol=1e-4)


@given(st.integers(0, 50), st.floats(0.3, 2.5), st.integers(1, 3))
@examples(0.3)
def test_smoothing_is_that_of_scipy(seed, sigma, parts):
    from scipy.ndimage import gaussian_filter1d

    array = np.random.default_rng(seed).normal(size=(7, 12, 15, parts)).astype(np.float32)
    expected = array.astype(float)
    for axis in range(3):
        expected = gaussian_filter1d(expected, sigma, axis, mode="nearest", radius=int(np.ceil(3 * sigma)))
    np.testing.assert_allclose(smoothed(array, (sigma,) * 3), expected, atol=1e-5)
