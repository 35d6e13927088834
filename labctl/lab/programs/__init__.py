"""Somebody's own program as a node: made, awaited, watched, removed."""
