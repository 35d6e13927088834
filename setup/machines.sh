#!/bin/sh
# Three machines for tests, each a container with a Docker engine of its own, on a network of their own; see
# tests/machines.
#
#   setup/machines.sh up              makes what is missing, starts what has stopped, and prints where they are
#   setup/machines.sh down [--image]  leaves no trace; the image, which takes half a minute to make, only with --image
#
# They are privileged, as an engine in a container has to be: whoever reaches their network (this machine does, and
# nothing else) is root in them. LABCTL_MACHINE_MEMORY says how much each may have at most.
set -eu
cd "$(dirname "$0")/.."

COUNT=3
PREFIX=labctl-machine
NETWORK=labctl-machines
IMAGE=labctl/test-machine
LABEL=dev.labctl.test-machines
MEMORY=${LABCTL_MACHINE_MEMORY:-3g}
KEYS=tests/out/machines
START_LIMIT=90 # seconds
# Of the addresses for benchmarks (RFC 2544), which nobody has: what is free of them is taken.
SUBNETS="198.19.77 198.19.78 198.19.79 198.19.80"

say() { printf 'labctl: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

numbers() { seq 1 $COUNT; }

# The first three numbers of the machines' network, or nothing.
prefix() { docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' $NETWORK 2>/dev/null | sed 's/\.0\/24$//'; }

make_image() {
    debian=$(.venv/bin/python -c '
import sys
from labctl.engine import connect
from labctl.lab.images import base
print(base.ensure(connect(), lambda line: print("labctl:", line, file=sys.stderr)))')
    docker build --quiet --tag $IMAGE --label $LABEL=1 --build-arg "DEBIAN=$debian" tests/machines >/dev/null ||
        die "the image of the machines could not be built"
}

# An internal network: nothing leads out of it, and nothing but this machine leads into it.
make_network() {
    [ -z "$(prefix)" ] || return 0
    for subnet in $SUBNETS; do
        docker network create --internal --label $LABEL=1 --subnet "$subnet.0/24" $NETWORK >/dev/null 2>&1 && return
    done
    docker network create --internal --label $LABEL=1 --subnet "$subnet.0/24" $NETWORK >/dev/null || die "no network for the machines"
}

# Keys for this one time: a certificate authority, a certificate of the client and of each machine, and keys of ssh.
make_keys() {
    subnet=$(prefix)
    [ "$(cat $KEYS/of 2>/dev/null)" != "$subnet" ] || return 0
    rm -rf $KEYS
    (
        umask 077
        mkdir -p $KEYS
        cd $KEYS
        ssh-keygen -q -t ed25519 -N '' -C labctl-test -f id
        ssh-keygen -q -t ed25519 -N '' -C labctl-test -f ssh_host
        key_and -x509 -days 30 -keyout ca-key.pem -out ca.pem -subj /CN=labctl-test \
            -addext keyUsage=critical,keyCertSign,cRLSign
        names=
        for number in $(numbers); do names="$names,DNS:$PREFIX-$number,IP:$subnet.1$number"; done
        certify machine serverAuth "${names#,}"
        certify client clientAuth DNS:client
        mkdir tls
        cp ca.pem tls/ca.pem
        mv client.pem tls/cert.pem
        mv client-key.pem tls/key.pem
        ssh_settings "$subnet"
        echo "$subnet" >of
    )
}

key_and() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "$@" 2>/dev/null; }

# NAME, what it is for, whose it is: a certificate of our authority.
certify() {
    key_and -keyout "$1-key.pem" -out "$1.csr" -subj "/CN=$1"
    printf 'extendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}

# What `ssh -F` wants: names, keys, and nothing of this user's own.
ssh_settings() {
    for number in $(numbers); do
        printf 'Host %s %s\n  HostName %s\n' "$PREFIX-$number" "$1.1$number" "$1.1$number"
        echo "$1.1$number $(cut -d' ' -f1,2 ssh_host.pub)" >>known_hosts
    done >ssh_config
    printf 'Host *\n  User root\n  IdentityFile "%s/id"\n  IdentitiesOnly yes\n  UserKnownHostsFile "%s/known_hosts"\n' "$PWD" "$PWD" >>ssh_config
    printf '  StrictHostKeyChecking yes\n  BatchMode yes\n' >>ssh_config
}

# Without limits where the kernel has none: the engine says so by itself, and goes on.
make_machine() {
    name=$PREFIX-$1
    docker container inspect "$name" >/dev/null 2>&1 && return
    docker create --name "$name" --hostname "$name" --label $LABEL=1 --privileged --init --tmpfs /run \
        --memory "$MEMORY" --network $NETWORK --ip "$(prefix).1$1" $IMAGE >/dev/null 2>&1 || die "$name could not be made"
    folder=$(mktemp -d)
    mkdir "$folder/machine"
    cp $KEYS/ca.pem $KEYS/ssh_host "$folder/machine"
    cp $KEYS/machine.pem "$folder/machine/cert.pem"
    cp $KEYS/machine-key.pem "$folder/machine/key.pem"
    cp $KEYS/id.pub "$folder/machine/ssh_users"
    docker cp --quiet "$folder/machine" "$name:/etc/" >/dev/null 2>&1 || die "$name could not be given its keys"
    rm -rf "$folder"
}

await() {
    waited=0
    until docker exec "$1" docker version >/dev/null 2>&1; do
        waited=$((waited + 1))
        [ $waited -lt $((START_LIMIT * 4)) ] || die "the engine of $1 does not answer after $START_LIMIT s: docker exec $1 cat /var/log/dockerd.log"
        sleep 0.25
    done
}

up() {
    # Machines of other keys than ours can't be let in.
    [ -f $KEYS/of ] || down
    make_image
    make_network
    make_keys
    for number in $(numbers); do make_machine "$number"; done
    # shellcheck disable=SC2046  # names, to be split
    docker start $(numbers | sed "s/^/$PREFIX-/") >/dev/null
    for number in $(numbers); do await "$PREFIX-$number"; done
    for number in $(numbers); do
        host=$(prefix).1$number
        echo "$PREFIX-$number $host  (its engine: tcp at 2375, tcp with TLS at 2376, ssh as root)"
    done
}

# With the anonymous volumes of the machines, in which their engines keep all that they have.
down() {
    machines=$(docker ps --all --quiet --filter label=$LABEL)
    # shellcheck disable=SC2086  # ids, to be split
    [ -z "$machines" ] || docker rm --force --volumes $machines >/dev/null
    networks=$(docker network ls --quiet --filter label=$LABEL)
    # shellcheck disable=SC2086
    [ -z "$networks" ] || docker network rm $networks >/dev/null
    rm -rf $KEYS
    if [ "${1:-}" = --image ] && docker image inspect $IMAGE >/dev/null 2>&1; then docker image rm $IMAGE >/dev/null; fi
}

case ${1:-} in
    up) up ;;
    down) down "${2:-}" ;;
    *) die "say up or down" ;;
esac
