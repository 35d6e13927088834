#!/bin/sh
# Runs its arguments; first it waits for a recorder that is about to come, where labctl told this host to
# (services/base/labnode/gate.py says how). `read` is the shell's own: on all other days nothing is started for this.

limit=
read -r limit 2>/dev/null </sys/fs/cgroup/pids.max || read -r limit 2>/dev/null </sys/fs/cgroup/pids/pids.max
if [ "$limit" = 63 ]; then
  tries=1000 # 10 s; then it begins without
  while [ "$tries" -gt 0 ]; do
    sign=
    read -r sign 2>/dev/null </sys/class/net/lo/ifalias
    case $sign in labctl*) break ;; esac
    tries=$((tries - 1))
    sleep 0.01
  done
fi
command -v "$1" >/dev/null || {
  echo "$1: no such command" >&2
  exit 127
}
exec "$@"
