"""What somebody does inside a node: run a command, sit down at a shell, look at its processes, carry files."""
