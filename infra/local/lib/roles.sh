# shellcheck shell=bash
# plaza's own processes: the executable's roles, with the configuration that fits what runs here.

PLAZA_CONFIG_FILE=$LOCAL/plaza.toml
# The same servers, over TLS.
PLAZA_TLS_CONFIG_FILE=$LOCAL/plaza-tls.toml

# Always an absolute path, since roles start in /.
plaza_binary() {
    if [[ -n ${PLAZA_BIN:-} ]]; then
        realpath -ms "$PLAZA_BIN"
    elif [[ ${PROFILE:-dev} == release ]]; then
        realpath -ms "${CARGO_TARGET_DIR:-$ROOT/target}/release/plaza"
    else
        realpath -ms "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plaza"
    fi
}

# In the order of the names, whichever is the primary: plaza finds that out.
shard_urls() { # SHARD USER [PASSWORD]
    local name urls=
    for name in "shard-$1-primary" "shard-$1-replica-1" "shard-$1-replica-2"; do
        urls+="|postgres://$2:${3:-$LOCAL_PASSWORD}@127.0.0.1:$(client_port_of "$name")/plaza"
    done
    say "${urls#|}"
}

write_plaza_config() {
    local shard lines=() redis_password=
    if redis_has_password; then redis_password=:$LOCAL_PASSWORD@; fi
    for ((shard = 0; shard < SHARDS; shard++)); do
        lines+=("  \"$(shard_urls "$shard" "$LOCAL_USER")\",")
    done
    (
        umask 077
        cat >"$PLAZA_CONFIG_FILE.new" <<END
# Written by infra/local/up at each start: change infra/local instead, or override by environment (PLAZA_REDIS__URL=..).
[server]
public_url = "http://127.0.0.1:$PLAZA_NGINX_PORT"
web_folder = "$ROOT/web/dist"
# Introspection and explanations for everybody: off unless said.
development = true

[limits]
# Everybody here comes from one address, a few accounts carry whole load runs, and generators open many sockets.
viewer_points = 1000000
viewer_points_per_s = 100000
address_points = 2000000
address_points_per_s = 200000
posts_per_hour = 1000000
comments_per_hour = 1000000
follows_per_hour = 1000000
likes_per_hour = 1000000
mentions_per_hour = 1000000
orders_per_hour = 1000000
products_per_hour = 1000000
sockets_per_address = 200000
address_sign_ups = 100000

[postgres]
# one entry a shard: the primary, then its replicas, separated by |
shards = [
$(printf '%s\n' "${lines[@]}")
]

[redis]
url = "redis://${redis_password}127.0.0.1:$(client_port_of redis)/0"
servers = 2

[rabbitmq]
url = "amqp://$LOCAL_USER:$LOCAL_PASSWORD@127.0.0.1:$(client_port_of rabbitmq)/plaza"
management_url = "http://$LOCAL_USER:$LOCAL_PASSWORD@127.0.0.1:$(client_port_of rabbitmq-management)"

[kafka]
brokers = "127.0.0.1:$(client_port_of kafka)"

[media]
folder = "$LOCAL/objects"

[auth]
signing_key_file = "$LOCAL/auth-key.pem"

[telemetry]
# There is one after \`make prometheus\`.
prometheus_url = "http://127.0.0.1:$PLAZA_PROMETHEUS_PORT"
END
    )
    (
        umask 077
        sed -e "s#\(postgres://[^|\"]*\)#\1?sslmode=verify-full\&sslrootcert=$CA_FILE#g" \
            -e "s#redis://\(.*\):[0-9]*/0#rediss://\1:$PLAZA_REDIS_TLS_PORT/0?ssl_ca_certs=$CA_FILE#" \
            -e "s#amqp://\(.*\):[0-9]*/plaza#amqps://\1:$PLAZA_RABBITMQ_TLS_PORT/plaza?cacertfile=$CA_FILE#" \
            -e "s#^brokers = .*#brokers = \"127.0.0.1:$PLAZA_KAFKA_TLS_PORT\"\nsecurity_protocol = \"sasl_ssl\"\nca_file = \"$CA_FILE\"\nusername = \"$LOCAL_USER\"\npassword = \"$LOCAL_PASSWORD\"#" \
            "$PLAZA_CONFIG_FILE.new" >"$PLAZA_TLS_CONFIG_FILE.new"
    )
    mv "$PLAZA_CONFIG_FILE.new" "$PLAZA_CONFIG_FILE"
    mv "$PLAZA_TLS_CONFIG_FILE.new" "$PLAZA_TLS_CONFIG_FILE"
}

# Keys and schema, before the first role.
prepare_roles() {
    local plaza log=$LOG/migrate
    plaza=$(plaza_binary)
    # Others may pass through .local, so the key must not be theirs to read.
    (umask 077 && exec "$plaza" keygen --if-missing "$LOCAL/auth-key.pem") </dev/null >"$LOG/keygen" 2>&1 9>&- ||
        { tail -n 5 "$LOG/keygen" >&2; die "plaza keygen failed"; }
    PLAZA_CONFIG=$PLAZA_CONFIG_FILE "$plaza" migrate </dev/null >"$log" 2>&1 9>&- ||
        { tail -n 8 "$log" >&2; die "plaza migrate failed; its log: $log"; }
}

role_is_ready() { curl -sf -m 2 -o /dev/null "http://127.0.0.1:$(admin_port_of "$1")/readyz"; }

start_role() { # NAME
    local name=$1 plaza shard urls environment yielding=()
    if ! is_running "$name"; then
        plaza=$(plaza_binary)
        kill_leftovers "$name"
        require_free_ports "$name" || return 1
        # Each as its own user; the configuration names the owner, who migrates, seeds and repairs.
        urls=
        for ((shard = 0; shard < SHARDS; shard++)); do urls+=",$(shard_urls "$shard" "plaza_$(role_of "$name")")"; done
        environment=(PLAZA_CONFIG="$PLAZA_CONFIG_FILE" PLAZA_POSTGRES__SHARDS="${urls#,}" PLAZA_ADMIN__LISTEN="127.0.0.1:$(admin_port_of "$name")")
        [[ $name == server-* ]] && environment+=(PLAZA_SERVER__LISTEN="127.0.0.1:$(port_of "$name")")
        # Jobs, messages and projections can wait a moment; who asks a server does.
        [[ $name == server-* ]] || yielding=("$INFRA/local/yielding")
        spawn "$name" "${yielding[@]}" env "${environment[@]}" "$plaza" "$(role_of "$name")"
    fi
    wait_ready "$name" 60 role_is_ready "$name"
}

# Replaces a primary that is gone. Only the superuser may tell the servers so.
start_supervisor() {
    local name=supervisor plaza shard urls
    is_running "$name" && return
    plaza=$(plaza_binary)
    kill_leftovers "$name"
    require_free_ports "$name" || return 1
    urls=
    for ((shard = 0; shard < SHARDS; shard++)); do urls+=",$(shard_urls "$shard" "$SUPERUSER" "$SUPERUSER_PASSWORD")"; done
    spawn "$name" env PLAZA_CONFIG="$PLAZA_CONFIG_FILE" PLAZA_POSTGRES__SHARDS="${urls#,}" PLAZA_ADMIN__LISTEN="127.0.0.1:$(admin_port_of "$name")" \
        "$plaza" failover watch
    wait_ready "$name" 20 logged "$name" "has a primary"
}

# plaza drains before it ends; its own deadline is below this one.
stop_role() { stop_process "$1" TERM 30; }
