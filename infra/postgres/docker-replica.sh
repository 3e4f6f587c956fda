#!/bin/bash
# docker-compose only: a replica's entry point. Copies the primary when there is no copy yet, then follows it.
# Reads PRIMARY (host), SLOT (r1 or r2) and PGPASSWORD.
set -euo pipefail

# The image starts as root to prepare the volume; postgres itself must not be root.
if ((EUID == 0)); then
    mkdir -p "$PGDATA"
    chown -R postgres "$PGDATA"
    chmod 700 "$PGDATA"
    exec gosu postgres "$0" "$@"
fi

if [[ ! -e $PGDATA/.complete ]]; then
    until pg_isready -q -h "$PRIMARY" -U plaza -d plaza; do sleep 0.5; done
    # An interrupted copy is thrown away.
    find "$PGDATA" -mindepth 1 -delete
    pg_basebackup -h "$PRIMARY" -U plaza -D "$PGDATA" -X stream -S "$SLOT" -c fast
    # Last wins: after the primary's own settings, which came with the copy.
    sed -e "s/@PRIMARY_HOST@/$PRIMARY/; s/@PRIMARY_PORT@/5432/; s/@USER@/plaza/; s/@PASSWORD@/$PGPASSWORD/; s/@SLOT@/$SLOT/" \
        /etc/plaza/replica.conf >>"$PGDATA/postgresql.conf"
    touch "$PGDATA/standby.signal" "$PGDATA/.complete"
fi
exec postgres
