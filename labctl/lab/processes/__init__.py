"""What the kernel says of nodes' programs: their sockets and system calls."""
