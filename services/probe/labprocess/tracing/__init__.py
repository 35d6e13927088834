"""What programs ask of the kernel: strace follows them, and its lines become events."""
