"""Real mosaics and enhanced objects against nibabel and against the volumes that their publishers made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from isocenter.dicom.file import nested
from isocenter.dicom.file.files import FileRef, Opener
from isocenter.dicom.file.header import read_header
from isocenter.dicom.frames.groups import WANTED_GROUPS
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan

pytestmark = pytest.mark.real
nibabel = pytest.importorskip("nibabel")

MOSAICS = (
    "dcm_qa_mosaic/In/ep2d_Asc_2/IM-0001-0001.dcm",
    "dcm_qa_nih/In/20180918Si/mr_0003/epi_pe_ap-00001.dcm",
    "dcm_qa_sag/In/2_fmri_SagAP/0001_1.3.12.2.1107.5.2.43.67060.2024100913415219255705562.dcm",
    "dcm_qa_orientation/In/Orientation/sag/sagasc35/MR.1.3.12.2.1107.5.2.32.35131.2014031013000537156690252",
)
ENHANCED = (
    "dcm_qa_enh/In/Philips/IM_0027_fMAP.dcm",
    "dcm_qa_enh/In/Siemens/XA10/6_1.dcm",
    "dicom2nifti_tests/philips_enhanced/fmri/001/IM-0001-9600-0001.dcm",
    "dicom2nifti_tests/siemens_multiframe/anatomical/001/IM-0001-0001-0001.dcm",
    "fodicom_tests/MOVEKNEE.dcm",
)
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.filterwarnings("ignore:The DICOM readers are highly experimental:UserWarning")
@pytest.mark.parametrize("name", MOSAICS)
def test_the_tiles_of_a_mosaic_lie_where_nibabel_puts_them(shared_data: Path, name: str) -> None:
    from nibabel.nicom.dicomwrappers import wrapper_from_file

    theirs = wrapper_from_file(str(shared_data / name))
    frames = scan(shared_data / name)[0].frames
    assert len(frames) == theirs.image_shape[2]
    for index, frame in enumerate(sorted(frames, key=lambda one: (one.window.row, one.window.column))):
        np.testing.assert_allclose(frame.position_mm, (theirs.affine @ (0, 0, index, 1))[:3], atol=1e-3)


@pytest.mark.parametrize("name", ENHANCED)
def test_groups_are_walked_as_pydicom_reads_them(shared_data: Path, name: str) -> None:
    path = shared_data / name
    with Opener() as opener:
        source = opener.open(FileRef(str(path)))
        walked = nested.read(source, read_header(source), WANTED_GROUPS)
        source.close()
    assert walked == nested.item_of(dcmread(path, stop_before_pixels=True), WANTED_GROUPS)


@pytest.mark.parametrize(("folder", "made"), [("mr_0003", "EPI_PE=AP_3"), ("mr_0006", "EPI_PE=LR_6")])
def test_every_value_of_a_mosaic_is_where_its_publisher_has_it(shared_data: Path, folder: str, made: str) -> None:
    root = shared_data / "dcm_qa_nih"
    truth = nibabel.load(root / "Ref" / f"{made}.nii")
    times = np.asarray(truth.dataobj)
    found = scan(root / "In" / "20180918Si" / folder)
    assert len(found) == 2
    for time, series in enumerate(found):
        volume = read(series)
        to_theirs = np.linalg.inv(_TO_LPS @ truth.affine) @ volume.grid.affine
        indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
        places = indices @ to_theirs[:3, :3].T + to_theirs[:3, 3]
        assert np.abs(places - np.rint(places)).max() < 1e-3
        i, j, k = np.moveaxis(np.rint(places).astype(int), -1, 0)
        np.testing.assert_array_equal(volume.array, times[i, j, k, time])
