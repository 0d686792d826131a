"""A series to a volume: files read and decoded in threads, straight into one array."""
