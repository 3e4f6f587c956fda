# shellcheck shell=bash
# shellcheck disable=SC2034 # others read these
# A certificate authority of this clone's own, and one certificate for all its servers: each takes TLS beside plaintext.

CA_FILE=$LOCAL/config/tls/ca.crt
CERTIFICATE_FILE=$LOCAL/config/tls/server.crt
KEY_FILE=$LOCAL/config/tls/server.key

# Called once, before anything starts side by side. Made anew a month before they end.
prepare_certificates() {
    local folder=$LOCAL/config/tls partial=$LOCAL/config/tls.partial
    need openssl
    if openssl x509 -checkend 2592000 -noout -in "$CERTIFICATE_FILE" >/dev/null 2>&1; then return 0; fi
    rm -rf "$partial"
    (
        umask 077
        mkdir -p "$partial"
        cd "$partial"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
            -subj "/CN=plaza local authority" -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.crt
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 820 -out server.crt \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n')
        # Nobody signs a second one.
        rm ca.key server.csr
        # As Kafka reads them: one file.
        cat server.key server.crt >server.pem
    ) >"$LOG/certificates" 2>&1 || { tail -n 5 "$LOG/certificates" >&2; die "openssl failed; its log: $LOG/certificates"; }
    rm -rf "$folder"
    mv "$partial" "$folder"
}
