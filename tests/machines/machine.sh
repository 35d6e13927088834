#!/bin/sh
# What a machine of the tests runs: sshd, and the engine at three doors: plain (2375), TLS (2376) and ssh (22).
#
# The engine starts again when it ends, as a service manager would see to, unless there is a file /run/no-engine.
# All doors are at the address on the machines' own network alone. /etc/machine holds the keys (setup/machines.sh).
set -eu

KEYS=/etc/machine
STOP_LIMIT=8 # seconds

# An engine in a container can give its containers limits only where the processes beside them are in a group apart.
groups=/sys/fs/cgroup
if [ -f $groups/cgroup.controllers ]; then
    mkdir -p $groups/machine
    while read -r process; do echo "$process" >$groups/machine/cgroup.procs || true; done <$groups/cgroup.procs 2>/dev/null
    tr ' ' '\n' <$groups/cgroup.controllers | while read -r controller; do
        echo "+$controller" >$groups/cgroup.subtree_control || true
    done 2>/dev/null
fi

address=$(ip -4 -o address show dev eth0 | awk '{ sub("/.*", "", $4); print $4 }')

mkdir -p /run/sshd
/usr/sbin/sshd -o ListenAddress="$address" -o HostKey=$KEYS/ssh_host -o AuthorizedKeysFile=$KEYS/ssh_users \
    -o StrictModes=no -o PasswordAuthentication=no -o MaxStartups=200 -o MaxSessions=200

socat "OPENSSL-LISTEN:2376,bind=$address,reuseaddr,fork,cert=$KEYS/cert.pem,key=$KEYS/key.pem,cafile=$KEYS/ca.pem,verify=1" \
    UNIX-CONNECT:/run/docker.sock &

engine=
stop() {
    [ -z "$engine" ] || kill "$engine" 2>/dev/null || exit 0
    timeout $STOP_LIMIT tail --pid="$engine" -f /dev/null || true
    exit 0
}
trap stop TERM INT

while :; do
    if [ ! -e /run/no-engine ]; then
        rm -f /run/docker.pid
        dockerd -H unix:///run/docker.sock -H "tcp://$address:2375" --tls=false >>/var/log/dockerd.log 2>&1 &
        engine=$!
        wait "$engine" || true
        engine=
    fi
    sleep 0.2
done
