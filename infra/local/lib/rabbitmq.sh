# shellcheck shell=bash
# RabbitMQ. The wrapper on PATH insists on the distribution's own user and folders, so this calls the real script and
# names every folder itself: beside the distribution's instance it shares nothing, not even epmd.

rabbitmq_script() {
    local script newest=
    while IFS= read -r script; do
        newest=$script
    done < <(printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin | sort -V)
    [[ -x $newest/$1 ]] || die "RabbitMQ is not installed: run infra/local/install"
    printf '%s\n' "$newest/$1"
}

rabbitmq_environment() {
    local home=$LOCAL/rabbitmq
    RABBITMQ_ENVIRONMENT=(
        HOME="$home/home" # Erlang's cookie
        ERL_EPMD_PORT="$PLAZA_EPMD_PORT"
        ERL_EPMD_ADDRESS=127.0.0.1
        RABBITMQ_CONF_ENV_FILE="$home/no-such-file" # not the distribution's
        RABBITMQ_NODENAME=plaza@localhost
        RABBITMQ_DIST_PORT="$PLAZA_RABBITMQ_DIST_PORT"
        RABBITMQ_CONFIG_FILE="$LOCAL/config/rabbitmq.conf"
        RABBITMQ_CONFIG_FILES="$home/no-such-folder"
        RABBITMQ_ADVANCED_CONFIG_FILE="$home/advanced.config"
        RABBITMQ_GENERATED_CONFIG_DIR="$home/generated"
        RABBITMQ_SCHEMA_DIR="$home/schema"
        RABBITMQ_ENABLED_PLUGINS_FILE="$LOCAL/config/rabbitmq-plugins"
        RABBITMQ_MNESIA_BASE="$home/data"
        RABBITMQ_LOG_BASE="$home/log"
        RABBITMQ_LOGS=-
        RABBITMQ_PID_FILE="$home/pid"
        # Without this an idle node spins, waiting for work: it would take the cores of the other servers.
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
    )
}

# The vhost through the management API: AMQP listens, the plugin is up, and the user may log in.
rabbitmq_answers() {
    answers "$PLAZA_RABBITMQ_PORT" &&
        # Not as an argument: those are everybody's to read.
        curl -sf -m 2 -o /dev/null -K - "http://127.0.0.1:$PLAZA_RABBITMQ_MANAGEMENT_PORT/api/vhosts/plaza" \
            <<<"user = \"$LOCAL_USER:$LOCAL_PASSWORD\""
}

# epmd outlives its node, so its port may be taken: by an epmd.
require_own_epmd() {
    local inode holder
    inode=$(listener_inode "$PLAZA_EPMD_PORT")
    [[ -n $inode ]] || return 0
    holder=$(describe_holder "$inode")
    [[ $holder == *epmd* ]] && return 0
    warn "error: rabbitmq: port $PLAZA_EPMD_PORT is taken by $holder; stop it, or choose another port (infra/local/ports.env)"
    return 1
}

start_rabbitmq() {
    local home=$LOCAL/rabbitmq script session pid
    if ! is_running rabbitmq; then
        script=$(rabbitmq_script rabbitmq-server) || return 1
        kill_leftovers rabbitmq
        require_free_ports rabbitmq || return 1
        require_own_epmd || return 1
        # A first start that never became ready left half of its tables: do it again.
        [[ -e $home/.initialised ]] || rm -rf "$home/data" "$home/generated"
        mkdir -p "$home"/{home,data,log,generated,schema}
        rm -f "$home/pid"
        render "$INFRA/rabbitmq/rabbitmq.conf" "$LOCAL/config/rabbitmq.conf" PORT="$PLAZA_RABBITMQ_PORT" \
            MANAGEMENT_PORT="$PLAZA_RABBITMQ_MANAGEMENT_PORT" TLS_PORT="$PLAZA_RABBITMQ_TLS_PORT" \
            CERTIFICATES="${CA_FILE%/*}" USER="$LOCAL_USER" PASSWORD="$LOCAL_PASSWORD"
        cp "$INFRA/rabbitmq/enabled_plugins" "$LOCAL/config/rabbitmq-plugins"
        rabbitmq_environment
        spawn rabbitmq env "${RABBITMQ_ENVIRONMENT[@]}" "$script"
    fi
    wait_ready rabbitmq 90 rabbitmq_answers || return 1
    touch "$home/.initialised"
    # What was started is a shell that waits for Erlang's machine: the record names the machine, and keeps the session.
    pid=$(cat "$home/pid") || return 0
    session=$(field rabbitmq session)
    if [[ -n $pid && $pid != $(field rabbitmq pid) ]]; then
        record rabbitmq "$pid" "$session" "$(field rabbitmq session_start)"
    fi
}

stop_rabbitmq() {
    stop_process rabbitmq TERM 30
    # epmd outlives its nodes. It is ours alone: it has its own port.
    if command -v epmd >/dev/null && answers "$PLAZA_EPMD_PORT"; then
        ERL_EPMD_PORT=$PLAZA_EPMD_PORT epmd -kill >/dev/null 2>&1 || true
    fi
}
