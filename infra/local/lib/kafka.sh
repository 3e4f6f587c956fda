# shellcheck shell=bash

# Whether the jars in a folder are those of infra/kafka/SHA256SUMS, all of them and no other: what is fetched is run. After a change of pom.xml the file is
# written anew, in a folder of jars that one trusts: sha256sum -- *.jar >infra/kafka/SHA256SUMS
kafka_jars_are_known() { # FOLDER
    local sums=$INFRA/kafka/SHA256SUMS
    (cd "$1" && sha256sum --check --strict --quiet "$sums") &&
        diff <(find "$1" -name '*.jar' -printf '%f\n' | sort) <(sed 's/^[^ ]*  //' "$sums" | sort)
}

kafka_started() { logged kafka 'Kafka Server started' && answers "$PLAZA_KAFKA_PORT"; }

start_kafka() {
    local home=$LOCAL/kafka properties=$LOCAL/config/kafka.properties id
    local advertised=()
    local java=(java -cp "$LOCAL/kafka/libs/*" -Dlog4j2.configurationFile="$INFRA/kafka/log4j2.xml")
    if ! is_running kafka; then
        need java
        [[ -e $home/libs/.complete ]] || { warn "error: kafka: its jars are not there: run infra/local/install"; return 1; }
        kill_leftovers kafka
        require_free_ports kafka || return 1
        render "$INFRA/kafka/server.properties" "$properties" PORT="$PLAZA_KAFKA_PORT" \
            CONTROLLER_PORT="$PLAZA_KAFKA_CONTROLLER_PORT" TLS_PORT="$PLAZA_KAFKA_TLS_PORT" \
            CERTIFICATES="${CA_FILE%/*}" DATA="$home/data"
        # Clients go where the broker says that it is.
        [[ -z ${PLAZA_PROXY_SHIFT:-} ]] || advertised=(--override
            "advertised.listeners=PLAINTEXT://127.0.0.1:$(client_port_of kafka),SASL_SSL://127.0.0.1:$PLAZA_KAFKA_TLS_PORT")
        if [[ ! -e $home/.initialised ]]; then
            rm -rf "$home/data"
            if ! id=$("${java[@]}" kafka.tools.StorageTool random-uuid 2>>"$LOG/kafka") ||
                ! "${java[@]}" kafka.tools.StorageTool format -t "$id" -c "$properties" >>"$LOG/kafka" 2>&1; then
                failed kafka "formatting its storage failed"
                return 1
            fi
            touch "$home/.initialised"
        fi
        spawn kafka "${java[@]}" -Xms128m -Xmx384m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
            -Djava.awt.headless=true kafka.Kafka "$properties" "${advertised[@]}"
    fi
    wait_ready kafka 90 kafka_started || return 1
    # Whoever comes over TLS says who they are.
    if [[ ! -e $home/data/.user ]]; then
        (umask 077 && printf 'SCRAM-SHA-512=password=%s\n' "$LOCAL_PASSWORD" >"$LOCAL/config/kafka-user.properties")
        if ! "${java[@]}" kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$PLAZA_KAFKA_PORT" --alter \
            --add-config-file "$LOCAL/config/kafka-user.properties" --entity-type users --entity-name "$LOCAL_USER" >>"$LOG/kafka" 2>&1; then
            failed kafka "making its user failed"
            return 1
        fi
        touch "$home/data/.user"
    fi
}

stop_kafka() { stop_process kafka TERM 30; }
