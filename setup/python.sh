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

# Whether all users may enter the folders that lead to a file: of Python's own, those to where it really lies.
is_for_all() {
    "$1" - "${2:-}" <<'CHECK' 2>/dev/null
import os, sys
path = os.path.realpath(sys.argv[1] or sys.executable)
while path != "/":
    path = os.path.dirname(path)
    if not os.stat(path).st_mode & 1:
        sys.exit(f"{path} is closed to other users")
CHECK
}

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# What root sets up is for all users of the machine, where a Python is at hand that they may run.
find_python() {
    names=${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}
    if [ "$(id -u)" = 0 ] && [ -z "${PYTHON:-}" ]; then
        before=$IFS
        IFS=:
        for folder in $PATH; do
            IFS=$before
            for name in $names; do
                candidate=$folder/$name
                if is_new_enough "$candidate" && is_for_all "$candidate" && has_venv "$candidate"; then
                    echo "$candidate"
                    return
                fi
            done
        done
        IFS=$before
    fi
    for candidate in $names; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed and was not found: install python3 and python3-venv, or set PYTHON to one"
}

# Debian keeps the module that venv needs in a package of its own.
make_environment() {
    has_venv "$1" || install_venv_package
    "$1" -m venv --clear .venv
    # Nothing here needs it, and it puts a hook into each start of Python; from 3.12 on it isn't there.
    .venv/bin/python -m pip -qqq --disable-pip-version-check uninstall --yes setuptools
}

install_venv_package() {
    hint="Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)"
    [ "${LABCTL_NO_INSTALL:-0}" = 1 ] && die "$hint; LABCTL_NO_INSTALL=1 forbids doing so here"
    { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die "$hint"
    say "installing python3-venv from the distribution's packages (LABCTL_NO_INSTALL=1 forbids this)"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends python3-venv; } >&2
}

# pip before 25 writes commands that begin by importing `re`, which takes as long as all of Python's own start, and a ^C
# meanwhile shows its traceback: here labctl comes first, which ends at a ^C without a word (labctl/__init__.py).
start_at_once() {
    for name in labctl wirelab; do
        command=.venv/bin/$name
        grep -q '^import re$' "$command" || continue
        { sed '/^# -\*- coding/,$d' "$command" && printf 'from labctl.__main__ import main\n\nmain()\n'; } >"$command.new"
        chmod +x "$command.new"
        mv "$command.new" "$command"
    done
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
    say_who_may_use_it
    case :$PATH: in *":$folder:"*) ;; *) say "add $folder to your PATH to type 'labctl'" ;; esac
}

say_who_may_use_it() {
    [ "$(id -u)" = 0 ] || return 0
    for path in "$PWD/.venv/bin/python" "$PWD/labctl/__main__.py"; do
        is_for_all .venv/bin/python "$path" || {
            say "labctl is for root alone here: other users can't reach $(readlink -f "$path") (docs/class.md)"
            return 0
        }
    done
}

python=$(find_python)
# A moved checkout or another Python makes the environment useless: both are part of what the stamp holds.
# Of pyproject.toml only what packaging reads counts: a linter's rule is no reason to install all anew.
stamp=$({ cat $LOCK; sed -n '1,/^\[tool/p' pyproject.toml; echo "$PWD"; echo "$python"; "$python" -VV; } | cksum)
if [ "$(cat .venv/stamp 2>/dev/null || true)" != "$stamp" ]; then
    say "making .venv with $python"
    make_environment "$python"
    .venv/bin/python -m pip -qq --disable-pip-version-check install --require-hashes --only-binary :all: -r $LOCK
    .venv/bin/python -m pip -qq --disable-pip-version-check install --no-deps --no-build-isolation --editable .
    start_at_once
    echo "$stamp" >.venv/stamp
fi
# Compiled now, so that a command doesn't pay for it; takes no time where nothing has changed.
.venv/bin/python -m compileall -q labctl
if [ "${1:-}" = --link ]; then link_command; fi
