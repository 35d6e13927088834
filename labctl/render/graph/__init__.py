"""Pictures of a lab: one file for each format."""
