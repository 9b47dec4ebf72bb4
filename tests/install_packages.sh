#!/usr/bin/env bash
# Installs what is missing of the Debian packages that the tests, the benches, or setcap need.
#
#   tests/install_packages.sh tests | bench | setcap
#
# Nothing is asked of apt when nothing is missing. snmpd and lldpd come with a system service; the lab runs
# its own, so those services are neither started nor enabled here.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# command:package
readonly FOR_TESTS=(
    cc:gcc ip:iproute2 bridge:iproute2 unshare:util-linux setpriv:util-linux
    snmpd:snmpd snmpget:snmp ping:iputils-ping curl:curl
    make:make systemd-analyze:systemd man:man-db lldpd:lldpd setcap:libcap2-bin
)
readonly FOR_BENCH=("${FOR_TESTS[@]}" nmap:nmap arp-scan:arp-scan fping:fping
    zmap:zmap masscan:masscan)
readonly WITH_SERVICE=(snmpd lldpd)

case ${1-} in
    tests) wanted=("${FOR_TESTS[@]}") ;;
    bench) wanted=("${FOR_BENCH[@]}") ;;
    setcap) wanted=(setcap:libcap2-bin) ;;
    *)
        echo "usage: $0 tests|bench|setcap" >&2
        exit 2
        ;;
esac

packages=()
for entry in "${wanted[@]}"; do
    package=${entry#*:}
    command -v "${entry%%:*}" >/dev/null || [[ " ${packages[*]-} " == *" $package "* ]] || packages+=("$package")
done
((${#packages[@]})) || exit 0
[[ " ${packages[*]} " != *' gcc '* ]] || packages+=(libc6-dev)

by_hand() { # WHY
    echo "$1; install by hand for $wanted_by: ${packages[*]}" >&2
    exit 4
}
wanted_by=$1
command -v apt-get >/dev/null || by_hand "this machine has no apt-get"
if ((EUID == 0)); then
    as_root=()
elif command -v sudo >/dev/null; then
    as_root=(sudo)
else
    by_hand "neither root nor sudo"
fi

echo "installing for $wanted_by: ${packages[*]}" >&2
services=()
for service in "${WITH_SERVICE[@]}"; do
    [[ " ${packages[*]} " != *" $service "* ]] || services+=("$service")
done
readonly POLICY=/usr/sbin/policy-rc.d
own_policy=no
forget_policy() {
    [[ $own_policy == no ]] || "${as_root[@]}" rm -f "$POLICY"
}
if ((${#services[@]})) && [[ ! -e $POLICY ]]; then
    # Debian asks this script before a package starts its service; 101 says no.
    trap forget_policy EXIT
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$POLICY" >/dev/null
    "${as_root[@]}" chmod 755 "$POLICY"
fi
"${as_root[@]}" apt-get -q update || by_hand "apt-get update failed"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${packages[@]}" ||
    by_hand "apt-get install failed"
for service in "${services[@]}"; do
    # Nor at the next boot.
    if command -v systemctl >/dev/null; then
        "${as_root[@]}" systemctl --quiet disable "$service"
        # A policy of this machine's own may have let it start.
        [[ ! -d /run/systemd/system ]] || "${as_root[@]}" systemctl stop "$service"
    else
        "${as_root[@]}" update-rc.d "$service" disable
    fi
    echo "the system's $service service was left off; 'systemctl enable --now $service' starts it" >&2
done
