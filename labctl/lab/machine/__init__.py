"""What labctl has on a machine beside labs: its place on the PATH, its images."""
