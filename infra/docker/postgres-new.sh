#!/bin/bash
# Run once by the postgres image, when a primary's volume is new: lets its replicas in, each with its slot.
set -euo pipefail
echo 'host replication all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
SELECT pg_create_physical_replication_slot('r1', true);
SELECT pg_create_physical_replication_slot('r2', true);
SQL
