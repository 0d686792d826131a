"""From stored bytes to real values: codecs, colours, tables, units. Knows one frame at a time."""
