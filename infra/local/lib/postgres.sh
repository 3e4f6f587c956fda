# shellcheck shell=bash
# PostgreSQL: per shard one primary and two streaming replicas, each with a slot on its primary. Which of the three is the primary changes with a
# failover; their names do not.
# They listen on TCP only (no socket file, whose path would have to be short and writable).

POSTGRES_BIN=$(postgres_bin) || POSTGRES_BIN=
POSTGRES_DATA=
# By shard, once prepare_postgres has looked.
SHARD_PRIMARIES=()

# As root, postgres runs as the distribution's user `postgres`, because it refuses root.
as_postgres() {
    if ((EUID == 0)); then
        setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        "$@"
    fi
}

# Called once, before anything starts side by side.
prepare_postgres() {
    [[ -n $POSTGRES_BIN ]] || die "PostgreSQL is not installed: run infra/local/install"
    POSTGRES_DATA=$LOCAL/postgres
    if ((EUID == 0)) && ! as_postgres test -x "$LOCAL"; then
        # The clone lies where user postgres may not go (/root): keep the data elsewhere, behind a link. Not in
        # /var/tmp, where anyone could have put a link of that name for root to follow.
        if [[ ! -L $LOCAL/postgres ]]; then
            rmdir "$LOCAL/postgres" 2>/dev/null || true
            ln -s "$(outside_data)" "$LOCAL/postgres"
        fi
        # A link that is there decides: it knows where the data went, whatever this script would choose today.
        POSTGRES_DATA=$(readlink "$LOCAL/postgres")
    fi
    mkdir -p "$POSTGRES_DATA"
    chmod 700 "$POSTGRES_DATA"
    ((EUID == 0)) && chown postgres: "$POSTGRES_DATA"
    local shard
    for ((shard = 0; shard < SHARDS; shard++)); do SHARD_PRIMARIES[shard]=$(find_primary "$shard"); done
    return 0
}

# Which of a shard's servers is its primary: of those that are no replica the one with the latest timeline. A primary that was failed over and not
# rebuilt is behind that.
find_primary() { # SHARD
    local name data timeline best=shard-$1-primary latest=0
    for name in "shard-$1-primary" "shard-$1-replica-1" "shard-$1-replica-2"; do
        data=$(data_of "$name")
        as_postgres test -e "$data/PG_VERSION" || continue
        as_postgres test -e "$data/standby.signal" && continue
        # A promotion writes the history of its timeline at once, and a checkpoint only minutes later.
        timeline=$(as_postgres ls "$data/pg_wal" | sed -n 's/^\([0-9A-F]\{8\}\)\.history$/\1/p' | sort | tail -n 1)
        timeline=$((16#${timeline:-1}))
        if ((timeline > latest)); then best=$name latest=$timeline; fi
    done
    say "$best"
}

outside_data() {
    local sum of=$LOCAL
    # The clone's own system is named after the clone, a second one after its folder.
    [[ $LOCAL == "$ROOT/.local" ]] && of=$ROOT
    sum=$(cksum <<<"$of")
    say "/var/lib/plaza-${sum%% *}"
}

data_of() { say "$POSTGRES_DATA/$1"; }

shard_of() {
    local shard=${1#shard-}
    say "${shard%%-*}"
}

primary_of() { # NAME -> the name of its shard's primary
    local shard
    shard=$(shard_of "$1")
    say "${SHARD_PRIMARIES[shard]:-shard-$shard-primary}"
}

# What a server is called at its primary, and its slot there: by its place in the configuration.
slot_of() {
    case $1 in
        *-primary) say r0 ;;
        *) say "r${1##*-}" ;;
    esac
}

others_of() { # NAME -> the other two of its shard
    local name shard
    shard=$(shard_of "$1")
    for name in "shard-$shard-primary" "shard-$shard-replica-1" "shard-$shard-replica-2"; do
        [[ $name == "$1" ]] || say "$name"
    done
}

standbys_of() { # NAME -> whom its commits wait for
    local name names=
    for name in $(others_of "$1"); do names+=", $(slot_of "$name")"; done
    say "ANY 1 (${names#, })"
}

# SQL against an instance, as the superuser. Never waits for a replica: used while there is none yet.
sql() { # NAME DATABASE SQL
    PGPASSWORD=$SUPERUSER_PASSWORD PGCONNECT_TIMEOUT=3 PGOPTIONS='-c synchronous_commit=local' \
        "$POSTGRES_BIN/psql" -X -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port_of "$1")" -U "$SUPERUSER" -d "$2" -c "$3"
}

accepts_sql() { sql "$1" postgres 'SELECT 1' >/dev/null; }

write_postgres_config() { # NAME DATA
    local name=$1 data=$2 scratch
    scratch=$LOCAL/config/$name
    render "$INFRA/postgres/instance.conf" "$scratch.instance" PORT="$(port_of "$name")" NAME="$name"
    case $name in
        # Nobody follows it, so no commit waits for anybody.
        single-*) : >"$scratch.role" ;;
        "$(primary_of "$name")")
            render "$INFRA/postgres/primary.conf" "$scratch.role"
            say "synchronous_standby_names = '$(standbys_of "$name")'" >>"$scratch.role"
            ;;
        *) render "$INFRA/postgres/replica.conf" "$scratch.role" SLOT="$(slot_of "$name")" USER="$SUPERUSER" \
            PASSWORD="$SUPERUSER_PASSWORD" PRIMARY_HOST=127.0.0.1 PRIMARY_PORT="$(port_of "$(primary_of "$name")")" ;;
    esac
    # Written by the owner of the data, through a pipe: user postgres may not read this folder.
    {
        cat "$scratch.instance" "$INFRA/postgres/shared.conf" "$scratch.role"
        [[ -z ${PLAZA_POSTGRES_FSYNC:-} ]] || say "fsync = $PLAZA_POSTGRES_FSYNC"
    } | as_postgres tee "$data/postgresql.conf" >/dev/null
    as_postgres tee "$data/pg_hba.conf" <"$INFRA/postgres/pg_hba.conf" >/dev/null
    as_postgres tee "$data/server.crt" <"$CERTIFICATE_FILE" >/dev/null
    (umask 077 && as_postgres tee "$data/server.key" <"$KEY_FILE" >/dev/null)
    # `ALTER SYSTEM` writes here; base backups put the primary's connection here. The templates decide.
    as_postgres tee "$data/postgresql.auto.conf" </dev/null >/dev/null
}

# A postmaster killed by -9 leaves its pid file and, for a moment, children on the shared memory.
clear_postgres_remains() { # NAME DATA
    local name=$1 data=$2 pid cwd round
    data=$(readlink -f "$data")
    for round in 1 2 3 4 5 6 7 8 9 10; do
        local found=
        for cwd in /proc/[0-9]*/cwd; do
            [[ $(readlink "$cwd" 2>/dev/null) == "$data" ]] || continue
            pid=${cwd#/proc/}
            pid=${pid%/cwd}
            [[ $(cat "/proc/$pid/comm" 2>/dev/null) == postgres ]] || continue
            found=yes
            if ((round > 4)); then
                kill -KILL "$pid" 2>/dev/null || true
            else
                kill -QUIT "$pid" 2>/dev/null || true
            fi
        done
        [[ -z $found ]] && break
        sleep 0.3
    done
    as_postgres rm -f "$data/postmaster.pid"
}

spawn_postgres() { # NAME
    local name=$1 data
    data=$(data_of "$name")
    clear_postgres_remains "$name" "$data"
    require_free_ports "$name" || return 1
    write_postgres_config "$name" "$data"
    if ((EUID == 0)); then
        spawn "$name" setpriv --reuid=postgres --regid=postgres --init-groups "$POSTGRES_BIN/postgres" -D "$data"
    else
        spawn "$name" "$POSTGRES_BIN/postgres" -D "$data"
    fi
}

# Built beside its place and moved there whole: an interrupted initdb is simply done again.
initialise_postgres() { # NAME DATA
    local name=$1 data=$2
    as_postgres rm -rf "$data.partial"
    printf "%s\n" "$SUPERUSER_PASSWORD" | as_postgres tee "$data.password" >/dev/null
    if ! as_postgres "$POSTGRES_BIN/initdb" -D "$data.partial" --username="$SUPERUSER" \
        --pwfile="$data.password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
        --data-checksums </dev/null >>"$LOG/$name" 2>&1; then
        failed "$name" "initdb failed"
        return 1
    fi
    as_postgres rm -f "$data.password"
    as_postgres mv "$data.partial" "$data"
}

start_postgres() { # NAME
    if [[ $1 == "$(primary_of "$1")" ]]; then
        start_postgres_primary "$1"
    else
        start_postgres_replica "$1"
    fi
}

start_postgres_primary() { # NAME
    local name=$1 data replica
    data=$(data_of "$name")
    if is_running "$name"; then
        wait_ready "$name" 60 accepts_sql "$name"
        return
    fi
    if ! as_postgres test -e "$data/PG_VERSION"; then
        for replica in $(others_of "$name"); do
            if as_postgres test -e "$(data_of "$replica")/PG_VERSION"; then
                failed "$name" "its data is gone but $replica still has some: not starting an empty one; infra/local/reset starts afresh"
                return 1
            fi
        done
        initialise_postgres "$name" "$data" || return 1
    fi
    spawn_postgres "$name" || return 1
    wait_ready "$name" 300 accepts_sql "$name" || return 1
    if ! make_users "$name"; then
        failed "$name" "cannot create its users and database plaza"
        return 1
    fi
}

# The owner of what plaza keeps, who migrates and may do what a test or a case study asks of a server, and a user for each of plaza's roles, who may
# do what `plaza migrate` grants.
make_users() { # NAME
    local name=$1 role missing
    if [[ $SUPERUSER != "$LOCAL_USER" && -z $(sql "$name" postgres "SELECT 1 FROM pg_roles WHERE rolname = '$LOCAL_USER'") ]]; then
        sql "$name" postgres "CREATE ROLE $LOCAL_USER LOGIN CREATEDB PASSWORD '$LOCAL_PASSWORD' IN ROLE pg_monitor, pg_signal_backend" || return 1
        # Since PostgreSQL 15.
        if [[ -n $(sql "$name" postgres "SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint'") ]]; then
            sql "$name" postgres "GRANT pg_checkpoint TO $LOCAL_USER" || return 1
        fi
    fi
    for role in "${PLAZA_ROLES[@]}"; do
        missing=$(sql "$name" postgres "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'plaza_$role')") || return 1
        if [[ -n $missing ]]; then
            sql "$name" postgres "CREATE ROLE plaza_$role LOGIN PASSWORD '$LOCAL_PASSWORD'" || return 1
        fi
    done
    if [[ -z $(sql "$name" postgres "SELECT 1 FROM pg_database WHERE datname = 'plaza'") ]]; then
        sql "$name" postgres "CREATE DATABASE plaza OWNER $LOCAL_USER" || return 1
        # Case studies hold replicas up.
        sql "$name" plaza "GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO $LOCAL_USER" || return 1
    fi
}

copy_primary() { # REPLICA: a base backup, built aside and moved into place whole
    local name=$1 primary slot data
    primary=$(primary_of "$name")
    slot=$(slot_of "$name")
    data=$(data_of "$name")
    as_postgres rm -rf "$data.partial"
    # A fresh slot: the old one may be lost, or hold log that the new copy does not need.
    sql "$primary" postgres "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '$slot';
        SELECT pg_create_physical_replication_slot('$slot', true)" >/dev/null ||
        { failed "$name" "cannot make its slot on $primary"; return 1; }
    if ! PGPASSWORD=$SUPERUSER_PASSWORD as_postgres "$POSTGRES_BIN/pg_basebackup" -h 127.0.0.1 -p "$(port_of "$primary")" \
        -U "$SUPERUSER" -D "$data.partial" -X stream -S "$slot" -c fast </dev/null >>"$LOG/$name" 2>&1; then
        failed "$name" "copying $primary failed"
        return 1
    fi
    as_postgres touch "$data.partial/standby.signal"
    as_postgres rm -rf "$data"
    as_postgres mv "$data.partial" "$data"
}

streams() { # REPLICA: its primary sees it streaming, and it answers
    [[ $(sql "$(primary_of "$1")" postgres "SELECT 1 FROM pg_stat_replication WHERE application_name = '$(slot_of "$1")' AND state = 'streaming'") == 1 ]] &&
        accepts_sql "$1"
}

# A replica that can never catch up again: the log it needs is gone. Others that do not follow (a diverged timeline)
# may hold commits that the primary lacks: a person decides about those.
is_broken() { # REPLICA
    logged "$1" "has already been removed" || logged "$1" "PANIC:" ||
        [[ $(sql "$(primary_of "$1")" postgres "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$(slot_of "$1")'") == lost ]]
}

streams_or_broken() { streams "$1" || is_broken "$1" || ! is_running "$1"; }

start_postgres_replica() { # NAME
    local name=$1 primary slot data attempt
    primary=$(primary_of "$name")
    slot=$(slot_of "$name")
    data=$(data_of "$name")
    if ! is_running "$primary"; then
        if as_postgres test -e "$data/PG_VERSION" && ! as_postgres test -e "$data/standby.signal"; then
            warn "$name was the primary before $primary and is not started"
            return 0
        fi
        if is_running "$name" || as_postgres test -e "$data/PG_VERSION"; then
            # Serves reads without its primary, as in an outage.
            is_running "$name" || spawn_postgres "$name" || return 1
            wait_ready "$name" 120 accepts_sql "$name"
            return
        fi
        warn "error: $name: $primary is not running, so there is nothing to copy; start it first"
        return 1
    fi
    for attempt in 1 2; do
        if ! is_running "$name"; then
            if as_postgres test -e "$data/PG_VERSION"; then
                if ! as_postgres test -e "$data/standby.signal"; then
                    # Not an error: the shard has a primary and a replica.
                    warn "$name was the primary before $primary and is not started: 'infra/local/rebuild-replica $name' throws its data away and copies $primary"
                    return 0
                fi
            else
                copy_primary "$name" || return 1
            fi
            sql "$primary" postgres "SELECT pg_create_physical_replication_slot('$slot', true)
                WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$slot')" >/dev/null || true
            spawn_postgres "$name" || return 1
        fi
        local deadline=$((SECONDS + 120))
        until streams_or_broken "$name" 2>/dev/null || ((SECONDS >= deadline)); do sleep 0.1; done
        streams "$name" 2>/dev/null && return 0
        # Still runs, and nothing says that it cannot catch up: what it has is not this script's to throw away.
        if is_running "$name" && ! is_broken "$name"; then break; fi
        ((attempt == 1)) || break
        warn "$name cannot follow $primary any more: copying it again"
        stop_process "$name" INT 20
        clear_postgres_remains "$name" "$data"
        as_postgres rm -rf "$data"
    done
    failed "$name" "does not follow $primary (infra/local/rebuild-replica $name would throw its data away and copy the primary)"
}

stop_postgres() { stop_process "$1" INT 30; }
