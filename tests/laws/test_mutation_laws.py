"""Laws of damaged input: nothing raises but what is documented, and what is read is right or told (a short soak)."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import DamagedHeaderError, Header, NotDicomError
from isocenter.dicom.file.files import FileRef, MemoryBytes
from isocenter.dicom.file.header import read_header
from isocenter.dicom.frames.instance import instance_from, is_image
from isocenter.dicom.values import codecs
from isocenter.geometry import Grid
from isocenter.testing.dicom import SYNTAXES, Style, write_series
from isocenter.testing.mutation import mutate
from isocenter.testing.trial import Kind, judged, read_all

PREFIXES = (
    b"",
    bytes(128) + b"DICM",
    b"\x08\x00\x05\x00CS",
    b"\x08\x00\x08\x00\x04\0\0\0",
    b"\x02\x00\x00\x00UL\x04\0",
)
ELEMENT = st.builds(
    lambda tag, vr, length, value: tag + vr + length + value,
    st.sampled_from(
        [b"\x28\x00\x10\x00", b"\x20\x00\x32\x00", b"\x10\x00\x10\x00", b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00"]
    )
    | st.binary(min_size=4, max_size=4),
    st.sampled_from([b"US", b"DS", b"SQ\0\0", b"UN\0\0", b"OW\0\0", b""]),
    st.sampled_from([b"\x02\0", b"\xff\xff\xff\xff", b"\x04\0\0\0", b"\xff\xff"]) | st.binary(min_size=2, max_size=4),
    st.binary(max_size=12),
)
GRID = Grid.from_vectors((3, 12, 10), spacing_mm=(3, 0.7, 0.8))


@given(st.sampled_from(PREFIXES), st.lists(ELEMENT, max_size=20).map(b"".join) | st.binary(max_size=400))
@example(bytes(128) + b"DICM", b"\xff" * 8)
def test_any_bytes_are_a_header_or_a_documented_error(prefix: bytes, rest: bytes) -> None:
    try:
        header = read_header(MemoryBytes(prefix + rest))
    except (NotDicomError, DamagedHeaderError):
        return
    assert isinstance(header, Header)
    if is_image(header):
        assert instance_from(FileRef("file"), header).format.rows < 65536


@given(st.binary(max_size=40))
def test_any_bytes_are_a_number_or_none(raw: bytes) -> None:
    for value in (parsing.number(raw), parsing.integer(raw), parsing.short(raw), parsing.length_mm(raw)):
        assert value is None or isinstance(value, (int, float))
    assert parsing.spacing(raw) is None or min(parsing.spacing(raw)) > 0


FRAGMENTS = st.lists(
    st.tuples(
        st.sampled_from([b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\0\0\0\0"]),
        st.binary(max_size=30),
        st.integers(-2, 2),
    )
)


@given(FRAGMENTS, st.integers(1, 4), st.binary(max_size=20))
def test_any_fragments_are_frames_or_a_documented_error(fragments, count: int, offsets: bytes) -> None:
    value = b"".join(
        tag + max(0, len(content) + lie).to_bytes(4, "little") + content for tag, content, lie in fragments
    )
    try:
        frames = codecs.frames_of(value, count, offsets=offsets)
    except (codecs.TruncatedError, codecs.UndecodableError):
        return
    assert len(frames) == count
    assert sum(map(len, frames)) <= len(value)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, list[Path]]:
    values = np.arange(360).reshape(GRID.shape) * 5 - 900.0
    styles = {name: Style(syntax=name, bits_stored=12, is_signed=False) for name in SYNTAXES}
    styles["MR"] = Style(syntax="implicit", modality="MR", rescale=None)
    folder = tmp_path_factory.mktemp("sound")
    return {name: list(write_series(values, GRID, folder / name, style=style)) for name, style in styles.items()}


@pytest.mark.parametrize("name", [*SYNTAXES, "MR"])
def test_a_damaged_series_is_read_rightly_or_told(sound, name: str, tmp_path: Path) -> None:
    rng = random.Random(f"short soak of {name}")  # noqa: S311
    paths = {path.name: path.read_bytes() for path in sound[name]}
    _, usual = read_all(sound[name][0].parent)
    kinds = set()
    for _ in range(30):
        files = dict(paths)
        spoiled = rng.choice(list(files))
        mutant = mutate(files[spoiled], rng)
        files[spoiled] = mutant.data
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
        contents = {str(tmp_path / file): content for file, content in files.items()}
        outcome = judged(read_all(tmp_path), contents, usual)
        assert outcome.kind in (Kind.REFUSED, Kind.EQUAL, Kind.TOLD, Kind.UNJUDGED), (mutant.steps, outcome)
        kinds.add(outcome.kind)
    assert kinds > {Kind.REFUSED}
