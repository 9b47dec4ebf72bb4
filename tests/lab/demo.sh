#!/usr/bin/env bash
# The main job on a made network: two discovery cycles of the daemon, and what changed between them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

readonly SUBNET=10.0.1.0/24 DATA=/run/demo # /run is the lab's own
readonly LOG=$DATA/daemon.log NIB=$DATA/nib

if [[ ${1-} != inside ]]; then
    cd "$here/../.."
    cargo build --bin pdsno
    binary=$(realpath "${CARGO_TARGET_DIR:-target}/debug/pdsno")
    exec "$here/lab.sh" run --hosts 12 --snmp 5 --silent 2 --subnet "$SUBNET" -- "$here/demo.sh" inside "$binary"
fi
readonly PDSNO=$2
daemon=

title() { printf '\n== %s\n' "$*"; }

give_up() { # TEXT
    printf 'demo: %s; the end of its log:\n' "$1" >&2
    tail -n 20 "$LOG" >&2
    exit 1
}

# Waits until a command succeeds, as long as the daemon lives.
await() { # WHAT CMD…
    local deadline=$((SECONDS + 20))
    until "${@:2}"; do
        kill -0 "$daemon" 2>/dev/null || give_up "the daemon ended before $1"
        ((SECONDS < deadline)) || give_up "the daemon did not reach in 20 s: $1"
        sleep 0.1
    done
}

is_ready() { curl -fs -o "$DATA/ready" http://127.0.0.1:8080/readyz; }

cycles() { # completed so far
    "$PDSNO" events --type DISCOVERY_CYCLE_COMPLETED --format json --data-dir "$NIB" | wc -l
}

has_cycles() { (($(cycles) >= $1)); } # NUMBER

mkdir -p "$DATA"
title "A daemon discovers $SUBNET: 12 devices, 5 with an SNMP agent, 2 that answer ARP only"
# So that one missed cycle is shown as a change; three is what policy says by default.
PDSNO_POLICY__MISSED_CYCLES_BEFORE_INACTIVE=1 \
    "$PDSNO" --role local --subnets "$SUBNET" --data-dir "$NIB" >"$LOG" 2>&1 &
daemon=$!
await "being ready" is_ready
await "the end of the first cycle" has_cycles 1
"$PDSNO" devices --data-dir "$NIB"

title "h3 is unplugged, h20 is new; SIGUSR1 asks for the next cycle"
changed_at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
done_before=$(cycles)
"$here/lab.sh" unplug h3
"$here/lab.sh" add h20 snmp
kill -USR1 "$daemon"
await "the end of the second cycle" has_cycles $((done_before + 1))

title "What changed"
"$PDSNO" events --since "$changed_at" --data-dir "$NIB"

title "The devices now"
"$PDSNO" devices --data-dir "$NIB"

title "SIGTERM: the daemon finishes what it does and ends"
kill -TERM "$daemon"
code=0
wait "$daemon" || code=$?
((code == 0)) || give_up "the daemon ended with $code"
echo "The daemon ended with 0; the lab and its files go with this command."
