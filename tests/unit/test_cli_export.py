import json
import sys

import pytest

from isocenter import cli, formats
from isocenter.testing.phantom import chest_grid, chest_phantom


def _run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["isocenter", "export", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


def test_the_command_exports_tells_and_fails_where_a_case_did(tmp_path, monkeypatch, capsys):
    phantom = chest_phantom(chest_grid((10, 24, 24), (20, 15, 15)))
    (tmp_path / "in").mkdir()
    formats.save(phantom.volume, tmp_path / "in" / "a.nii.gz")
    options = ("--shape", "8,16,16", "--spacing", "20", "--window", "lung", "--format", "npy")
    assert _run(monkeypatch, tmp_path / "in", "-o", tmp_path / "out", *options, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["usable"], told["cases"][0]["spacing_mm"]) == (1, [20, 20, 20])
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"none")
    assert _run(monkeypatch, tmp_path / "in", "-o", tmp_path / "out", *options) == 1
    assert "INPUT_DAMAGED" in capsys.readouterr().out
    for wrong in (("--shape", "8,16"), ("--shape", "a"), ()):
        assert _run(monkeypatch, tmp_path / "in", "-o", tmp_path / "new", *wrong, "--format", "npy") == 2
    assert not (tmp_path / "new").exists()
