# shellcheck shell=bash
# Keys of the simulated cluster: made once, for loopback only.

signed() { # NAME CA SUBJECT [SUBJECT-ALTERNATIVE-NAMES]
    local extensions="basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth"
    [[ -n ${4:-} ]] && extensions+="
subjectAltName=$4"
    openssl req -newkey rsa:2048 -nodes -keyout "$PKI/$1.key" -subj "$3" -out "$PKI/$1.csr" 2>/dev/null
    openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/$2.crt" -CAkey "$PKI/$2.key" -CAcreateserial -days 3650 \
        -extfile <(printf '%s\n' "$extensions") -out "$PKI/$1.crt" 2>/dev/null
}

make_pki() {
    [[ -e $PKI/.complete ]] && return
    rm -rf "$PKI"
    (
        umask 077
        mkdir -p "$PKI"
        local ca
        for ca in ca front-proxy-ca; do
            openssl req -x509 -newkey rsa:2048 -nodes -keyout "$PKI/$ca.key" -out "$PKI/$ca.crt" -days 3650 -subj "/CN=$ca" 2>/dev/null
        done
        signed apiserver ca /CN=kube-apiserver IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
        signed admin ca /O=system:masters/CN=admin
        signed kubelet ca /CN=kubelet IP:127.0.0.1,DNS:localhost
        signed front-proxy front-proxy-ca /CN=front-proxy
        openssl genrsa -out "$PKI/service-account.key" 2048 2>/dev/null
        : >"$PKI/.complete"
    )
}

make_kubeconfig() {
    (
        umask 077
        cat >"$KUBECONFIG" <<END
apiVersion: v1
kind: Config
clusters: [{ name: sim, cluster: { server: "https://127.0.0.1:$(port_of apiserver)", certificate-authority: "$PKI/ca.crt" } }]
users: [{ name: admin, user: { client-certificate: "$PKI/admin.crt", client-key: "$PKI/admin.key" } }]
contexts: [{ name: sim, context: { cluster: sim, user: admin, namespace: plaza } }]
current-context: sim
END
    )
}
