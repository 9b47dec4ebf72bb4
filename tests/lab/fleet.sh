#!/usr/bin/env bash
# A command in front of a simulated fleet: up to 65,534 devices behind the TAP interface lab0.
#
# As with lab.sh, everything lives in one fresh set of namespaces and ends with the command. The
# simulator is the example `fleet`; it is not built here: cargo build --release --example fleet
#
#   fleet.sh (outer) --pdeathsig--> unshare --kill-child--> fleet.sh inside (PID 1) --> fleet run, CMD
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

readonly SCANNER_MAC=02:1a:b0:00:00:fa

usage() {
    cat <<'USAGE'
fleet.sh - a command in front of a simulated fleet, gone when the command ends

  fleet.sh [OPTIONS] -- CMD...    run CMD where lab0 leads to the fleet; exits as CMD did

  --prefix CIDR     its addresses, a /16 to a /29 (10.1.0.0/16); the scanner has the 250th, or the last
  --counters FILE   write what came and went to FILE, as JSON
  OPTIONS           all others are those of `fleet run`; `fleet run --help` tells them

Users of SNMP v3 are in a file: --snmp-users FILE, or $FLEET_SNMP_USERS.
The simulator is $FLEET, or target/release/examples/fleet, or target/debug/examples/fleet, which is slow.
Exit codes: as CMD, or 1 a step failed, 2 bad usage, 3 this machine permits no namespaces, 4 a tool is missing.
USAGE
}

fail() { # CODE TEXT
    printf 'fleet: %s\n' "$2" >&2
    exit "$1"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lab/namespaces.sh
source "$here/namespaces.sh"
# shellcheck source=tests/lab/devices.sh
source "$here/devices.sh"

find_simulator() {
    local target=${CARGO_TARGET_DIR:-$here/../../target}
    [[ -z ${FLEET-} ]] || return 0
    for FLEET in "$target"/{release,debug}/examples/fleet; do
        [[ ! -x $FLEET ]] || return 0
    done
    fail 4 "the simulator is not built: cargo build --release --example fleet"
}

read_options() {
    SUBNET=10.1.0.0/16 COUNTERS=/dev/null OPTIONS=() CMD=()
    while (($#)); do
        case $1 in
            --) CMD=("${@:2}"); break ;;
            --counters) COUNTERS=${2-}; shift 2 || fail 2 "--counters needs a file" ;;
            --prefix) SUBNET=${2-}; OPTIONS+=("${@:1:2}"); shift 2 || fail 2 "--prefix needs a value" ;;
            --tap | --scanner) fail 2 "$1 is set here" ;;
            *) OPTIONS+=("$1"); shift ;;
        esac
    done
    ((${#CMD[@]})) || fail 2 "there is no command; see fleet.sh help"
    read_subnet "$SUBNET"
}

inside() { # OPTIONS… -- CMD…
    local said counters='' code=0 length
    read_options "$@"
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755 pdsno-fleet /run
    mount -t sysfs sysfs /sys 2>/dev/null || true
    sh -c "$IPV6_OFF"
    # The simulator ends when its standard input does; the first line that it prints is that it is ready.
    coproc SIMULATOR { exec "$FLEET" run "${OPTIONS[@]}" --tap lab0; }
    local process=$SIMULATOR_PID from=${SIMULATOR[0]} to=${SIMULATOR[1]}
    read -r said <&"$from" && [[ $said == ready ]] || fail 1 "the simulator did not start"
    length=${SUBNET#*/}
    # Longer than a sweep of all addresses: what is lost the simulator shall have been told to lose.
    ip -batch - <<BATCH
link set lab0 address $SCANNER_MAC txqueuelen 100000
address add $(number_address $((BASE + SCANNER)))/$length brd + dev lab0
link set lo up
link set lab0 up
BATCH
    (exec {from}<&- {to}>&- && exec "${CMD[@]}") || code=$?
    exec {to}>&-
    read -r counters <&"$from" || true
    wait "$process" || fail 1 "the simulator ended with $?"
    echo "$counters" >"$COUNTERS"
    exit "$code"
}

case ${1-help} in
    help | --help | -h) usage ;;
    inside) inside "${@:2}" ;;
    *)
        find_simulator
        read_options "$@"
        export FLEET
        hold_namespaces "$@"
        ;;
esac
