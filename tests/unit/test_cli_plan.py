"""The command ``plan``: what was decided and why, faults by their status, and a file that teaches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import UsageError
from isocenter.formats import save
from isocenter.geometry import Grid
from isocenter.nets.plan import load_plan
from isocenter.pipeline.plan import memory_bytes, planned
from isocenter.testing.labelled import write_labelled
from isocenter.volume import Volume

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled(tmp_path_factory.mktemp("cli") / "set", 4)


def test_a_sound_set_is_planned_in_words(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    result = RUNNER.invoke(app, ["plan", str(labelled), "--memory", "2GiB", "--out", str(out)])
    assert result.exit_code == 0
    for word in ("labelled", "organ, lesion", "spacing_mm", "1.5 x 1 x 1", "zscore", "2 GiB"):
        assert word in result.output
    assert load_plan(out).labels == ("organ", "lesion")


def test_json_holds_the_plan_the_fingerprint_and_the_reasons_and_faults_give_one(
    labelled: Path, tmp_path: Path
) -> None:
    folder = write_labelled(tmp_path / "set", 4)
    (folder / "imagesTr" / "case_001_0000.nii.gz").write_bytes(b"nothing")
    result = RUNNER.invoke(app, ["plan", str(folder), "--json"])
    assert result.exit_code == 1
    said = json.loads(result.output)
    assert [one["code"] for one in said["reasons"]] == ["CASE_DAMAGED"]
    assert said["fingerprint"]["cases"] == 3
    assert said["plan"]["labels"] == ["organ", "lesion"]


def test_a_plan_that_has_no_place_is_told_before_the_cases_are_read(labelled: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(UsageError, match="no folder"):
        planned(labelled, out=tmp_path / "nowhere" / "plan.json", observer=lambda done, _: seen.append(done))
    assert seen == []


@pytest.mark.parametrize(("text", "count"), [("", 0), ("8GiB", 8 << 30), ("500 mb", 500_000_000), ("1.5g", 3 << 29)])
def test_memory_is_read_with_its_unit(text: str, count: int) -> None:
    assert memory_bytes(text) == count


@pytest.mark.parametrize("text", ["0", "many", "8 apples", "-1GiB"])
def test_memory_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="8GiB"):
        memory_bytes(text)


def test_the_plan_of_a_coarse_network_is_written_beside(tmp_path: Path) -> None:
    for folder, array in (("images", np.random.default_rng(0)), ("labels", None)):
        (tmp_path / "set" / folder).mkdir(parents=True)
        values = np.zeros((120, 160, 160), np.int16)
        values[40:60, 50:90, 50:90] = 1
        if array is not None:
            values = values * 100 + array.integers(0, 50, values.shape).astype(np.int16)
        save(Volume(values, Grid.from_vectors(values.shape)), tmp_path / "set" / folder / "case.nii")
    made = planned(tmp_path / "set", memory="100MiB", out=tmp_path / "plan.json")
    assert [path.name for path in made.written] == ["plan.json", "plan_coarse.json"]
    coarse = load_plan(made.written[1])
    assert coarse == made.plan.coarse
    assert min(coarse.spacing_mm) > 1
