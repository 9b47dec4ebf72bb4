#!/usr/bin/env bash
# A machine that boots the real systemd in the scanner of a lab, from what `make install DESTDIR=ROOT` put in place.
#
#   boot.sh hold ROOT     boot it, print "ready", take it down when stdin closes
#   boot.sh enter CMD…    run CMD on it
#
# Its file system is a tmpfs with the /usr of this machine, read-only; of the units there are those that a service
# needs to be started at all, and pdsno's own. Namespaces: mount, PID, UTS, IPC, cgroup; the network is the scanner's.
# It ends with the lab. Its control group is on this machine's cgroup2 hierarchy, and is removed when stdin closes.
#
# Exit codes: 1 a step failed, 2 bad usage, 3 this machine does not permit it.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

readonly HERE=/run/pdsno-boot # of the lab, whose /run is its own
readonly SYSTEMD=/usr/lib/systemd

fail() { # CODE TEXT
    printf 'boot: %s\n' "$2" >&2
    exit "$1"
}

hold() { # ROOT
    [[ -d /run/pdsno-lab ]] || fail 2 "'hold' works inside a lab only"
    [[ -x ${1-}/usr/local/bin/pdsno ]] || fail 2 "there is no '${1-}/usr/local/bin/pdsno': make install DESTDIR=${1-}"
    # DynamicUser= takes one of many users; a lab without root has one.
    (($(awk '{ users += $3 } END { printf "%d", users }' /proc/self/uid_map) > 65536)) || fail 3 "a machine with users needs root"
    mkdir -p "$HERE/cgroup" "$HERE/root"
    mount -t cgroup2 cgroup2 "$HERE/cgroup" 2>/dev/null || fail 3 "no cgroup2 hierarchy can be mounted here"
    # Of those that were killed before they could tidy up.
    find "$HERE/cgroup" -mindepth 1 -maxdepth 1 -name 'pdsno-boot.*' -mmin +10 -exec bash "$0" forget {} \;
    GROUP=$(mktemp -d "$HERE/cgroup/pdsno-boot.XXXXXXXX" 2>/dev/null) || fail 3 "no control group can be made here"
    chmod 755 "$GROUP" # systemd wants it readable
    (
        echo "$BASHPID" >"$GROUP/cgroup.procs"
        exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child bash "$0" inside "$1" </dev/null >/dev/null
    ) &
    HOLDER=$!
    trap end_boot EXIT
    local deadline=$((SECONDS + 20)) state=''
    until state=$(bash "$0" enter systemctl is-system-running 2>&1) || [[ $state == degraded ]]; do
        kill -0 "$HOLDER" 2>/dev/null || fail 1 "systemd ended"
        ((SECONDS < deadline)) || fail 1 "systemd is not up after 20 s: $state"
        sleep 0.02
    done
    [[ $state == running ]] || fail 1 "systemd is $state: $(bash "$0" enter systemctl --no-pager --failed 2>&1)"
    echo ready
    cat >/dev/null
}

end_boot() {
    kill -KILL "$HOLDER" 2>/dev/null || true
    wait "$HOLDER" 2>/dev/null || true
    local deadline=$((SECONDS + 10))
    # The kernel gets to the last of them a little later.
    until bash "$0" forget "$GROUP"; do
        ((SECONDS < deadline)) || fail 1 "$GROUP is still there"
        sleep 0.01
    done
}

forget() { # GROUP
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
}

# The units that are on it besides pdsno's.
readonly UNITS=(
    sysinit.target basic.target shutdown.target sockets.target timers.target paths.target slices.target
    network.target network-online.target multi-user.target umount.target final.target
    systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket
)

inside() { # ROOT
    local pid name
    read -r pid _ </proc/self/stat # /proc is still the lab's: our number there
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 pdsno-boot "$HERE/root"
    cd "$HERE/root"
    mkdir -p usr var/tmp root run tmp proc sys dev old
    chmod 1777 tmp var/tmp
    ln -s ../run var/run
    mount --bind /usr usr
    mount --bind "$1/usr/local" usr/local
    mount -o remount,bind,ro usr
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$name"; done
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 run run
    make_devices
    make_etc "$1"
    echo "$pid" >"$HERE/first"
    pivot_root . old
    umount --lazy old
    mount --make-rshared / # what systemd mounts must reach its services
    exec env -i container=pdsno-boot PATH=/usr/sbin:/usr/bin SYSTEMD_GENERATOR_PATH=/nowhere \
        SYSTEMD_UNIT_PATH=/etc/systemd/system:/usr/local/lib/systemd/system \
        "$SYSTEMD/systemd" --system --log-target=journal
}

make_devices() {
    local name
    mount -t tmpfs -o mode=755 dev dev
    for name in null zero full random urandom tty; do
        touch "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
    mount -t tmpfs -o mode=1777 shm dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
}

make_etc() { # ROOT
    cp -r "$1/etc" etc
    mkdir -p etc/systemd/system
    cp "${UNITS[@]/#/$SYSTEMD/system/}" etc/systemd/system
    cat >etc/systemd/system/default.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
UNIT
    echo 'root:x:0:0::/root:/bin/sh' >etc/passwd
    echo 'root:x:0:' >etc/group
    # DynamicUser= tells names that way.
    printf '%s: files systemd\n' passwd group >etc/nsswitch.conf
    echo 0123456789abcdef0123456789abcdef >etc/machine-id
    echo pdsno-boot >etc/hostname
}

enter() { # CMD…
    [[ -e $HERE/first ]] || fail 1 "nothing is booted yet"
    exec nsenter --target "$(<"$HERE/first")" --mount --pid --uts --ipc --root --wd \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin "$@"
}

verb=${1-}
shift || true
case $verb in
    hold | inside | enter | forget) "$verb" "$@" ;;
    *) fail 2 "usage: $0 hold ROOT | enter CMD…" ;;
esac
