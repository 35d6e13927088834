"""What passes between machines, tried from both ends."""
