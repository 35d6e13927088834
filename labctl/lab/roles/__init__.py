"""What labctl can do with the nodes of a role."""
