"""Operations: a Volume in; a Volume or findings out. Pure functions; no DICOM, no disk."""
