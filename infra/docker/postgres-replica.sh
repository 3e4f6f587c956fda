#!/bin/bash
# A replica's entry point: copies its primary when its volume is new, then follows it.
# PRIMARY: the primary's host. SLOT: r1 or r2, its slot and its application name.
set -euo pipefail
parent=$(dirname "$PGDATA")
as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
chown postgres: "$parent"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    # Beside its place first, so that an interrupted copy is simply made again.
    rm -rf "$parent/partial" "$PGDATA"
    PGPASSWORD=$POSTGRES_PASSWORD "${as_postgres[@]}" pg_basebackup -h "$PRIMARY" -U "$POSTGRES_USER" \
        -D "$parent/partial" -X stream -S "$SLOT" -c fast
    "${as_postgres[@]}" touch "$parent/partial/standby.signal"
    mv "$parent/partial" "$PGDATA"
fi
# The same template as infra/local/up fills.
{
    echo "listen_addresses = '*'"
    cat /plaza/shared.conf
    sed -e "s|@PRIMARY_HOST@|$PRIMARY|" -e 's|@PRIMARY_PORT@|5432|' -e "s|@USER@|$POSTGRES_USER|" \
        -e "s|@PASSWORD@|$POSTGRES_PASSWORD|" -e "s|@SLOT@|$SLOT|" /plaza/replica.conf
} | install -o postgres -m 600 /dev/stdin /tmp/plaza.conf
exec "${as_postgres[@]}" postgres -D "$PGDATA" -c config_file=/tmp/plaza.conf
