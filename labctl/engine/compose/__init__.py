"""Compose: it reads, merges and builds, and makes the containers of a project."""
