"""A saved run, done once more."""
