"""dcm2niix: the whole folder in one call of the program; its warnings are its output lines that say so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np

from isocenter.testing.conformance import Answer, Picture

PROGRAM = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")
if PROGRAM is None:
    raise ImportError("dcm2niix is not installed.")
_told = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=False).stdout
WARNING = re.compile("warning|error|unsupported|unable", re.IGNORECASE)
VERSIONS = {"dcm2niix": re.findall(r"v\d[\d.]+", _told)[-1]}


def read(folder: Path) -> Answer:
    with tempfile.TemporaryDirectory() as out:
        command = [PROGRAM, "-z", "n", "-b", "n", "-f", "%s_%e_%p", "-o", out, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode < 0:
            return Answer(crash=f"signal {-done.returncode}")
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        warnings = [line for line in said if WARNING.search(line)]
        pictures = [picture_of(nibabel.load(path)) for path in _wanted(sorted(Path(out).rglob("*.nii")))]
    if not pictures:
        raise ValueError("; ".join(warnings) or f"nothing was converted (status {done.returncode})")
    return Answer(pictures, warnings=warnings)


def _wanted(paths: list[Path]) -> list[Path]:
    """Without the plain copy of what was straightened (_Tilt) or made even (_Eq)."""
    mended = {re.sub("(_Tilt|_Eq)(_1)?", "", path.stem) for path in paths if re.search("_Tilt|_Eq", path.stem)}
    best = {stem: max((p for p in paths if p.stem.startswith(stem)), key=lambda p: len(p.stem)) for stem in mended}
    return [path for path in paths if not any(path.stem.startswith(stem) for stem in mended)] + list(best.values())


def picture_of(image: nibabel.Nifti1Image) -> Picture:
    """RAS (column, row, slice) to LPS (slice, row, column)."""
    data = np.asanyarray(image.dataobj)
    if data.dtype.fields:
        data = np.stack([data[name] for name in ("R", "G", "B")], axis=-1)
        data = data.reshape(*data.shape[:3], *data.shape[3:]) if data.ndim > 3 else data[:, :, None]
    data = data[..., None] if data.ndim == 2 else data
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    return Picture(np.swapaxes(data, 0, 2), affine[:, [2, 1, 0, 3]])
