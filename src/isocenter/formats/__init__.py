"""Image files that are not DICOM: NIfTI, NRRD, MetaImage, NumPy, Zarr, pictures. DICOM lives in :mod:`isocenter.dicom`.

====================  =========================================================================================
``.nii``, ``.nii.gz``  NIfTI-1, and NIfTI-2 where a dimension needs it
``.nrrd``              NRRD, compressed by gzip (any encoding and ``.nhdr`` are read too)
``.mha``               MetaImage, compressed by zlib (``.mhd`` with its data beside it is read too)
``.npz``               NumPy arrays and a JSON description: everything a volume or segmentation holds
``.npy``               one array to memory-map, and the same description beside it as ``.npy.json``
``.zarr``              the same as an OME-Zarr 0.5 group (extra ``zarr``)
``.tif``               one page per slice, the same description in the first
a folder               one PNG or TIFF per slice, the same description in ``isocenter.json`` (:func:`save_slices`)
====================  =========================================================================================

A file is written under a temporary name and then renamed, so that no half-written file bears the name asked for. The
same image gives the same bytes. Images larger than memory are read and written by :func:`stored` and
:func:`save_parts`. Meshes live in :mod:`isocenter.formats.surfaces`.
"""

from isocenter.formats.by_parts import Stored, save_parts, stored
from isocenter.formats.files import load, load_as_is, load_segmentation, save
from isocenter.formats.pictures import save_slices

__all__ = ["Stored", "load", "load_as_is", "load_segmentation", "save", "save_parts", "save_slices", "stored"]
