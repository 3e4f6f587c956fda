# shellcheck shell=bash
# What is set here is read by those that source it.
# shellcheck disable=SC2034
# Where the simulated cluster is and what it is called; processes are kept as infra/local keeps its own.

# shellcheck source=infra/local/lib/settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../local/lib/settings.sh"
# shellcheck source=infra/local/lib/process.sh
source "$INFRA/local/lib/process.sh"

SIM=$LOCAL/k8s-sim
BIN=$SIM/bin
PKI=$SIM/pki
RUN=$SIM/run
LOG=$SIM/log
export KUBECONFIG=$SIM/kubeconfig

KWOK_VERSION=v0.7.0
METRICS_SERVER_VERSION=v0.9.0

SIM_NAMES=(etcd apiserver controller-manager scheduler proxy kwok metrics-server prometheus adapter)
: "${PLAZA_K8S_SIM_BASE_PORT:=$((26000 + PLAZA_PORT_SHIFT))}"

port_of() {
    local number=$PLAZA_K8S_SIM_BASE_PORT name
    for name in "${SIM_NAMES[@]}"; do
        if [[ $name == "$1" ]]; then
            say "$number"
            return
        fi
        ((number += 1))
    done
}
ETCD_PEER_PORT=$((PLAZA_K8S_SIM_BASE_PORT + 20))
ports_of() {
    port_of "$1"
    [[ $1 == etcd ]] && say "$ETCD_PEER_PORT"
    return 0
}

kubectl() { "$BIN/kubectl" "$@"; }

# The folder of a Go module, which is fetched when it is not there.
module_folder() { # MODULE@VERSION
    (cd "$SIM" && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p'
}
