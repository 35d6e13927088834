"""A lesson as it is written: its files, taken apart and checked."""
