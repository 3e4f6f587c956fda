# shellcheck shell=bash
# Prometheus, for whoever wants graphs of the local system: optional, started by name only.

start_prometheus() {
    if ! is_running prometheus; then
        need prometheus
        kill_leftovers prometheus
        require_free_ports prometheus || return 1
        mkdir -p "$LOCAL/prometheus" "$LOCAL/config/prometheus"
        cp "$INFRA/prometheus/prometheus.yml" "$INFRA/prometheus/rules.yml" "$LOCAL/config/prometheus/"
        local name
        for name in "${ROLE_NAMES[@]}" supervisor; do
            say "- targets: [\"127.0.0.1:$(admin_port_of "$name")\"]"
            say "  labels: { role: $(role_of "$name"), name: $name }"
        done >"$LOCAL/config/prometheus/targets.yml"
        spawn prometheus prometheus --config.file="$LOCAL/config/prometheus/prometheus.yml" --storage.tsdb.path="$LOCAL/prometheus" \
            --storage.tsdb.retention.time=7d --web.listen-address="127.0.0.1:$PLAZA_PROMETHEUS_PORT"
    fi
    wait_ready prometheus 30 prometheus_answers
}

prometheus_answers() { curl -sf -m 2 -o /dev/null "http://127.0.0.1:$PLAZA_PROMETHEUS_PORT/-/ready"; }

stop_prometheus() { stop_process prometheus TERM 20; }
