"""What is seen inside nodes: their processes, sockets and system calls, and how each container was made."""
