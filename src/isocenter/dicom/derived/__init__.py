"""Findings to DICOM objects that are written, and the headers of the images that they come from."""
