"""Typing at nodes, and what came of it."""
