# shellcheck shell=bash
# shellcheck disable=SC2154 # verb is set by lab.sh
# What can be asked of a lab that runs; sourced by lab.sh, which knows the verb.

need_lab() {
    [[ -d $LAB/hosts ]] || fail 2 "'$verb' works inside a lab only; start one with: lab.sh run"
    read_subnet "$(<"$LAB/subnet")"
}

need_host() { # HOST
    [[ -n ${1-} ]] || fail 2 "'$verb' needs the name of a host"
    [[ -d $LAB/hosts/$1 ]] || fail 2 "there is no host '$1'"
}

need_free_address() { # ADDRESS
    local number host
    number=$(address_number "$1")
    ((number > BASE && number < LAST)) || fail 2 "$1 is not a host address of $(<"$LAB/subnet")"
    ((number != BASE + SCANNER)) || fail 2 "$1 is the scanner's address"
    for host in $(host_names); do
        [[ " $(addresses_of "$host") " != *" $1 "* ]] || fail 2 "$1 is an address of $host"
    done
}

host_names() { find "$LAB/hosts" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V; }

addresses_of() { # HOST -> in one line
    local line words found=()
    while read -r line; do
        read -ra words <<<"$line"
        found+=("${words[3]%/*}")
    done < <(ip -n "$1" -o -4 address show dev eth0)
    echo "${found[*]-}"
}

verb_add() { # HOST KIND [ADDRESS] [MAC]
    local host=${1-} kind=${2-} number address mac
    [[ $host =~ ^h[1-9][0-9]{0,3}$ ]] || fail 2 "'$host' is not a name for a host; take h<number>"
    [[ ! -d $LAB/hosts/$host ]] || fail 2 "there is a host '$host' already"
    [[ $kind =~ ^(plain|silent|snmp|snmp:[A-Za-z0-9_-]+)$ ]] || fail 2 "'$kind' is not a kind; take plain, silent, snmp or snmp:COMMUNITY"
    number=${host#h}
    address=${3:-$(number_address $((BASE + $(host_offset "$number"))))}
    mac=${4:-$(default_mac "$number" "$kind")}
    [[ $mac =~ ^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$ ]] || fail 2 "'$mac' is not the MAC address of one device, as 02:00:00:00:00:01"
    need_free_address "$address"
    make_hosts <<<"$host $kind $address $mac"
}

verb_remove() { # HOST
    need_host "$@"
    stop_agent "$1"
    # The port first: a namespace ends later, when the kernel gets to it.
    ip -n switch link del "$1"
    ip netns del "$1"
    rm -r "${LAB:?}/hosts/$1"
}

verb_unplug() { # HOST
    need_host "$@"
    ip -n switch link set "$1" down
}

verb_plug() { # HOST
    need_host "$@"
    ip -n switch link set "$1" up
    await_forwarding "$1"
}

verb_readdress() { # HOST ADDRESS
    need_host "$@"
    need_free_address "${2-}"
    ip -n "$1" -batch - <<BATCH
address flush dev eth0
address add $2/$PREFIX brd + dev eth0
BATCH
}

verb_alias() { # HOST ADDRESS
    need_host "$@"
    need_free_address "${2-}"
    ip -n "$1" address add "$2/$PREFIX" dev eth0
}

# Also one behind the router.
need_any() { # HOST
    [[ -n ${1-} && -e /run/netns/$1 && $1 != switch ]] || need_host "$@"
}

verb_snmp-stop() { # HOST
    need_any "$@"
    stop_agent "$1"
}

verb_snmp-start() { # HOST
    need_any "$@"
    [[ -e $(folder_of "$1")/agent.conf ]] || fail 2 "$1 has no agent; its kind is $(<"$LAB/hosts/$1/kind")"
    agent_runs "$1" || start_agent "$1"
    await_agent "$1"
}

verb_exec() { # HOST CMD…
    need_any "$@"
    (($# > 1)) || fail 2 "'exec' needs a command"
    exec nsenter --net="/run/netns/$1" "${@:2}"
}

quoted() { # TEXT -> a JSON string
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

verb_truth() {
    local host separator=''
    printf '{"subnet":"%s","scanner":{"interface":"lab0","address":"%s","mac":"%s"},"hosts":[' \
        "$(<"$LAB/subnet")" "$(number_address $((BASE + SCANNER)))" "$SCANNER_MAC"
    for host in $(host_names); do
        printf '%s\n' "$separator"
        host_truth "$host"
        separator=,
    done
    printf '\n]}\n'
}

host_truth() { # HOST
    local addresses mac key value plugged=false runs=false
    read -r _ mac _ < <(ip -n "$1" link show dev eth0 | sed -n 2p)
    addresses=$(addresses_of "$1")
    [[ $(ip -n switch link show dev "$1") != *'<'*,UP* ]] || plugged=true
    printf '{"name":"%s","kind":"%s","mac":"%s","addresses":["%s"],"plugged":%s,"snmp":' \
        "$1" "$(<"$LAB/hosts/$1/kind")" "$mac" "${addresses// /\",\"}" "$plugged"
    if [[ ! -e $LAB/hosts/$1/agent.conf ]]; then
        printf 'null}'
        return
    fi
    ! agent_runs "$1" || runs=true
    printf '{"model":"%s","running":%s' "$(<"$LAB/hosts/$1/model")" "$runs"
    while read -r key value; do
        case $key in
            rocommunity) printf ',"community":%s' "$(quoted "$value")" ;;
            sysDescr) printf ',"sys_descr":%s' "$(quoted "$value")" ;;
            sysObjectID) printf ',"sys_object_id":%s' "$(quoted "${value#.}")" ;;
            sysName) printf ',"sys_name":%s' "$(quoted "$value")" ;;
            sysLocation) printf ',"sys_location":%s' "$(quoted "$value")" ;;
            sysServices) printf ',"sys_services":%s' "$value" ;;
        esac
    done <"$LAB/hosts/$1/agent.conf"
    printf '}}'
}
