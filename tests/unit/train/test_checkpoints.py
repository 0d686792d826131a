"""Checkpoints: whole, the last one, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isocenter.errors import InputError
from isocenter.train import checkpoints


def test_the_last_state_is_found_and_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 90, 100, 1000):
        checkpoints.save(tmp_path, step, {"step": step, "network": {"a": torch.full((2,), float(step))}})
    found = checkpoints.last(tmp_path)
    assert found is not None
    assert found.state["step"] == 1000
    assert found.state["network"]["a"].tolist() == [1000, 1000]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000100.checkpoint", "step_00001000.checkpoint"]


def test_without_any_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "best.checkpoint").write_bytes(b"another file")
    assert checkpoints.last(tmp_path) is None
    assert checkpoints.last(tmp_path / "none") is None


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_cut_file_is_passed_over_with_a_reason(tmp_path: Path, size: int) -> None:
    for step in (1, 2):
        checkpoints.save(tmp_path, step, {"step": step})
    late = tmp_path / "step_00000002.checkpoint"
    late.write_bytes(late.read_bytes()[:size])
    found = checkpoints.last(tmp_path)
    assert found is not None
    assert found.state["step"] == 1
    assert [(reason.code, reason.instances) for reason in found.reasons] == [("CHECKPOINT_DAMAGED", (late.name,))]
    (tmp_path / "step_00000001.checkpoint").write_bytes(b"")
    with pytest.raises(InputError, match=r"All checkpoints in .* are damaged"):
        checkpoints.last(tmp_path)


def test_reading_runs_no_code(tmp_path: Path) -> None:
    import pickle

    checkpoints.write(tmp_path / "a.checkpoint", {"strange": Path("code")})
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.read(tmp_path / "a.checkpoint")
