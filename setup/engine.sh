#!/bin/sh
# Sees to it that a Docker engine answers and that Compose v2 is there.
#
# The engine that the user already has comes first, wherever it is: DOCKER_HOST, a `docker context`, Docker Desktop,
# rootless Docker. Only where none answers, on Debian or Ubuntu and as root, is one installed from the distribution's
# own packages and started. LABCTL_NO_INSTALL=1 forbids installing (starting an installed engine stays allowed).
set -eu

COMPOSE_MINIMUM=2.20
START_LIMIT=60 # seconds that a new engine may take until it answers
DAEMON_LOG=${LABCTL_DOCKERD_LOG:-/var/log/labctl-dockerd.log}
RUN=${LABCTL_RUN:-/var/run} # where dockerd and its containerd keep their process ids
SYSTEMD=${LABCTL_SYSTEMD:-/run/systemd/system} # there where systemd starts what runs

say() { printf 'labctl: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# macOS has no timeout(1); there the client's own limits have to do.
limited() { if have timeout; then timeout 20 "$@"; else "$@"; fi; }

answers() { have docker && limited docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The major and minor number of Compose v2, or nothing.
compose_version() { limited docker compose version --short 2>/dev/null | sed 's/^v//' | cut -d. -f1,2; }

compose_is_new_enough() {
    version=$(compose_version)
    case $version in [0-9]*.[0-9]*) ;; *) return 1 ;; esac
    major=${version%%.*}
    minor=${version#*.}
    [ "$major" -gt "${COMPOSE_MINIMUM%%.*}" ] && return 0
    [ "$major" -eq "${COMPOSE_MINIMUM%%.*}" ] && [ "$minor" -ge "${COMPOSE_MINIMUM#*.}" ]
}

# The engine was chosen by the user and is not ours to replace: a remote one, or a context's.
is_chosen_elsewhere() {
    [ -n "${DOCKER_HOST:-}" ] && return 0
    [ -n "${DOCKER_CONTEXT:-}" ] && [ "$DOCKER_CONTEXT" != default ] && return 0
    have docker || return 1
    context=$(docker context show 2>/dev/null || echo default)
    [ "$context" != default ]
}

# shellcheck source=/dev/null
distribution() { [ -r /etc/os-release ] && (. /etc/os-release && echo "${ID:-unknown}"); }

may_install() {
    [ "${LABCTL_NO_INSTALL:-0}" = 1 ] && die "$1, and LABCTL_NO_INSTALL=1 forbids installing: install $2 yourself"
    case $(distribution) in
        debian | ubuntu) ;;
        *) die "$1: install $2 (on macOS and Windows: Docker Desktop), start it and try again" ;;
    esac
    [ "$(id -u)" = 0 ] || die "$1: as root install $2 (here: apt-get install docker.io docker-compose), or run this as root once"
}

apt_quiet() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >&2; }

# Version that apt would install of a package, or nothing.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -v '^(none)$' || true; }

at_least() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$2"; }

# Debian 12 packages an engine without BuildKit and Compose v1. Debian 13's packages install cleanly there, so a
# source for them is derived from the machine's own sources and pinned so that nothing else is taken from it.
add_trixie_source() {
    uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | grep -v security | head -n 1)
    [ -n "$uri" ] || uri=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list 2>/dev/null | grep -v security | head -n 1)
    [ -n "$uri" ] || die "no Debian source was found in /etc/apt to derive a newer one from: install Docker 24 or newer and Compose $COMPOSE_MINIMUM or newer"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$uri" >/etc/apt/sources.list.d/labctl-trixie.sources
    cat >/etc/apt/preferences.d/labctl-trixie <<'PIN'
Package: *
Pin: release n=trixie
Pin-Priority: 100

Package: docker.io docker-cli docker-compose docker-buildx containerd
Pin: release n=trixie
Pin-Priority: 600
PIN
    apt_quiet update
}

# Prints the names of the packages to install; $1 is "engine" or "compose".
packages() {
    if [ -n "$(candidate docker-compose-v2)" ]; then compose=docker-compose-v2; else compose=docker-compose; fi
    if [ "$1" = compose ]; then
        echo "$compose docker-buildx"
        return
    fi
    cli=
    [ -n "$(candidate docker-cli)" ] && cli=docker-cli # Ubuntu's docker.io holds the client as well
    echo "docker.io $cli $compose docker-buildx iptables"
}

install_packages() {
    apt_quiet update
    if [ "$(distribution)" = debian ] && ! at_least "$(candidate docker-compose)" $COMPOSE_MINIMUM; then add_trixie_source; fi
    # A postinst that tries to start the service fails where there is no systemd: dockerd is started below instead.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -d "$SYSTEMD" ] && [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        made_policy=yes
    fi
    status=0
    # shellcheck disable=SC2046  # a list of package names, to be split
    apt_quiet install --no-install-recommends $(packages "$1") || status=$?
    [ -z "$made_policy" ] || rm -f $policy
    [ $status = 0 ] || die "apt-get could not install $(packages "$1") (its own words are above)"
}

# An engine that was killed leaves its process id behind. Where another process has that number by now, the next dockerd
# takes it for itself and ends, or waits for a containerd that isn't there.
forget() { # FILE COMMAND
    [ -s "$1" ] || return 0
    command=$(cat "/proc/$(cat "$1")/comm" 2>/dev/null || true)
    [ "$command" = "$2" ] || rm -f "$1"
}

start_engine() {
    if [ -d "$SYSTEMD" ]; then
        say "starting Docker (systemctl start docker)"
        timeout 120 systemctl start docker >&2 || die "systemctl could not start docker: see 'journalctl -u docker'"
    else
        say "starting dockerd (its log: $DAEMON_LOG)"
        forget "$RUN/docker.pid" dockerd
        forget "$RUN/docker/containerd/containerd.pid" containerd
        first=$(cd "$(dirname "$0")/engine" && pwd) # a containerd that is found before the PATH's own
        # All three streams are redirected: a daemon that holds our output open would keep our caller waiting.
        PATH="$first:$PATH" setsid dockerd >>"$DAEMON_LOG" 2>&1 </dev/null &
        daemon=$!
    fi
    waited=0
    until answers; do
        waited=$((waited + 1))
        if [ -n "${daemon:-}" ] && ! kill -0 "$daemon" 2>/dev/null && ! answers; then
            die "dockerd ended: $(tail -n 1 "$DAEMON_LOG") (see $DAEMON_LOG)"
        fi
        [ $waited -lt $((START_LIMIT * 2)) ] || die "dockerd was started but does not answer after $START_LIMIT s: see $DAEMON_LOG"
        sleep 0.5
    done
}

if ! answers; then
    if is_chosen_elsewhere; then
        die "the Docker engine at ${DOCKER_HOST:-the context ${context:-$DOCKER_CONTEXT}} does not answer: start it, or unset DOCKER_HOST and DOCKER_CONTEXT to use a local one"
    fi
    if ! have dockerd; then
        may_install "no Docker engine answers" "Docker 24 or newer with Compose $COMPOSE_MINIMUM or newer"
        say "no Docker engine answers: installing one from $(distribution)'s packages (LABCTL_NO_INSTALL=1 forbids this)"
        install_packages engine
    fi
    [ "$(id -u)" = 0 ] || die "Docker is installed but does not answer to $(id -un): start it (sudo systemctl start docker) or join its group (sudo usermod -aG docker $(id -un), then log in again)"
    start_engine
fi

if ! compose_is_new_enough; then
    found=$(compose_version)
    if [ -n "$found" ]; then state="too old ($found)"; else state=missing; fi
    may_install "Compose v2 is $state" "Compose $COMPOSE_MINIMUM or newer"
    say "Compose v2 is $state: installing it from $(distribution)'s packages (LABCTL_NO_INSTALL=1 forbids this)"
    install_packages compose
    compose_is_new_enough || die "docker compose is still older than $COMPOSE_MINIMUM: remove the older plugin that hides it (docker info --format '{{json .ClientInfo.Plugins}}')"
fi
