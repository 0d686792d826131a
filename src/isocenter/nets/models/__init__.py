"""Models as folders: written, read, kept by name, described. Those of others come in by ``importing``."""
