#!/bin/bash
# A replica's entry point: copies its primary when its volume is new, then follows it.
# PRIMARY: the primary's host. SLOT: r1 or r2, its slot and its application name.
set -euo pipefail
parent=$(dirname "$PGDATA")
chown postgres: "$parent"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    # Beside its place first, so that an interrupted copy is simply made again.
    rm -rf "$parent/partial" "$PGDATA"
    PGPASSWORD=$POSTGRES_PASSWORD gosu postgres pg_basebackup -h "$PRIMARY" -U "$POSTGRES_USER" \
        -D "$parent/partial" -X stream -S "$SLOT" -c fast
    gosu postgres touch "$parent/partial/standby.signal"
    mv "$parent/partial" "$PGDATA"
fi
exec gosu postgres postgres -D "$PGDATA" "$@" \
    -c "primary_conninfo=host=$PRIMARY user=$POSTGRES_USER password=$POSTGRES_PASSWORD application_name=$SLOT" \
    -c "primary_slot_name=$SLOT"
