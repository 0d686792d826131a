"""The commands evaluate and drift, on small label maps."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from isocenter import cli, codes, formats
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((8, 24, 24), spacing_mm=(2, 1, 1))


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["isocenter", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def labels(rows: int) -> Segmentation:
    array = np.zeros(GRID.shape, np.uint8)
    array[2:6, 4 : 4 + rows, 4:20] = 1
    return Segmentation((array,), GRID, (Segment.named("organ"),), Algorithm("t", "1"))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Thirteen cases with images, of which one prediction is missing and one is no image."""
    rng = np.random.default_rng(0)
    for name in ("images", "truth", "found", "other"):
        (tmp_path / name).mkdir()
    rows = ["case,sex"]
    for number in range(13):
        case = f"c{number:02d}"
        image = 50.0 * labels(12).array + rng.normal(100, 5, GRID.shape)
        formats.save(
            Volume(image.astype(np.float32), GRID, codes.ONE, modality="MR"), tmp_path / f"images/{case}.nii.gz"
        )
        formats.save(labels(12), tmp_path / f"truth/{case}.nii.gz")
        formats.save(labels(8), tmp_path / f"other/{case}.nii.gz")
        if number != 3:
            formats.save(labels(12 - number % 3), tmp_path / f"found/{case}.nii.gz")
        rows.append(f"{case},{'FM'[number % 2]}")
    (tmp_path / "found/c05.nii.gz").write_bytes(b"no image")
    (tmp_path / "people.csv").write_text("\n".join(rows))
    return tmp_path


def test_the_truth_given_as_its_own_prediction_is_told(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", folders / "truth", folders / "truth", "--json") == 0
    assert "13 predictions are the same to the byte" in capsys.readouterr().out
    assert run(monkeypatch, "evaluate", folders / "other", folders / "truth", "--json") == 0
    assert "PREDICTION_IS_TRUTH" not in capsys.readouterr().out


def test_a_set_is_evaluated_and_no_case_is_lost(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    criteria = folders / "criteria.toml"
    criteria.write_text("[[criterion]]\nat_least = 0.5\n[[criterion]]\nstatistic = 'failed'\nat_most = 0.1\n")
    status = run(
        monkeypatch,
        *("evaluate", folders / "found", folders / "truth", "--images", folders / "images", "--by", "sex,volume_ml"),
        *("--attributes", folders / "people.csv", "--criteria", criteria, "--against", folders / "other"),
        *("--second-reader", folders / "truth", "--out", folders / "out", "--json"),
    )
    said = json.loads(capsys.readouterr().out)
    assert status == 1
    assert (said["cases"], said["passed"]) == (13, False)
    assert [one["passed"] for one in said["criteria"]] == [True, False]
    assert said["outcomes"]["organ"] == {"found": 11, "missed": 0, "extra": 0, "absent": 0, "not predicted": 2}
    assert {"PREDICTION_MISSING", "PREDICTION_UNREADABLE", "CRITERION_FAILED", "SUBGROUP_SMALL"} <= {
        reason["code"] for reason in said["reasons"]
    }
    assert [group["name"] for group in said["subgroups"][0]["groups"]] == ["F", "M"]
    assert said["against"][0]["difference"]["value"] > 0
    assert said["second_reader"][0]["value"] == 1
    rows = list(csv.DictReader((folders / "out/scores.csv").read_text().splitlines()))
    assert len(rows) == 13
    assert rows[3]["outcome"] == "not predicted"
    assert rows[0]["attribute_sex"] == "F"
    page = (folders / "out/report.html").read_text()
    assert "Acceptance criteria are not met" in page
    assert "No result" not in page
    for text in ("Acceptance criteria", "Dice by sex", "Second reader", "Against the other model", "Case c03"):
        assert text in page
    assert (folders / "out/report.pdf").read_bytes().startswith(b"%PDF")


def test_people_are_told_in_a_table(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = folders / "names.txt"
    names.write_text("c00\nc01\nc02\n")
    assert run(monkeypatch, "evaluate", folders / "found", folders / "truth", "--cases", names) == 0
    said = capsys.readouterr().out
    assert "organ" in said
    assert "0.95" in said
    one = folders / "truth/c00.nii.gz"
    assert run(monkeypatch, "evaluate", folders / "found", one) == 0
    assert "1.000" in capsys.readouterr().out


def test_cases_that_a_model_learned_from_are_told(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import hashlib

    from isocenter.pipeline.evaluating import places

    hashes = [hashlib.sha256(f"c{number:02d}".encode()).hexdigest() for number in range(13)]
    facts = {"training": {"learned_from": hashes[:2], "held_out": hashes[10:]}}
    monkeypatch.setattr(places, "find_model", lambda path: type("Model", (), {"facts": facts}))
    arguments = ("evaluate", folders / "found", folders / "truth", "--model", folders, "--json")
    run(monkeypatch, *arguments)
    assert "LEARNED_FROM" in {reason["code"] for reason in json.loads(capsys.readouterr().out)["reasons"]}
    assert run(monkeypatch, *arguments, "--cases", "held-out") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cases"] == 3
    assert said["reasons"] == []


def test_wrong_use_is_told(folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found, truth = folders / "found", folders / "truth"
    broken = folders / "broken.csv"
    broken.write_text("case,sex\nc00\n")
    strange = folders / "strange.csv"
    strange.write_text("case,sex\nx,F\n")
    (folders / "empty").mkdir()
    for words, status in (
        ((folders / "none", truth), 2),
        ((found, folders / "none"), 2),
        ((folders / "empty", truth), 2),
        ((found, truth, "--by", "weight"), 2),
        ((found, truth, "--attributes", broken), 1),
        ((found, truth, "--attributes", strange), 2),
        ((found, truth, "--cases", broken), 2),
        ((found, truth, "--cases", "held-out"), 2),
        ((found, truth, "--criteria", broken), 2),
        ((found, truth, "--segment", "liver"), 2),
        ((found, truth, "--against", folders / "empty"), 2),
        ((found, truth, "--out", broken), 2),
        ((found, truth, "--tolerance", "0"), 2),
    ):
        assert run(monkeypatch, "evaluate", *words) == status, words
        said = capsys.readouterr()
        assert "bug" not in said.err.lower(), words


def test_a_stream_is_compared_with_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    for folder, count, noise in (("then", 24, 5), ("now", 12, 5), ("later", 12, 15)):
        (tmp_path / folder).mkdir()
        (tmp_path / f"{folder}_found").mkdir()
        for number in range(count):
            values = rng.normal(100, noise, GRID.shape) + rng.normal(0, 10)
            image = Volume(values.astype(np.float32), GRID, codes.ONE, modality="MR")
            formats.save(image, tmp_path / folder / f"c{number:02d}.nii.gz")
            formats.save(labels(int(rng.integers(8, 16))), tmp_path / f"{folder}_found/c{number:02d}.nii.gz")
    (tmp_path / "now/broken.nii.gz").write_bytes(b"no image")
    profile = tmp_path / "profile.json"
    then = ("drift", tmp_path / "then", tmp_path / "now", "--reference-outputs", tmp_path / "then_found")
    assert run(monkeypatch, *then, "--outputs", tmp_path / "now_found", "--keep", profile, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["drifted"], said["reference_cases"], len(said["stretches"])) == (False, 24, 1)
    assert [reason["code"] for reason in said["reasons"]] == ["CASES_UNREAD"]
    assert "volume_ml organ" in [one["trait"] for one in said["stretches"][0]["outputs"]["traits"]]
    assert run(monkeypatch, "drift", profile, tmp_path / "later", "--outputs", tmp_path / "later_found") == 1
    assert "noise" in capsys.readouterr().out
    for words in ((tmp_path / "none", tmp_path), (profile, tmp_path / "none"), (tmp_path / "now", tmp_path / "then")):
        assert run(monkeypatch, "drift", *words) == 2, words
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}")
    assert run(monkeypatch, "drift", damaged, tmp_path / "now") == 1
    assert run(monkeypatch, "drift", tmp_path / "then", tmp_path / "now", "--keep", tmp_path / "x.txt") == 2


def test_a_data_set_names_its_labels_and_its_cases(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folders / "set"
    (place / "labelsTr").mkdir(parents=True)
    (folders / "images").rename(place / "imagesTr")
    for path in (folders / "truth").iterdir():
        import nibabel

        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ GRID.affine[:, [2, 1, 0, 3]]
        array = np.asarray(labels(12).array).transpose(2, 1, 0)
        nibabel.save(nibabel.Nifti1Image(array, affine), place / "labelsTr" / path.name)  # without names
    for path in (place / "imagesTr").iterdir():
        path.rename(path.with_name(path.name.replace(".nii", "_0000.nii")))
    facts = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "organ": 1, "lesion": 2},
        "file_ending": ".nii.gz",
    }
    (place / "dataset.json").write_text(json.dumps({**facts, "numTraining": 13}))
    formats.save(labels(3), folders / "found/other.nii.gz")
    assert run(monkeypatch, "evaluate", folders / "found", place, "--by", "volume_ml", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["structures"] == ["organ", "lesion"]
    assert said["outcomes"]["lesion"]["absent"] == 11
    assert said["summary"][0]["value"] > 0.7
    met = {reason["code"] for reason in said["reasons"]}
    assert {"PREDICTION_WITHOUT_TRUTH", "NEVER_TRUE"} <= met
    assert "PAIRED_BY_LABEL" not in met


def test_results_and_a_reference_are_kept_with_a_model(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    from isocenter.nets.models.model import Model, load_model, save_model
    from isocenter.nets.plan import Network, Plan

    plan = Plan(
        "segmentation",
        ("MR",),
        ("organ",),
        Network("residual_unet", {"features": [4]}),
        (8, 16, 16),
        spacing_mm=(1.0,) * 3,
    )
    model = folders / "net"
    save_model(Model("net", "1", plan, model, {}), [{"a": torch.zeros(2)}])
    arguments = ("evaluate", folders / "other", folders / "truth", "--images", folders / "images", "--by", "sex")
    known = ("--attributes", folders / "people.csv", "--model", model)
    assert run(monkeypatch, *arguments, *known, "--record") == 0
    facts = load_model(model).facts
    assert facts["results"]["dice"] == pytest.approx(0.8)
    assert facts["results"]["cases"] == 13
    assert facts["results"]["structures"]["organ"]["cases"] == 13
    (told,) = load_model(model).reasons
    assert (told.code, "organ 0.80 (13 cases)" in told.message) == ("MODEL_MEASURED", True)
    assert facts["subgroups"] == {}
    assert run(monkeypatch, *arguments, "--record") == 2
    stream = folders / "stream"
    stream.mkdir()
    for number in range(26):
        source = folders / f"images/c{number % 13:02d}.nii.gz"
        (stream / f"s{number:02d}.nii.gz").write_bytes(source.read_bytes())
    assert run(monkeypatch, "drift", stream, folders / "images", "--keep", model) == 0
    assert run(monkeypatch, "drift", model, folders / "images") == 0
    assert load_model(model).facts["results"]["cases"] == 13
    assert "reference" not in (model / "card.md").read_text()


def test_a_header_tells_who_was_scanned_by_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from isocenter.testing.dicom import Style, write_series

    grid = Grid.from_vectors((6, 20, 20), spacing_mm=(3, 1, 1))
    array = np.zeros(grid.shape, np.int16)
    array[2:4, 5:15, 5:15] = 100
    for folder in ("images/c1", "truth", "found"):
        (tmp_path / folder).mkdir(parents=True)
    header = {"PatientSex": "F", "PatientAge": "061Y", "Manufacturer": "Maker", "ManufacturerModelName": "One"}
    write_series(array, grid, tmp_path / "images/c1", style=Style(attributes=header))
    mask = Segmentation(((array > 0).astype(np.uint8),), grid, (Segment.named("organ"),), Algorithm("t", "1"))
    for folder in ("truth", "found"):
        formats.save(mask, tmp_path / folder / "c1.nii.gz")
    arguments = (tmp_path / "found", tmp_path / "truth", "--images", tmp_path / "images", "--by", "sex,age,scanner")
    assert run(monkeypatch, "evaluate", *arguments, "--json") == 0
    groups = [one["groups"][0]["name"] for one in json.loads(capsys.readouterr().out)["subgroups"]]
    assert groups == ["F", "60 to 69", "Maker One"]


def test_labels_that_the_other_model_lacks_are_told(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders / "other/c07.nii.gz").unlink()
    (folders / "other/c08.nii.gz").write_bytes(b"no image")
    words = ("evaluate", folders / "found", folders / "truth")
    assert run(monkeypatch, *words, "--against", folders / "other", "--json") == 0
    told = [one["message"] for one in json.loads(capsys.readouterr().out)["reasons"] if "Of other" in one["message"]]
    assert any("2 cases, as c07: There is no prediction" in one for one in told)
    assert any("c08 cannot be read" in one for one in told)
    assert run(monkeypatch, *words, "--against", folders / "other", "--second-reader", folders / "other") == 0
    out = capsys.readouterr().out
    assert "less the other model, organ dice" in out
    assert "Second reader" in out


def test_a_truth_without_any_structure_is_told(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folders / "truth").iterdir():
        formats.save(Volume(np.zeros(GRID.shape, np.uint8), GRID, codes.ONE), path)
    assert run(monkeypatch, "evaluate", folders / "found", folders / "truth") == 2
    assert "holds a structure" in " ".join(capsys.readouterr().err.split())
