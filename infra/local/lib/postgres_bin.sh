# shellcheck shell=bash
# The newest PostgreSQL that the distribution installed: 15 on Debian 12, 16 on Ubuntu 24.04, 17 on Debian 13.
# Fails, and prints nothing, when there is none.
postgres_bin() {
    local dir newest=
    while IFS= read -r dir; do
        newest=$dir
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
    [[ -x $newest/initdb && -x $newest/pg_basebackup ]] && printf '%s\n' "$newest"
}
