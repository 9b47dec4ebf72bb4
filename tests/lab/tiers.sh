#!/usr/bin/env bash
# Three tiers in one process on a made network: who let whom in, who knows what, and what can be verified.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

readonly SUBNET=10.0.1.0/24 DATA=/run/tiers # /run is the lab's own
readonly LOG=$DATA/daemon.log

if [[ ${1-} != inside ]]; then
    cd "$here/../.."
    cargo build --bin pdsno
    binary=$(realpath "${CARGO_TARGET_DIR:-target}/debug/pdsno")
    exec "$here/lab.sh" run --hosts 12 --snmp 5 --silent 2 --subnet "$SUBNET" -- "$here/tiers.sh" inside "$binary"
fi
readonly PDSNO=$2
export PDSNO_DATA_DIR=$DATA/nib
daemon=

title() { printf '\n== %s\n' "$*"; }

give_up() { # TEXT
    printf 'tiers: %s; the end of its log:\n' "$1" >&2
    tail -n 20 "$LOG" >&2
    exit 1
}

# Waits until a command succeeds, as long as the process lives.
await() { # WHAT CMD…
    local deadline=$((SECONDS + 20))
    until "${@:2}" 2>/dev/null; do
        kill -0 "$daemon" 2>/dev/null || give_up "the process ended before $1"
        ((SECONDS < deadline)) || give_up "not reached in 20 s: $1"
        sleep 0.1
    done
}

knows() { # TIER DEVICES
    (($("$PDSNO" devices --as "$1" --format csv | tail -n +2 | wc -l) >= $2))
}

end() {
    local code=0
    kill -TERM "$daemon"
    wait "$daemon" || code=$?
    ((code == 0)) || give_up "the process ended with $code"
}

mkdir -p "$DATA"
title "A Global, a Regional and a Local Controller start in one process and do not know each other"
"$PDSNO" --role all --region zone-A --subnets "$SUBNET" >"$LOG" 2>&1 &
daemon=$!
await "12 devices at the Global Controller" knows global 12

title "Who let whom in: the Global Controller the Regional one, that one the Local one"
"$PDSNO" controllers list
"$PDSNO" controllers list --as regional

title "By tokens that were made in memory, in the name of whoever runs this"
"$PDSNO" token list
"$PDSNO" events --as global --type BOOTSTRAP_TOKEN_ISSUED --type CONTROLLER_VALIDATED

title "What the Local Controller found the Global one knows"
"$PDSNO" devices

title "It ends; every controller's event log is whole, and cosigned by the tier above"
end
for tier in global regional local; do "$PDSNO" audit verify --as "$tier" | head -n 1; done

title "It starts again: everybody is who he was, and nobody asks for a token"
"$PDSNO" --role all --region zone-A --subnets "$SUBNET" >>"$LOG" 2>&1 &
daemon=$!
is_member() { "$PDSNO" status --as local --format json | grep -q VALIDATED; }
await "the Local Controller being a member" is_member
"$PDSNO" token list --as regional
"$PDSNO" status --as local
end
echo
echo "The process ended with 0; the lab and its files go with this command."
