#!/bin/sh
# Whether the program here listens or is connected, by the kernel's own table of sockets (proc(5)): 0A listens, 01 is
# connected, 07 takes datagrams. 0B00007F is 127.0.0.11, where the engine's name server has sockets on every host.
cat /proc/net/tcp /proc/net/udp | grep -v ' 0B00007F:' | grep -Eq ' (0A|01|07) '
