#!/usr/bin/env bash
# A made network on one machine: a switch, a scanner and as many devices as are asked for.
#
# Everything lives in one fresh set of namespaces (network, mount, PID, and user when not root), so
# the host's own network is not touched and no file is left: the first process of the PID namespace
# ends, the kernel ends the rest with it. Who holds whom:
#
#   lab.sh (outer) --pdeathsig--> unshare --kill-child--> lab.sh inside (PID 1) --> snmpd …, CMD
#
# A device is a network namespace h1, h2, … with its own hardware address, joined to the bridge of
# the namespace `switch` by a port that bears the device's name. The scanner is the outermost network
# namespace of the lab, with the interface lab0.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

readonly LAB=/run/pdsno-lab   # exists only inside a lab: /run is a tmpfs of its own there
readonly SCANNER_MAC=02:1a:b0:00:00:fa
readonly MOST_HOSTS=1000      # a Linux bridge has 1,024 ports

usage() {
    cat <<'USAGE'
lab.sh - a made network on one machine, gone when its command ends

  lab.sh run  [OPTIONS] [-- CMD...]   build it, run CMD (or a shell) in the scanner, take it down; exits as CMD did
  lab.sh hold [OPTIONS]               build it, print "ready PID", take it down when stdin closes
  lab.sh enter PID CMD...             run CMD in the scanner of a lab that is held

  --hosts N        devices in all (12)
  --snmp N         of these, with an SNMP v2c agent: the first N (5)
  --silent N       of these, answering nothing but ARP: the last N (2)
  --community C:N  the last N agents take community C instead of public
  --subnet CIDR    their subnet (10.0.1.0/24); the scanner has its address 250, or the last one
  --routed CIDR:N  a second subnet with N devices, the first of them with an agent, behind the router `gw`: it has the
                   first address there and address 251 here, or the last but one, and an agent of its own

Inside a lab:
  lab.sh truth                          every device as the kernel has it, as JSON
  lab.sh unplug HOST | plug HOST        its switch port down or up
  lab.sh add HOST KIND [ADDRESS] [MAC]  KIND: plain, silent, snmp, snmp:COMMUNITY; HOST: h<number>
  lab.sh remove HOST
  lab.sh readdress HOST ADDRESS         another address on the same interface
  lab.sh alias HOST ADDRESS             one more address on the same interface
  lab.sh snmp-stop HOST | snmp-start HOST
  lab.sh exec HOST CMD...               run CMD on the device, or on gw; devices behind it are r1, r2, …

Exit codes: 1 a step failed, 2 bad usage, 3 this machine permits no namespaces, 4 a tool is missing.
USAGE
}

fail() { # CODE TEXT
    printf 'lab: %s\n' "$2" >&2
    exit "$1"
}

here=${BASH_SOURCE[0]%/*}
# shellcheck source=tests/lab/namespaces.sh
source "$here/namespaces.sh"
# shellcheck source=tests/lab/devices.sh
source "$here/devices.sh"
# shellcheck source=tests/lab/verbs.sh
source "$here/verbs.sh"

read_options() {
    HOSTS=12 SNMP=5 SILENT=2 SUBNET=10.0.1.0/24 ROUTED='' BEHIND=0 COMMUNITIES=() CMD=()
    while (($#)); do
        case $1 in
            --) CMD=("${@:2}"); break ;;
            --hosts | --snmp | --silent)
                [[ ${2-} =~ ^[0-9]{1,5}$ ]] || fail 2 "$1 needs a number, not '${2-}'"
                local name=${1#--}
                printf -v "${name^^}" '%d' "$((10#$2))"
                shift 2 ;;
            --subnet) SUBNET=${2-}; shift 2 || fail 2 "--subnet needs a value" ;;
            --routed)
                [[ ${2-} =~ ^([0-9.]+/[0-9]+):([0-9]{1,3})$ ]] || fail 2 "--routed needs CIDR:COUNT, not '${2-}'"
                ROUTED=${BASH_REMATCH[1]} BEHIND=$((10#${BASH_REMATCH[2]}))
                shift 2 ;;
            --community)
                [[ ${2-} =~ ^[A-Za-z0-9_-]+:[0-9]{1,5}$ ]] || fail 2 "--community needs NAME:COUNT, not '${2-}'"
                COMMUNITIES+=("$2")
                shift 2 ;;
            *) fail 2 "unknown option '$1'; see lab.sh help" ;;
        esac
    done
    if [[ -n $ROUTED ]]; then
        read_subnet "$ROUTED"
        ((BEHIND >= 1 && BEHIND <= LAST - BASE - 2)) || fail 2 "$ROUTED has no room for $BEHIND hosts and the router"
    fi
    read_subnet "$SUBNET"
    ((HOSTS >= 1 && HOSTS <= MOST_HOSTS)) || fail 2 "--hosts $HOSTS is not between 1 and $MOST_HOSTS"
    ((HOSTS <= LAST - BASE - 2 - (BEHIND > 0))) || fail 2 "$SUBNET has no room for $HOSTS hosts and the scanner"
    ((SNMP + SILENT <= HOSTS)) || fail 2 "--snmp $SNMP and --silent $SILENT are more than --hosts $HOSTS"
}

need_tools() {
    local tool missing=() packages=()
    for tool in ip:iproute2 bridge:iproute2 unshare:util-linux nsenter:util-linux setpriv:util-linux snmpd:snmpd; do
        command -v "${tool%%:*}" >/dev/null && continue
        missing+=("${tool%%:*}")
        [[ " ${packages[*]-} " == *" ${tool#*:} "* ]] || packages+=("${tool#*:}")
    done
    ((${#missing[@]} == 0)) || fail 4 "not installed: ${missing[*]}; apt-get install ${packages[*]}"
}

plan_hosts() { # -> lines for make_hosts
    local number kind rest=$((SNMP)) community from=()
    for community in "${COMMUNITIES[@]}"; do
        for ((number = 0; number < ${community#*:} && rest > 0; number++)); do
            from[rest--]=:${community%%:*}
        done
    done
    for ((number = 1; number <= HOSTS; number++)); do
        kind=plain
        ((number > SNMP)) || kind=snmp${from[number]-}
        ((number <= HOSTS - SILENT)) || kind=silent
        echo "h$number $kind $(number_address $((BASE + $(host_offset "$number")))) $(default_mac "$number" "$kind")"
    done
}

inside() { # run|hold OPTIONS…
    local form=$1 pid
    shift
    trap 'exit 130' INT
    read_options "$@"
    read -r pid _ </proc/self/stat # /proc is still the outer one: our number there
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755 pdsno-lab /run
    # Without it /sys/class/net shows the outer interfaces; a container may forbid it, and nothing here needs it.
    mount -t sysfs sysfs /sys 2>/dev/null || true
    mkdir -p /run/netns "$LAB/hosts"
    echo "$SUBNET" >"$LAB/subnet"
    build_switch
    make_hosts < <(plan_hosts)
    [[ -z $ROUTED ]] || build_router
    await_forwarding lab0
    trap : INT
    if [[ $form == hold ]]; then
        echo "ready $pid"
        cat >/dev/null
    elif ((${#CMD[@]})); then
        local code=0
        "${CMD[@]}" || code=$?
        exit "$code"
    else
        echo "lab: $HOSTS devices on $SUBNET, $SNMP with an agent, $SILENT silent; 'exit' takes it down, 'tests/lab/lab.sh help' tells the verbs" >&2
        PS1='lab \w \$ ' bash --norc --noprofile -i || true
    fi
}

enter() { # PID CMD…
    local user=()
    [[ $# -gt 1 && $1 =~ ^[0-9]+$ ]] || fail 2 "'enter' needs the process id that 'hold' printed, and a command"
    [[ -e /proc/$1/ns/net ]] || fail 2 "no lab is held by process $1"
    [[ /proc/$1/ns/user -ef /proc/self/ns/user ]] || user=(--user --preserve-credentials)
    # nsenter waits for its child; should it be killed, the child goes with it.
    exec nsenter --target "$1" "${user[@]}" --mount --net --pid --wdns="$PWD" setpriv --pdeathsig KILL "${@:2}"
}

verb=${1-help}
shift || true
case $verb in
    run | hold) read_options "$@"; need_tools; hold_namespaces "$verb" "$@" ;;
    inside) inside "$@" ;;
    enter) enter "$@" ;;
    help | --help | -h) usage ;;
    truth | unplug | plug | add | remove | readdress | alias | snmp-stop | snmp-start | exec) need_lab; "verb_$verb" "$@" ;;
    *) fail 2 "unknown verb '$verb'; see lab.sh help" ;;
esac
