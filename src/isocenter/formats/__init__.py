"""Files that are not DICOM: NIfTI, NRRD, NumPy, Zarr."""
