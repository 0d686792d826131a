"""Names to functions: which series, which steps, one study at a time, with its provenance record."""
