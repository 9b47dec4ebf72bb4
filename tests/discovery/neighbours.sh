#!/usr/bin/env bash
# Devices of a lab that tell each other who they are, by lldpd, and tell others whom they know, by snmpd.
#
#   neighbours.sh cable HOST HOST            a cable between two devices, a port of the other's name at either end
#   neighbours.sh speak HOST NAME OPTION…    lldpd of these options on HOST, as NAME
#   neighbours.sh heard HOST                 waits until lldpd of HOST has heard somebody; prints JSON
#   neighbours.sh serve HOST [FILE]          snmpd of HOST as master of an lldpd that is begun later with -x, and with the
#                                            objects of FILE
#   neighbours.sh shown ADDRESS              waits until the agent there has a row of lldpRemTable
#   neighbours.sh objects FILE               what snmpd runs for that
#
# A line of FILE is `OID TYPE VALUE`, in the order of the numbers (pass_persist of snmpd.conf(5)).
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

readonly HOSTS=/run/pdsno-lab/hosts # of the lab, whose /run is its own
readonly LIMIT=20

fail() { # TEXT
    printf 'neighbours: %s\n' "$1" >&2
    exit 1
}

on() { # HOST CMD…
    nsenter --net="/run/netns/$1" "${@:2}"
}

ask() { # HOST WORD… of lldpcli
    on "$1" lldpcli -u "$HOSTS/$1/lldpd.sock" "${@:2}"
}

await() { # TEXT CMD…
    local deadline=$((SECONDS + LIMIT))
    until "${@:2}" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "$1 not in $LIMIT s"
        sleep 0.02
    done
}

cable() { # HOST HOST
    on "$1" ip link add "to-$2" type veth peer name "to-$1" netns "$2"
    on "$1" ip link set "to-$2" up
    on "$2" ip link set "to-$1" up
}

speak() { # HOST NAME OPTION…
    # The folder that it locks itself into; nothing is written there.
    mkdir -p /run/lldpd
    # Only on the cable: a switch does not pass on what is said to the next device.
    on "$1" unshare --uts sh -c 'hostname "$0"; exec setsid "$@"' "$2" \
        lldpd -d -u "$HOSTS/$1/lldpd.sock" -X "$HOSTS/$1/agentx" -I 'to-*' -O /dev/null "${@:3}" \
        </dev/null >"$HOSTS/$1/lldpd.log" 2>&1 &
    disown
    await "lldpd of $1 answers" ask "$1" show interfaces
    ask "$1" configure lldp tx-interval 1 >/dev/null
}

knows_somebody() { # HOST
    ask "$1" -f keyvalue show neighbors | grep -q 'chassis\.name='
}

heard() { # HOST
    await "$1 hears somebody" knows_somebody "$1"
    ask "$1" -f json show neighbors details
}

serve() { # HOST [FILE]
    local lab=${BASH_SOURCE[0]%/*}/../lab/lab.sh conf=$HOSTS/$1/agent.conf
    "$lab" snmp-stop "$1"
    printf 'master agentx\nagentXSocket %s\n' "$HOSTS/$1/agentx" >>"$conf"
    [[ -z ${2-} ]] || echo "pass_persist .1.3.6.1.4.1.9.9.23 $(realpath "$0") objects $2" >>"$conf"
    echo agentx,pass_persist >"$HOSTS/$1/modules"
    "$lab" snmp-start "$1"
}

has_row() { # ADDRESS
    snmpgetnext -v 2c -c public -t 1 -r 0 -On "$1" .1.0.8802.1.1.2.1.4.1.1.4 | grep -q '^\.1\.0\.8802\.1\.1\.2\.1\.4\.1\.1\.4\.'
}

shown() { # ADDRESS
    # lldpd registers its tables when it gets to it.
    await "$1 shows somebody" has_row "$1"
}

objects() { # FILE
    local question oid found line
    while read -r question; do
        case $question in
            PING) echo PONG && continue ;;
            get | getnext) read -r oid ;;
            *) echo NONE && continue ;;
        esac
        found=''
        while read -r line; do
            if [[ $question == get ]]; then
                [[ ${line%% *} == "$oid" ]] || continue
            else
                follows "${line%% *}" "$oid" || continue
            fi
            found=$line
            break
        done <"$1"
        if [[ -z $found ]]; then
            echo NONE
        else
            read -r oid question line <<<"$found"
            printf '%s\n%s\n%s\n' "$oid" "$question" "$line"
        fi
    done
}

follows() { # OID OID: whether the first comes behind the second
    local one other place
    IFS=. read -ra one <<<"${1#.}"
    IFS=. read -ra other <<<"${2#.}"
    for ((place = 0; place < ${#one[@]} && place < ${#other[@]}; place++)); do
        ((one[place] == other[place])) || return $((one[place] < other[place]))
    done
    ((${#one[@]} > ${#other[@]}))
}

verb=${1-}
shift || true
case $verb in
    cable | speak | heard | serve | shown | objects) "$verb" "$@" ;;
    *) fail "unknown verb '$verb'" ;;
esac
