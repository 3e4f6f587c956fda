# shellcheck shell=bash
# What is set here is read by those that source it.
# shellcheck disable=SC2034
# Where things are, what they are called, and how the scripts speak. Sourced by every verb.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
# A second system of this clone (the chaos harness has one) keeps its data, its record of processes and its ports in a folder of its own.
LOCAL=${PLAZA_LOCAL:-$ROOT/.local}
RUN=$LOCAL/run
LOG=$LOCAL/log
INFRA=$ROOT/infra
# Debian keeps nginx and friends in sbin, which an ordinary user's PATH may lack.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
# The scripts read what programs print.
export LC_ALL=C

# A clone that was started on shifted ports stays on them: status, down and the next up need not be told again.
if [[ -z ${PLAZA_PORT_SHIFT:-} && -s $LOCAL/port-shift ]]; then
    PLAZA_PORT_SHIFT=$(<"$LOCAL/port-shift")
fi
# shellcheck source=infra/local/ports.env
source "$INFRA/local/ports.env"

SHARDS=4
# Of every server here. Loopback is every user's of the machine, so the password is this clone's own, made at its first start (make_folders). A
# clone whose data is older keeps the one that all clones had, and a Redis without, until `make reset`.
LOCAL_USER=plaza
LOCAL_PASSWORD_FILE=$LOCAL/config/password

# Of PostgreSQL's superuser, which only these scripts are. A clone whose data is older has one user, who is it.
SUPERUSER_PASSWORD_FILE=$LOCAL/config/superuser-password
read_passwords() {
    LOCAL_PASSWORD=plaza-local
    if [[ -r $LOCAL_PASSWORD_FILE ]]; then LOCAL_PASSWORD=$(<"$LOCAL_PASSWORD_FILE"); fi
    SUPERUSER=$LOCAL_USER
    SUPERUSER_PASSWORD=$LOCAL_PASSWORD
    if [[ -r $SUPERUSER_PASSWORD_FILE ]]; then
        SUPERUSER=postgres
        SUPERUSER_PASSWORD=$(<"$SUPERUSER_PASSWORD_FILE")
    fi
}
read_passwords

POSTGRES_NAMES=()
for ((shard = 0; shard < SHARDS; shard++)); do
    POSTGRES_NAMES+=("shard-$shard-primary" "shard-$shard-replica-1" "shard-$shard-replica-2")
done
SERVER_NAMES=("${POSTGRES_NAMES[@]}" redis rabbitmq kafka nginx)
# As PostgreSQL knows them: plaza_server ..
PLAZA_ROLES=(server worker relay projector)
ROLE_NAMES=(worker relay projector server-1 server-2)
ALL_NAMES=("${SERVER_NAMES[@]}" "${ROLE_NAMES[@]}")
# A second process of a role, which stands by or shares the work.
STANDBY_NAMES=(worker-2 relay-2 projector-2)
# Started by name, the supervisor also with the roles; stopped with everything. A system that is to be broken on purpose has none.
EXTRA_NAMES=(prometheus supervisor "${STANDBY_NAMES[@]}")

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The kind of a name, as written to `role=` in its run file.
role_of() {
    case $1 in
        shard-*-primary) say postgres-primary ;;
        shard-*-replica-*) say postgres-replica ;;
        server-* | worker-* | relay-* | projector-*) say "${1%-*}" ;;
        *) say "$1" ;;
    esac
}

port_of() {
    local shard
    case $1 in
        shard-*)
            shard=${1#shard-}
            shard=${shard%%-*}
            local base=$((PLAZA_POSTGRES_BASE_PORT + 10 * shard))
            case $1 in
                *-primary) say $base ;;
                *) say $((base + ${1##*-})) ;;
            esac
            ;;
        redis) say "$PLAZA_REDIS_PORT" ;;
        rabbitmq) say "$PLAZA_RABBITMQ_PORT" ;;
        kafka) say "$PLAZA_KAFKA_PORT" ;;
        nginx) say "$PLAZA_NGINX_PORT" ;;
        prometheus) say "$PLAZA_PROMETHEUS_PORT" ;;
        server-1) say "$PLAZA_SERVER_1_PORT" ;;
        server-2) say "$PLAZA_SERVER_2_PORT" ;;
        # These serve nobody but operators: their port is the admin port.
        worker* | relay* | projector* | supervisor) admin_port_of "$1" ;;
    esac
}

# Where plaza reaches a store: its port, unless proxies stand before all of them, each so much above.
client_port_of() { # NAME
    case $1 in
        rabbitmq-management) say $((PLAZA_RABBITMQ_MANAGEMENT_PORT + ${PLAZA_PROXY_SHIFT:-0})) ;;
        *) say $(($(port_of "$1") + ${PLAZA_PROXY_SHIFT:-0})) ;;
    esac
}

admin_port_of() {
    case $1 in
        server-1) say "$PLAZA_SERVER_1_ADMIN_PORT" ;;
        server-2) say "$PLAZA_SERVER_2_ADMIN_PORT" ;;
        worker) say "$PLAZA_WORKER_ADMIN_PORT" ;;
        relay) say "$PLAZA_RELAY_ADMIN_PORT" ;;
        projector) say "$PLAZA_PROJECTOR_ADMIN_PORT" ;;
        worker-2) say "$PLAZA_WORKER_2_ADMIN_PORT" ;;
        relay-2) say "$PLAZA_RELAY_2_ADMIN_PORT" ;;
        projector-2) say "$PLAZA_PROJECTOR_2_ADMIN_PORT" ;;
        supervisor) say "$PLAZA_SUPERVISOR_ADMIN_PORT" ;;
    esac
}

# Every port a name listens on: all must be free before it starts.
ports_of() {
    port_of "$1"
    case $1 in
        redis) say "$PLAZA_REDIS_TLS_PORT" ;;
        rabbitmq) say "$PLAZA_RABBITMQ_DIST_PORT $PLAZA_RABBITMQ_MANAGEMENT_PORT $PLAZA_RABBITMQ_TLS_PORT" ;;
        kafka) say "$PLAZA_KAFKA_CONTROLLER_PORT $PLAZA_KAFKA_TLS_PORT" ;;
        server-*) admin_port_of "$1" ;;
    esac
}

# Names and groups on the command line -> names, in starting order, each once.
expand_names() {
    local wanted=" " name
    (($# == 0)) && set -- all
    for name in "$@"; do
        case $name in
            all) wanted+="${ALL_NAMES[*]} supervisor " ;;
            servers) wanted+="${SERVER_NAMES[*]} " ;;
            roles) wanted+="${ROLE_NAMES[*]} supervisor " ;;
            postgres) wanted+="${POSTGRES_NAMES[*]} " ;;
            *)
                [[ " ${ALL_NAMES[*]} ${EXTRA_NAMES[*]} " == *" $name "* ]] ||
                    die "no process is called '$name'; there are: all servers roles postgres ${ALL_NAMES[*]} ${EXTRA_NAMES[*]}"
                wanted+="$name "
                ;;
        esac
    done
    for name in "${ALL_NAMES[@]}" "${EXTRA_NAMES[@]}"; do
        [[ $wanted == *" $name "* ]] && say "$name"
    done
    return 0
}

need() { # PROGRAM
    command -v "$1" >/dev/null || die "$1 is not installed: run infra/local/install"
}

# A template with @NAME@ words -> a file. Arguments after the two paths: NAME=value.
render() { # TEMPLATE TARGET NAME=VALUE..
    local text pair
    text=$(<"$1")
    local target=$2
    shift 2
    for pair in "$@"; do
        text=${text//"@${pair%%=*}@"/"${pair#*=}"}
    done
    if [[ $text =~ @[A-Z_]+@ ]]; then
        die "$target: nothing fills ${BASH_REMATCH[0]}"
    fi
    printf '%s\n' "$text" >"$target"
}

# .local holds passwords and keys, so it is for its owner; postgres, when it runs as another user, only passes through.
make_folders() {
    local name folders=()
    for name in run log config objects kafka redis rabbitmq nginx; do folders+=("$LOCAL/$name"); done
    mkdir -p "${folders[@]}"
    chmod 711 "$LOCAL"
    chmod 700 "${folders[@]}"
    if [[ ! -e $LOCAL_PASSWORD_FILE && ! -e $LOCAL/plaza.toml && ! -e $LOCAL/postgres ]]; then
        make_password "$SUPERUSER_PASSWORD_FILE"
        make_password "$LOCAL_PASSWORD_FILE"
    fi
    # Whoever made them: of two that start at once, one.
    read_passwords
}

make_password() { # FILE
    # Letters and digits, a minus and a low line: it stands in addresses.
    (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$1.$$")
    # Whole or not at all, and the first of two that start at once decides.
    ln "$1.$$" "$1" 2>/dev/null || true
    rm -f "$1.$$"
}

# Whether this clone's Redis asks for the password: see above.
redis_has_password() { [[ -e $LOCAL_PASSWORD_FILE ]]; }

# One up or down at a time. Children must not inherit the lock: see spawn.
take_lock() {
    make_folders
    exec 9>"$LOCAL/lock"
    if ! flock -n 9; then
        warn "another infra/local command is at work here; waiting for it"
        flock -w 300 9 || die "gave up after 5 minutes: something holds $LOCAL/lock"
    fi
}
