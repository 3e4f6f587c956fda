# shellcheck shell=bash
# What the front end and the JavaScript client are checked and built with.

# In their folder: fetched, unless it is there and as new as its lock file.
web_modules() {
    local installed=node_modules/.package-lock.json
    [[ ! -e $installed || package-lock.json -nt $installed ]] || return 0
    say "fetching the packages of ${PWD#"$ROOT"/}"
    # What the lock file names, by its checksums, and nothing else: a lock file that does not fit package.json is an error.
    npm ci --no-audit --no-fund </dev/null >"$LOG/web" 2>&1 || {
        tail -n 10 "$LOG/web" >&2
        die "npm ci failed: see $LOG/web"
    }
    touch "$installed"
}

# Whether the last fetch failed because of the registry (not reached, or without a package), not because of us.
web_registry_failed() {
    grep -Eq 'npm (ERR!|error) code (E404|ETARGET|E5[0-9]{2}|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ECONN[A-Z]+|ERR_SOCKET_TIMEOUT)' "$LOG/web"
}
