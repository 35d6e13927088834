"""Runs in files, as a program has them."""
