"""What a host's sockets are and become: the kernel is asked, and what lay between two looks is deduced."""
