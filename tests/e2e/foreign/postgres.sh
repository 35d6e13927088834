#!/bin/sh
# PostgreSQL; makes its files first where its volume is still empty. The password stands in POSTGRES_PASSWORD_FILE, or
# else is POSTGRES_PASSWORD.
set -eu
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
    password=${POSTGRES_PASSWORD_FILE:-/tmp/password}
    [ -n "${POSTGRES_PASSWORD_FILE:-}" ] || printf '%s\n' "$POSTGRES_PASSWORD" >$password
    initdb --pgdata=$data --username=postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile="$password" \
        --encoding=UTF8 --no-sync >/dev/null
    echo 'host all all all scram-sha-256' >>$data/pg_hba.conf
fi
exec postgres -D $data -c 'listen_addresses=*' -c unix_socket_directories=/tmp
