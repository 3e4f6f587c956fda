# shellcheck shell=bash

redis_answers() {
    local password=
    if redis_has_password; then password=$LOCAL_PASSWORD; fi
    [[ $(REDISCLI_AUTH=$password timeout 2 redis-cli -h 127.0.0.1 -p "$PLAZA_REDIS_PORT" ping 2>/dev/null) == PONG ]]
}

# A twelfth of the machine's, 512 MB or more: where caches, homes and watched streams do not all fit, who watches is told late.
redis_memory() {
    awk '/^MemTotal:/ { mb = int($2 / 1024 / 12); print (mb < 512 ? 512 : mb) "mb" }' /proc/meminfo
}

start_redis() {
    if ! is_running redis; then
        need redis-server
        kill_leftovers redis
        require_free_ports redis || return 1
        mkdir -p "$LOCAL/redis"
        local auth='# requirepass: this clone is older'
        if redis_has_password; then auth="requirepass $LOCAL_PASSWORD"; fi
        render "$INFRA/redis/redis.conf" "$LOCAL/config/redis.conf" PORT="$PLAZA_REDIS_PORT" \
            TLS_PORT="$PLAZA_REDIS_TLS_PORT" CERTIFICATES="${CA_FILE%/*}" DATA="$LOCAL/redis" MEMORY="$(redis_memory)" AUTH="$auth"
        spawn redis redis-server "$LOCAL/config/redis.conf"
    fi
    wait_ready redis 20 redis_answers
}

stop_redis() { stop_process redis TERM 10; }
