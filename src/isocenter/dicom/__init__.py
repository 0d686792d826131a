"""DICOM: files to instances, series and volumes on one side, findings to DICOM objects on the other."""
