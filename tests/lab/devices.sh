# shellcheck shell=bash
# How devices are made and addressed; sourced by lab.sh, inside whose namespaces it all happens.

# --- addresses ---------------------------------------------------------------------------------

address_number() { # ADDRESS -> its 32 bits
    local a b c d octet
    [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || fail 2 "'$1' is not an IPv4 address"
    a=${BASH_REMATCH[1]} b=${BASH_REMATCH[2]} c=${BASH_REMATCH[3]} d=${BASH_REMATCH[4]}
    for octet in "$a" "$b" "$c" "$d"; do
        ((10#$octet <= 255)) || fail 2 "'$1' is not an IPv4 address"
    done
    echo $(((10#$a << 24) | (10#$b << 16) | (10#$c << 8) | 10#$d))
}

number_address() { # 32 bits -> address
    printf '%d.%d.%d.%d\n' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))
}

# Sets PREFIX, BASE, LAST (numbers), SCANNER (an offset) for a subnet.
read_subnet() { # CIDR
    [[ $1 =~ ^([0-9.]+)/([0-9]{1,2})$ ]] || fail 2 "'$1' is not a subnet; write it as 10.0.1.0/24"
    PREFIX=$((10#${BASH_REMATCH[2]}))
    ((PREFIX >= 8 && PREFIX <= 29)) || fail 2 "the prefix of '$1' is not between 8 and 29"
    BASE=$(address_number "${BASH_REMATCH[1]}")
    LAST=$((BASE + (1 << 32 - PREFIX) - 1))
    (((BASE & (1 << 32 - PREFIX) - 1) == 0)) || fail 2 "'$1' has host bits set"
    SCANNER=$((LAST - BASE > 250 ? 250 : LAST - BASE - 1))
}

host_offset() { # NUMBER of the host -> its place in the subnet, the scanner's left out
    echo $(($1 < SCANNER ? $1 : $1 + 1))
}

# --- what devices are made of ------------------------------------------------------------------

# name|first half of the MAC|sysObjectID|sysServices|sysDescr
readonly MODELS=(
    'cisco-router|00:1b:54|.1.3.6.1.4.1.9.1.1045|78|Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.7(3)M8, RELEASE SOFTWARE (fc1)'
    'hp-switch|00:1b:78|.1.3.6.1.4.1.11.2.3.7.11.141|74|HP J9776A 2530-24G Switch, revision YA.16.10.0016, ROM YA.15.20'
    'juniper-router|00:05:85|.1.3.6.1.4.1.2636.1.1.1.2.25|4|Juniper Networks, Inc. mx480 internet router, kernel JUNOS 20.4R3.8'
    'linux-server|00:25:90|.1.3.6.1.4.1.8072.3.2.10|72|Linux server 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 x86_64'
    'hp-printer|3c:d9:2b|.1.3.6.1.4.1.11.2.3.9.1|64|HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24130012'
    'mikrotik-router|4c:5e:0c|.1.3.6.1.4.1.14988.1|78|RouterOS CCR1009-7G-1C-1S+'
)
# Makers of devices without an agent; the last is a locally administered address, which nobody made.
readonly AGENTLESS_OUIS=(00:50:56 00:14:22 b8:27:eb 02:00:5e)

model_of() { # NUMBER of the host -> its line of MODELS
    echo "${MODELS[($1 - 1) % ${#MODELS[@]}]}"
}

default_mac() { # NUMBER KIND
    local oui=${AGENTLESS_OUIS[$1 % ${#AGENTLESS_OUIS[@]}]}
    [[ $2 != snmp* ]] || IFS='|' read -r _ oui _ < <(model_of "$1")
    printf '%s:00:%02x:%02x\n' "$oui" $(($1 >> 8 & 255)) $(($1 & 255))
}

# --- building ----------------------------------------------------------------------------------

in_host() { # HOST CMD…
    nsenter --net="/run/netns/$1" "${@:2}"
}

# IPv6 is off, or every interface would solicit neighbours and routers for seconds after its start.
# shellcheck disable=SC2016 # the shell that runs it expands it
readonly IPV6_OFF='off=/proc/sys/net/ipv6/conf/all/disable_ipv6; [ ! -e "$off" ] || echo 1 >"$off"'

build_switch() {
    # The kernel acts at once on a link whose index differs from its peer's, and else after a second.
    sh -c "$IPV6_OFF"
    ip -batch - <<BATCH
netns add switch
link add lab0 index 1001 address $SCANNER_MAC type veth peer name lab0 netns switch
address add $(number_address $((BASE + SCANNER)))/$PREFIX brd + dev lab0
link set lo up
link set lab0 up
BATCH
    nsenter --net=/run/netns/switch sh -c "$IPV6_OFF; exec ip -batch -" <<BATCH
link add switch0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set switch0 up
link set lab0 master switch0 up
BATCH
}

# Makes devices, all interfaces first, and returns when they answer. Lines of stdin: HOST KIND ADDRESS MAC
make_hosts() {
    local host kind address mac hosts=() agents=() links='' ports='' lines
    mapfile -t lines
    for line in "${lines[@]}"; do
        read -r host kind address mac <<<"$line"
        hosts+=("$host")
        links+="netns add $host"$'\n'
        links+="link add $host netns switch type veth peer name eth0 netns $host address $mac"$'\n'
        ports+="link set $host master switch0 up"$'\n'
    done
    ip -batch - <<<"${links%$'\n'}"
    ip -n switch -batch - <<<"${ports%$'\n'}"
    for line in "${lines[@]}"; do
        read -r host kind address mac <<<"$line"
        mkdir -p "$LAB/hosts/$host"
        echo "${kind%%:*}" >"$LAB/hosts/$host/kind"
        configure_host "$host" "$kind" "$address"
        [[ $kind != snmp* ]] || agents+=("$host")
    done
    for host in "${agents[@]}"; do start_agent "$host"; done
    for host in "${agents[@]}"; do await_agent "$host"; done
    await_forwarding "${hosts[@]}"
}

configure_host() { # HOST KIND ADDRESS
    local host=$1 kind=$2 address=$3 protocol preference=1 batch
    batch="link set lo up"$'\n'"link set eth0 up"$'\n'"address add $address/$PREFIX brd + dev eth0"
    if [[ $kind == silent ]]; then
        # Policy routing swallows what arrives by IP and leaves ARP alone. The rule that finds local
        # addresses must come after these.
        for protocol in icmp udp tcp; do
            batch+=$'\n'"rule add pref $((preference++)) iif eth0 ipproto $protocol blackhole"
        done
        batch+=$'\n'"rule add pref 10 lookup local"$'\n'"rule del pref 0"
    fi
    in_host "$host" sh -c "$IPV6_OFF; exec ip -batch -" <<<"$batch"
    if [[ $kind == snmp* ]]; then
        local community=public
        [[ $kind != snmp:* ]] || community=${kind#snmp:}
        configure_agent "$host" "$community"
    fi
}

configure_agent() { # HOST COMMUNITY
    local number=${1#h} model oid services description
    IFS='|' read -r model _ oid services description < <(model_of "$number")
    echo "$model" >"$LAB/hosts/$1/model"
    cat >"$LAB/hosts/$1/agent.conf" <<CONF
agentAddress udp:161
rocommunity $2
sysDescr $description
sysObjectID $oid
sysName $model-$number
sysLocation Room A, rack $number
sysContact lab
sysServices $services
createUser monitor SHA-256 "correct horse" AES "battery staple"
rouser monitor authPriv
createUser blumenthal SHA "correct horse" AES-256 "battery staple"
rouser blumenthal authPriv
createUser reeder SHA "correct horse" AES-256-C "battery staple"
rouser reeder authPriv
CONF
}

# The modules that an inventory asks for: a tenth of the memory that snmpd takes with all of them.
readonly AGENT_MODULES=snmpEngine,system_mib,sysORTable,vacm_conf,vacm_context,snmp_mib,ifTable,ifXTable,interface,usmConf

folder_of() { # HOST, or one behind the router
    if [[ -d $LAB/routed/$1 ]]; then echo "$LAB/routed/$1"; else echo "$LAB/hosts/$1"; fi
}

start_agent() { # HOST
    local folder modules=$AGENT_MODULES
    folder=$(folder_of "$1")
    # Of a device that has more to tell.
    [[ ! -e $folder/modules ]] || modules+=,$(<"$folder/modules")
    # It reads its state again, or it would not count its starts (RFC 3414 section 2.2).
    MIBS='' SNMPCONFPATH=$folder:$folder/state SNMP_PERSISTENT_DIR=$folder/state \
        nsenter --net="/run/netns/$1" setsid snmpd -f -c "$folder/agent.conf" -I "$modules" -LF 3 "$folder/agent.log" \
        </dev/null >/dev/null 2>&1 &
    echo $! >"$folder/agent.pid"
    disown # its end is looked up, not told by the shell
}

agent_runs() { # HOST
    local pid
    [[ -e $(folder_of "$1")/agent.pid ]] && pid=$(<"$(folder_of "$1")/agent.pid") && kill -0 "$pid" 2>/dev/null
}

await_agent() { # HOST
    local pid deadline=$((SECONDS + 10))
    pid=$(<"$(folder_of "$1")/agent.pid")
    # Local port 161 in hexadecimal, in the agent's own network namespace.
    until grep -q ':00A1 ' "/proc/$pid/net/udp" 2>/dev/null && [[ $(readlink "/proc/$pid/exe") == *snmpd ]]; do
        agent_runs "$1" || fail 1 "snmpd of $1 ended: $(cat "$(folder_of "$1")/agent.log" 2>&1)"
        ((SECONDS < deadline)) || fail 1 "snmpd of $1 did not open UDP port 161 in 10 s"
        sleep 0.005
    done
}

stop_agent() { # HOST
    local pid
    agent_runs "$1" || return 0
    pid=$(<"$(folder_of "$1")/agent.pid")
    kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.005; done
    rm "$(folder_of "$1")/agent.pid"
}

await_forwarding() { # HOST…
    local host states deadline=$((SECONDS + 10))
    for host in "$@"; do
        until states=$(bridge -n switch link show dev "$host") && [[ $states == *'state forwarding'* ]]; do
            ((SECONDS < deadline)) || fail 1 "the switch port of $host does not forward: $states"
            sleep 0.005
        done
    done
}

# --- a subnet behind a router ------------------------------------------------------------------

# The router `gw` joins the switch; its other side is a bridge of its own, where r1, r2, … are. They are no hosts
# of the verbs, which know the scanner's subnet only, but of `exec`, `snmp-stop` and `snmp-start`.
build_router() {
    local here there number address gateway links='' ports=''
    here=$(number_address $((BASE + SCANNER + (BASE + SCANNER + 1 < LAST ? 1 : -1))))/$PREFIX
    local near=$PREFIX
    read_subnet "$ROUTED"
    gateway=$(number_address $((BASE + 1))) there=$PREFIX
    ip -batch - <<BATCH
netns add gw
link add gw netns switch type veth peer name eth0 netns gw address 00:00:0c:00:02:51
BATCH
    ip -n switch link set gw master switch0 up
    in_host gw sh -c "$IPV6_OFF; echo 1 >/proc/sys/net/ipv4/ip_forward; exec ip -batch -" <<BATCH
link set lo up
link set eth0 up
address add $here brd + dev eth0
link add eth1 address 00:00:0c:00:02:01 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set eth1 up
address add $gateway/$there brd + dev eth1
BATCH
    for ((number = 1; number <= BEHIND; number++)); do
        links+="netns add r$number"$'\n'
        links+="link add r$number netns gw type veth peer name eth0 netns r$number address 00:00:0c:00:03:$(printf %02x "$number")"$'\n'
        ports+="link set r$number master eth1 up"$'\n'
    done
    ip -batch - <<<"${links%$'\n'}"
    ip -n gw -batch - <<<"${ports%$'\n'}"
    for ((number = 1; number <= BEHIND; number++)); do
        address=$(number_address $((BASE + 1 + number)))
        in_host "r$number" sh -c "$IPV6_OFF; exec ip -batch -" <<BATCH
link set lo up
link set eth0 up
address add $address/$there brd + dev eth0
route add default via $gateway
BATCH
    done
    mkdir -p "$LAB/routed/gw" "$LAB/routed/r1"
    routed_agent gw 1 router-of-the-lab
    routed_agent r1 4 behind-the-router
    ip route add "$ROUTED" via "${here%/*}"
    await_forwarding gw
    read_subnet "$SUBNET"
}

routed_agent() { # HOST NUMBER of a model SYSNAME
    local oid services description folder
    folder=$(folder_of "$1")
    IFS='|' read -r _ _ oid services description < <(model_of "$2")
    cat >"$folder/agent.conf" <<CONF
agentAddress udp:161
rocommunity public
sysDescr $description
sysObjectID $oid
sysName $3
sysServices $services
CONF
    start_agent "$1"
    await_agent "$1"
}
