"""What packets belong together, and what each segment of a TCP connection is for."""
