"""Ladders: two lifelines, and an arrow for each packet between them."""
