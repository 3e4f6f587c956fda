# shellcheck shell=bash
# Loads everything, and knows which function belongs to which name.

lib=$(dirname "${BASH_SOURCE[0]}")
for part in settings postgres_bin process certificates postgres redis rabbitmq kafka nginx roles prometheus; do
    # shellcheck source=/dev/null
    source "$lib/$part.sh"
done

start_one() { # NAME
    case $(role_of "$1") in
        postgres-*) start_postgres "$1" ;;
        redis) start_redis ;;
        rabbitmq) start_rabbitmq ;;
        kafka) start_kafka ;;
        nginx) start_nginx ;;
        prometheus) start_prometheus ;;
        supervisor) start_supervisor ;;
        *) start_role "$1" ;;
    esac
}

stop_one() { # NAME
    case $(role_of "$1") in
        postgres-*) stop_postgres "$1" ;;
        redis) stop_redis ;;
        rabbitmq) stop_rabbitmq ;;
        kafka) stop_kafka ;;
        nginx) stop_nginx ;;
        prometheus) stop_prometheus ;;
        *) stop_role "$1" ;;
    esac
}

answers_one() { # NAME
    case $(role_of "$1") in
        postgres-*) timeout 3 "$POSTGRES_BIN/pg_isready" -q -t 2 -h 127.0.0.1 -p "$(port_of "$1")" ;;
        redis) redis_answers ;;
        prometheus) prometheus_answers ;;
        rabbitmq | kafka | nginx) answers "$(port_of "$1")" ;;
        *) role_is_ready "$1" ;;
    esac
}

# Wait for background jobs; fails when one of them failed.
wait_all() { # PID..
    local pid result=0
    for pid in "$@"; do
        wait "$pid" || result=1
    done
    return $result
}
