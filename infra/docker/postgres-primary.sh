#!/bin/bash
# A primary's entry point. A new volume's database is made with the image's own settings: with those of infra/postgres its first commit would wait for a
# replica that cannot be there yet.
set -euo pipefail
docker-ensure-initdb.sh
{ echo "listen_addresses = '*'"; cat /plaza/shared.conf /plaza/primary.conf; } |
    install -o postgres -m 600 /dev/stdin /tmp/plaza.conf
exec docker-entrypoint.sh postgres -c config_file=/tmp/plaza.conf
