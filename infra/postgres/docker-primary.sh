#!/bin/bash
# docker-compose only: the postgres image runs this once, after initdb, in the primary's first start.
set -euo pipefail
{
    # Last, so that the image's own bootstrap did not have to wait for replicas that do not exist yet.
    echo "include '/etc/plaza/shared.conf'"
    echo "include '/etc/plaza/primary.conf'"
} >>"$PGDATA/postgresql.conf"
echo 'host replication all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -c "SELECT pg_create_physical_replication_slot(slot, true) FROM unnest(ARRAY['r1', 'r2']) AS slot"
