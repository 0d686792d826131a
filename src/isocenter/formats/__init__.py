"""Image files that are not DICOM: NIfTI, NRRD, NumPy, Zarr. DICOM lives in :mod:`isocenter.dicom`.

====================  =========================================================================================
``.nii``, ``.nii.gz``  NIfTI-1 and NIfTI-2
``.nrrd``              NRRD, compressed by gzip (any encoding and ``.nhdr`` are read too)
``.npz``               NumPy arrays and a JSON description: everything a volume or segmentation holds
``.zarr``              the same as a Zarr 3 group (extra ``zarr``)
====================  =========================================================================================

A file is written under a temporary name and then renamed, so that no half-written file bears the name asked for. The
same image gives the same bytes.
"""

from isocenter.formats.files import load, load_segmentation, save

__all__ = ["load", "load_segmentation", "save"]
