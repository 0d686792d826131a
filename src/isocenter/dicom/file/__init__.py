"""From a file to its header: bytes, elements, what is taken of them. Knows the encoding of DICOM, not what it means."""
