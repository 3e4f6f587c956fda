# shellcheck shell=bash
# Backups of the local system: base backups and the log of every shard, Kafka's log, keys and images, to one cut.
#
# A cut is a moment between messages: with every outbox locked against writing, no mutation commits on any shard, so nothing that was told elsewhere
# (an event in Kafka, a row of a projection on another shard) is of something that the cut does not have. It is a restore point on each shard and the
# length of each of Kafka's files: those only grow, so that a prefix of them is what they were then. The locks are held for milliseconds.

BACKUP_SLOT=backup

psql_of() { # SHARD: reads SQL, as the superuser
    PGPASSWORD=$SUPERUSER_PASSWORD PGOPTIONS='-c synchronous_commit=local' "$POSTGRES_BIN/psql" -X -qAt -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$(port_of "shard-$1-primary")" -U "$SUPERUSER" -d plaza
}

# Streams a shard's log into the folder, from now on; the slot keeps what was not streamed yet.
start_archiver() { # FOLDER SHARD
    local folder=$1 shard=$2 name=shard-$2-primary
    mkdir -p "$folder/wal/shard-$shard"
    is_running "archiver-$shard" && return
    sql "$name" postgres "SELECT pg_create_physical_replication_slot('$BACKUP_SLOT', true)
        WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$BACKUP_SLOT')" >/dev/null
    PGPASSWORD=$SUPERUSER_PASSWORD spawn "archiver-$shard" "$POSTGRES_BIN/pg_receivewal" -h 127.0.0.1 -p "$(port_of "$name")" \
        -U "$SUPERUSER" -D "$folder/wal/shard-$shard" -S "$BACKUP_SLOT"
}

stop_archivers() {
    local shard
    for ((shard = 0; shard < SHARDS; shard++)); do stop_process "archiver-$shard" INT 10; done
}

base_backup() { # FOLDER SHARD: one file, whole or not at all
    local target=$1/base/shard-$2
    rm -rf "$target.partial"
    PGPASSWORD=$SUPERUSER_PASSWORD "$POSTGRES_BIN/pg_basebackup" -h 127.0.0.1 -p "$(port_of "shard-$2-primary")" -U "$SUPERUSER" \
        -D "$target.partial" -Ft -X fetch -c fast </dev/null >>"$LOG/backup" 2>&1 || { warn "error: the base backup of shard $2 failed: see $LOG/backup"; return 1; }
    rm -rf "$target"
    mv "$target.partial" "$target"
}

# A cut of all shards and Kafka; prints for how many milliseconds nobody could write.
make_cut() { # FOLDER NAME
    local folder=$1 name=$2 scratch shard held began result=0 inputs=() pids=()
    scratch=$(mktemp -d)
    for ((shard = 0; shard < SHARDS; shard++)); do
        mkfifo "$scratch/in.$shard"
        psql_of "$shard" <"$scratch/in.$shard" >"$scratch/out.$shard" 2>&1 &
        pids+=($!)
        exec {held}>"$scratch/in.$shard"
        inputs+=("$held")
        printf 'SELECT 1;\n' >&"$held"
    done
    await_lines "$scratch" 1 || result=1
    began=${EPOCHREALTIME/./}
    ask_all "BEGIN; SET LOCAL lock_timeout = '1s'; LOCK TABLE outbox IN SHARE MODE; SELECT 'locked';"
    await_lines "$scratch" 2 || result=1
    if ((!result)); then
        (cd "$LOCAL/kafka/data" && find . -name '*.log' -printf '%s %P\n') >"$scratch/kafka"
        ask_all "SELECT pg_create_restore_point('$name');"
        await_lines "$scratch" 3 || result=1
    fi
    ask_all 'COMMIT;'
    held=$(((${EPOCHREALTIME/./} - began) / 1000))
    ask_all "SELECT pg_walfile_name(pg_switch_wal());"
    for shard in "${inputs[@]}"; do exec {shard}>&-; done
    wait_all "${pids[@]}" || result=1
    if ((!result)); then
        keep_cut "$folder" "$name" "$scratch" || result=1
        say "$held"
    else
        cat "$scratch"/out.* >&2
    fi
    rm -rf "$scratch"
    return $result
}

ask_all() { # SQL, to every session of the cut
    local input
    for input in "${inputs[@]}"; do printf '%s\n' "$1" >&"$input" 2>/dev/null || true; done
}

await_lines() { # SCRATCH LINES: until every session has answered so many
    local shard deadline=$((SECONDS + 5)) lines
    for ((shard = 0; shard < SHARDS; shard++)); do
        while true; do
            lines=()
            mapfile -t lines <"$1/out.$shard"
            [[ ${lines[*]} == *ERROR* ]] && return 1
            ((${#lines[@]} >= $2)) && break
            ((SECONDS < deadline)) || return 1
            sleep 0.002
        done
    done
}

# What is slow, after the locks: the segment that holds each restore point, Kafka's files up to their lengths, keys and images.
keep_cut() { # FOLDER NAME SCRATCH
    local cut=$1/cuts/$2 shard segment size path
    rm -rf "$cut.partial"
    mkdir -p "$cut.partial/kafka"
    for ((shard = 0; shard < SHARDS; shard++)); do
        segment=$(tail -n 1 "$3/out.$shard")
        say "$segment" >"$cut.partial/shard-$shard"
        await_segment "$1/wal/shard-$shard/$segment" || { warn "error: shard $shard: its log does not arrive in $1/wal"; return 1; }
    done
    cp "$3/kafka" "$cut.partial/kafka-lengths"
    # What says where a log was read or flushed to is of a later moment: Kafka makes it anew from the log.
    (cd "$LOCAL/kafka/data" && tar -cf - --exclude='*.log' --exclude='*index' --exclude='*.snapshot' --exclude='*checkpoint' \
        --exclude=.kafka_cleanshutdown --exclude=.lock .) | tar -xf - -C "$cut.partial/kafka"
    while read -r size path; do
        mkdir -p "$cut.partial/kafka/$(dirname "$path")"
        head -c "$size" "$LOCAL/kafka/data/$path" >"$cut.partial/kafka/$path"
    done <"$3/kafka"
    mkdir -p "$1/keys"
    cp "$LOCAL/config/password" "$LOCAL/config/superuser-password" "$LOCAL/auth-key.pem" "$1/keys/"
    cp -au "$LOCAL/objects" "$1/"
    rm -rf "$cut"
    mv "$cut.partial" "$cut"
}

await_segment() { # FILE
    local deadline=$((SECONDS + 30))
    until [[ -e $1 ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# A shard's primary as it was at a cut, stopped; its replicas are copied from it at the next start.
restore_shard() { # FOLDER CUT SHARD
    local folder=$1 cut=$2 shard=$3 name=shard-$3-primary data
    data=$(data_of "$name")
    as_postgres mkdir -m 700 "$data" || return 1
    as_postgres tar -xf - -C "$data" <"$folder/base/shard-$shard/base.tar"
    # User postgres may not read the folder.
    as_postgres mkdir "$data/restored_wal"
    tar -cf - -C "$folder/wal/shard-$shard" . | as_postgres tar -xf - -C "$data/restored_wal" --no-same-owner
    write_postgres_config "$name" "$data"
    as_postgres tee -a "$data/postgresql.conf" >/dev/null <<END
synchronous_standby_names = ''
restore_command = 'cp "restored_wal/%f" "%p"'
recovery_target_name = '$cut'
recovery_target_action = promote
END
    as_postgres touch "$data/recovery.signal"
    if ((EUID == 0)); then
        spawn "$name" setpriv --reuid=postgres --regid=postgres --init-groups "$POSTGRES_BIN/postgres" -D "$data"
    else
        spawn "$name" "$POSTGRES_BIN/postgres" -D "$data"
    fi
    wait_ready "$name" 600 is_promoted "$name" || return 1
    logged "$name" "recovery stopping at restore point \"$cut\"" || { failed "$name" "did not meet the cut $cut"; return 1; }
    send_jobs_again "$shard" || return 1
    stop_postgres "$name"
    as_postgres rm -rf "$data/restored_wal"
}

is_promoted() { [[ $(sql "$1" postgres 'SELECT pg_is_in_recovery()') == f ]]; }

# RabbitMQ begins empty. Jobs of the last hours come again; a job that was done does nothing more.
send_jobs_again() { # SHARD
    psql_of "$1" >>"$LOG/restore" <<<"UPDATE outbox SET sent_at = NULL WHERE sink = 0 AND created_at > (SELECT max(created_at) FROM outbox) - interval '6 hours'"
}

restore_kafka() { # FOLDER CUT
    mkdir -p "$LOCAL/kafka/data"
    cp -a "$1/cuts/$2/kafka/." "$LOCAL/kafka/data/"
    touch "$LOCAL/kafka/.initialised"
}
