"""A run as one file: what was to be seen of a lab, saved, read again without one, compared, and done once more."""
