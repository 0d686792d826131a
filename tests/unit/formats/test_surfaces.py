"""Mesh files give back what was written, and say rightly where it lies."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.formats.surfaces import load, save
from isocenter.mesh import Mesh

VERTICES = np.array(
    [[10, 20, 30], [11.5, 20, 30], [10, 22.25, 30], [10, 20, 33.125]], np.float32
)  # L, P, S of a corner
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
ONE = Mesh(VERTICES, FACES, "lung_left", "Left lung", (10, 200, 30), "1.2.3")
OTHER = Mesh(VERTICES + np.float32(50), FACES, "lung_right", color=(255, 0, 0))


@pytest.mark.parametrize("ending", [".stl", ".obj", ".mz3"])
def test_a_mesh_comes_back_as_it_was(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"lung_left{ending}"
    save(ONE, path)
    (back,) = load(path)
    np.testing.assert_array_equal(back.vertices[back.faces], ONE.vertices[ONE.faces])
    assert len(back.vertices) == 4
    assert back.name == "lung_left"
    assert back.is_closed
    assert back.volume_ml == pytest.approx(1.5 * 2.25 * 3.125 / 6e3)
    if ending != ".stl":
        assert back.color == ONE.color


@pytest.mark.parametrize("ending", [".stl", ".obj", ".mz3", ".glb"])
def test_the_same_mesh_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    save(ONE, tmp_path / f"a{ending}")
    save(ONE, tmp_path / f"b{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_several_meshes_keep_their_names_in_obj(tmp_path: Path) -> None:
    save([ONE, OTHER], tmp_path / "both.obj")
    back = load(tmp_path / "both.obj")
    assert [(mesh.name, mesh.color) for mesh in back] == [("lung_left", (10, 200, 30)), ("lung_right", (255, 0, 0))]
    np.testing.assert_array_equal(back[1].vertices, OTHER.vertices)
    np.testing.assert_array_equal(back[1].faces, OTHER.faces)


def test_mz3_holds_ras_points(tmp_path: Path) -> None:
    save(ONE, tmp_path / "a.mz3")
    raw = gzip.decompress((tmp_path / "a.mz3").read_bytes())
    assert struct.unpack_from("<HHIII", raw) == (0x5A4D, 7, 4, 4, 0)
    points = np.frombuffer(raw, "<f4", 12, 16 + FACES.nbytes).reshape(-1, 3)
    np.testing.assert_array_equal(points, VERTICES * np.float32([-1, -1, 1]))


def test_glb_holds_metres_with_the_head_up_and_the_face_to_the_viewer(tmp_path: Path) -> None:
    save([ONE, OTHER], tmp_path / "a.glb")
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, length, size, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    content = json.loads(data[20 : 20 + size])
    binary = data[28 + size :]
    assert len(binary) == content["buffers"][0]["byteLength"]

    def values(number: int, form: str, width: int) -> np.ndarray:
        accessor = content["accessors"][number]
        view = content["bufferViews"][accessor["bufferView"]]
        return np.frombuffer(binary, form, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)

    drawn = content["meshes"][0]["primitives"][0]
    points = values(drawn["attributes"]["POSITION"], "<f4", 3)
    np.testing.assert_allclose(points, VERTICES[:, [0, 2, 1]] * [1, 1, -1] / 1000, rtol=1e-6)  # left, head, front
    accessor = content["accessors"][drawn["attributes"]["POSITION"]]
    np.testing.assert_array_equal((accessor["min"], accessor["max"]), (points.min(axis=0), points.max(axis=0)))
    indices = values(drawn["indices"], "<u4", 1).reshape(-1, 3)
    a, b, c = (points[indices[:, place]].astype(float) for place in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(1.5 * 2.25 * 3.125 / 6e9)  # still outward
    normals = values(drawn["attributes"]["NORMAL"], "<f4", 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)
    assert [node["name"] for node in content["nodes"]] == ["Left lung", "Lung right"]
    red = content["materials"][1]["pbrMetallicRoughness"]["baseColorFactor"]
    assert red == [1, 0, 0, 1]


def test_a_header_that_says_ras_is_believed_and_another_space_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.stl"
    save(ONE, path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"SPACE=LPS", b"SPACE=RAS"))
    np.testing.assert_array_equal(load(path)[0].vertices[:, 0].max(), -10)
    path.write_bytes(data.replace(b"SPACE=LPS", b"SPACE=XYZ"))
    with pytest.raises(InputError, match="XYZ"):
        load(path)


@pytest.mark.parametrize("ending", [".stl", ".obj", ".mz3"])
def test_a_damaged_file_is_told(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    save(ONE, path)
    data = path.read_bytes()
    path.write_bytes(b"f 1 2 9\n" + data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged"):
        load(path)
    path.write_bytes(b"")
    if ending != ".obj":
        with pytest.raises(InputError, match="damaged"):
            load(path)


def test_wrong_calls_are_told(tmp_path: Path) -> None:
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    elsewhere = Mesh(VERTICES, FACES, "x", frame_of_reference_uid="9.9")
    for wrong in (
        lambda: save(ONE, tmp_path / "a.ply"),
        lambda: save([ONE, OTHER], tmp_path / "a.stl"),
        lambda: save([ONE, elsewhere], tmp_path / "a.glb"),
        lambda: save(empty, tmp_path / "a.obj"),
        lambda: save([], tmp_path / "a.obj"),
        lambda: save(VERTICES, tmp_path / "a.obj"),
        lambda: save(ONE, tmp_path / "none" / "a.obj"),
        lambda: load(tmp_path / "a.stl"),
        lambda: load(tmp_path / "a.glb"),
    ):
        with pytest.raises(UsageError):
            wrong()
