# shellcheck shell=bash

start_nginx() {
    local user='# user: whoever started it'
    if ! is_running nginx; then
        need nginx
        kill_leftovers nginx
        require_free_ports nginx || return 1
        mkdir -p "$LOCAL/nginx"
        # Started by root, the workers would become nobody, who may not read a clone under /root.
        ((EUID == 0)) && user='user root;'
        # Everybody here comes from one address, load generators too: as much as nginx can count.
        render "$INFRA/nginx/nginx.conf" "$LOCAL/config/nginx.conf" DATA="$LOCAL/nginx" USER_LINE="$user" \
            LISTEN="127.0.0.1:$PLAZA_NGINX_PORT" SERVER_A="127.0.0.1:$PLAZA_SERVER_1_PORT" SERVER_B="127.0.0.1:$PLAZA_SERVER_2_PORT" \
            REQUESTS_PER_ADDRESS=20000 SOCKETS_PER_ADDRESS=65535 UPLOADS_PER_ADDRESS=64
        spawn nginx nginx -p "$LOCAL/nginx" -e stderr -c "$LOCAL/config/nginx.conf"
    fi
    wait_ready nginx 10 answers "$PLAZA_NGINX_PORT"
}

# nginx passes by a server for a while after it was away: for whoever asks first that would be a 502.
await_servers_behind_nginx() {
    local in_a_row=0 deadline=$((SECONDS + 15))
    while ((in_a_row < 10)); do
        if curl -fs -o /dev/null -m 2 "http://127.0.0.1:$PLAZA_NGINX_PORT/readyz"; then
            in_a_row=$((in_a_row + 1))
        else
            in_a_row=0
            ((SECONDS < deadline)) || die "nginx is up, and no server behind it is ready: infra/local/logs nginx"
            sleep 0.2
        fi
    done
}

stop_nginx() { stop_process nginx QUIT 5; }
