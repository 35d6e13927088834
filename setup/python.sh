#!/bin/sh
# Makes the virtual environment .venv in the checkout, with the locked dependencies and labctl itself.
#
#   setup/python.sh          the environment alone; does nothing where it is up to date
#   setup/python.sh --link   and a link to labctl in the user's bin folder (/usr/local/bin for root)
#
# The system's Python is only asked to make the environment; nothing is ever installed into it.
set -eu
cd "$(dirname "$0")/.."

LOCK=requirements/dev.txt

say() { printf 'labctl: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed and was not found: install python3 and python3-venv, or set PYTHON to one"
}

# Debian keeps the module that venv needs in a package of its own.
make_environment() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null || install_venv_package
    "$1" -m venv --clear .venv
}

install_venv_package() {
    hint="Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)"
    [ "${LABCTL_NO_INSTALL:-0}" = 1 ] && die "$hint; LABCTL_NO_INSTALL=1 forbids doing so here"
    { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die "$hint"
    say "installing python3-venv from the distribution's packages (LABCTL_NO_INSTALL=1 forbids this)"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends python3-venv; } >&2
}

link_command() {
    if [ "$(id -u)" = 0 ]; then folder=/usr/local/bin; else folder=$HOME/.local/bin; fi
    mkdir -p "$folder"
    link=$folder/labctl
    target=$PWD/.venv/bin/labctl
    if [ -e "$link" ] || [ -L "$link" ]; then
        [ "$(readlink "$link" || true)" = "$target" ] && return
        case $(readlink "$link" || true) in
            */.venv/bin/labctl) say "$link now leads to this checkout" ;;
            *) die "$link exists and is not ours: remove it, or call $target by its full name" ;;
        esac
    fi
    ln -sfn "$target" "$link"
    case :$PATH: in *":$folder:"*) ;; *) say "add $folder to your PATH to type 'labctl'" ;; esac
}

python=$(find_python)
# A moved checkout or another Python makes the environment useless: both are part of what the stamp holds.
# Of pyproject.toml only what packaging reads counts: a linter's rule is no reason to install all anew.
stamp=$({ cat $LOCK; sed -n '1,/^\[tool/p' pyproject.toml; echo "$PWD"; "$python" -VV; } | cksum)
if [ "$(cat .venv/stamp 2>/dev/null || true)" != "$stamp" ]; then
    say "making .venv with $python"
    make_environment "$python"
    .venv/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --only-binary :all: -r $LOCK
    .venv/bin/python -m pip -qq --disable-pip-version-check install --no-deps --no-build-isolation --editable .
    echo "$stamp" >.venv/stamp
fi
# Compiled now, so that a command doesn't pay for it; takes no time where nothing has changed.
.venv/bin/python -m compileall -q labctl
if [ "${1:-}" = --link ]; then link_command; fi
