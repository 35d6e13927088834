"""A node's sockets and system calls, seen from outside: the kernel's own table, and strace(1) on its processes.

The package runs in a probe, a helper container that shares the node's network and process namespaces and needs
NET_ADMIN, SYS_PTRACE and DAC_OVERRIDE (another user's /proc/PID/fd) there. docs/processes.md says how it works.
"""
