# shellcheck shell=bash
# Processes: start one detached, know it again later, stop it; ports and who holds them; waiting.
#
# .local/run/NAME is the one record of a running process. A pid alone is not proof (after a reboot, or a day, the
# number may be someone else's), so the record also holds the start time in clock ticks since boot, and the boot.

BOOT=$(</proc/sys/kernel/random/boot_id)

# Start time of a pid, in ticks; nothing when it is gone or only waits to be reaped.
start_ticks() {
    local stat
    # Not $(<file): that ends the whole shell when the process vanishes between open and read.
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The command name may hold spaces and parentheses: read after the last one.
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [[ $1 != Z && $1 != X ]] || return 1
    printf '%s\n' "${20}"
}

record() { # NAME PID [SESSION SESSION_START]
    local ticks
    ticks=$(start_ticks "$2") || return 1
    {
        printf "name=%s\nrole=%s\nport=%s\npid=%s\nstart=%s\n" "$1" "$(role_of "$1")" "$(port_of "$1")" "$2" "$ticks"
        printf "log=%s\nboot=%s\nsession=%s\nsession_start=%s\n" "$LOG/$1" "$BOOT" "${3:-$2}" "${4:-$ticks}"
    } >"$RUN/.$1.new"
    mv "$RUN/.$1.new" "$RUN/$1"
}

field() { # NAME FIELD
    [[ -e $RUN/$1 ]] && sed -n "s/^$2=//p" "$RUN/$1"
}

pid_of() { # NAME -> pid, when that very process still runs
    local pid
    [[ -e $RUN/$1 && $(field "$1" boot) == "$BOOT" ]] || return 1
    pid=$(field "$1" pid)
    [[ -n $pid && $(start_ticks "$pid") == "$(field "$1" start)" ]] || return 1
    printf '%s\n' "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

# Closes whatever a program started from here would inherit beside input, output and errors. What bash opened for itself
# (the script that it reads, often as 255) is marked to close by itself, and is left to it.
close_descriptors() {
    local open key value flags
    for open in /proc/self/fd/*; do
        open=${open##*/}
        ((open > 2)) || continue
        flags=
        { while read -r key value; do [[ $key == flags: ]] && flags=$value; done <"/proc/self/fdinfo/$open"; } 2>/dev/null || true
        # 02000000 is O_CLOEXEC; the folder that was listed is closed by now and has no flags.
        if [[ -n $flags ]] && ((! (flags & 02000000))); then exec {open}>&-; fi
    done
}

# Start a command detached from this terminal, in its own session, logging to .local/log/NAME. It inherits no descriptor: neither the lock nor what
# whoever called this script holds.
spawn() { # NAME COMMAND..
    local name=$1 log=$LOG/$1
    shift
    if [[ -e $log && $(stat -c %s "$log") -gt 50000000 ]]; then
        mv "$log" "$log.1"
    fi
    printf -- '--- %(%F %T)T starting %s\n' -1 "$name" >>"$log"
    stat -c %s "$log" >"$RUN/.$name.offset"
    (
        cd /
        close_descriptors
        # A socket is an open file; a server holds tens of thousands.
        ulimit -n 200000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
        exec setsid "$@"
    ) </dev/null >>"$log" 2>&1 &
    # setsid execs in place (a background child leads no group), so this is the command's own pid.
    record "$name" $! || return 1
}

# What NAME has logged since its last start.
log_since_start() {
    local offset=0
    [[ -e $RUN/.$1.offset ]] && offset=$(<"$RUN/.$1.offset")
    tail -c "+$((offset + 1))" "$LOG/$1" 2>/dev/null
}

logged() { # NAME TEXT: since its last start
    grep -qF -- "$2" <(log_since_start "$1")
}

failed() { # NAME WHY: one clear line, then the last log lines
    warn "error: $1: $2; its log: $LOG/$1"
    log_since_start "$1" | tail -n 8 | sed 's/^/    | /' >&2 || true
    return 1
}

# Wait until a command succeeds. Fails at once when NAME dies, or at the deadline.
wait_ready() { # NAME SECONDS COMMAND..
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! is_running "$name"; then
            failed "$name" "ended while starting"
            return 1
        fi
        if ((SECONDS >= deadline)); then
            failed "$name" "runs (pid $(field "$name" pid)) but is not ready in time"
            return 1
        fi
        sleep 0.1
    done
}

answers() { # PORT: something accepts on it
    timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null
}

# Whether a port is bound by a listener, and the inode of that socket. From /proc: works without ss or lsof.
listener_inode() { # PORT
    local hex
    printf -v hex '%04X' "$1"
    awk -v hex="$hex" '$4 == "0A" { n = split($2, a, ":"); if (a[n] == hex) { print $10; exit } }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

describe_holder() { # INODE
    local link pid
    link=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$1\]" -print -quit 2>/dev/null) || true
    pid=${link#/proc/}
    pid=${pid%%/*}
    if [[ -n $pid ]]; then
        say "pid $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-80 | sed 's/ *$//'))"
    else
        say "a process of another user"
    fi
}

require_free_ports() { # NAME
    local port inode
    for port in $(ports_of "$1"); do
        inode=$(listener_inode "$port")
        [[ -z $inode ]] && continue
        warn "error: $1: port $port is taken by $(describe_holder "$inode"); stop it, or choose another port (infra/local/ports.env)"
        return 1
    done
}

# A server killed by -9 may leave children that hold its port or its files. Each server was started in a session of
# its own: whatever is left of that session, once its leader is gone, goes too.
kill_leftovers() { # NAME, which is not running
    local session leader stat fields
    session=$(field "$1" session) || return 0
    [[ -n $session && $(field "$1" boot) == "$BOOT" ]] || return 0
    leader=$(start_ticks "$session") || leader=
    # Someone new took the number: that session is not ours.
    [[ -z $leader || $leader == "$(field "$1" session_start)" ]] || return 0
    for stat in /proc/[0-9]*/stat; do
        { read -r fields <"$stat"; } 2>/dev/null || continue
        # After the command name: state, parent, group, session.
        if [[ ${fields##*) } =~ ^[A-Z]\ [0-9]+\ [0-9]+\ $session\  ]]; then
            kill -KILL "${fields%% *}" 2>/dev/null || true
        fi
    done
}

stop_process() { # NAME SIGNAL SECONDS
    local name=$1 pid deadline=$((SECONDS + $3))
    if pid=$(pid_of "$name"); then
        kill "-$2" "$pid" 2>/dev/null || true
        while is_running "$name"; do
            if ((SECONDS >= deadline)); then
                warn "$name did not stop within $3 s: killed"
                kill -KILL "$pid" 2>/dev/null || true
                sleep 0.2
                break
            fi
            sleep 0.05
        done
    fi
    kill_leftovers "$name"
    rm -f "$RUN/$name" "$RUN/.$name.offset"
}

elapsed() { # SINCE ($EPOCHREALTIME) -> seconds with one decimal
    local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
