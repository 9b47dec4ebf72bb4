# shellcheck shell=bash
# A script of this folder in fresh namespaces that end with it; sourced by lab.sh and fleet.sh.

# Sets NAMESPACES: as root without a user namespace, else with one.
choose_namespaces() {
    NAMESPACES=(--net --mount --pid --fork --kill-child)
    ((EUID != 0)) || ! unshare "${NAMESPACES[@]}" true 2>/dev/null || return 0
    NAMESPACES+=(--user --map-root-user)
    unshare "${NAMESPACES[@]}" true 2>/dev/null || fail 3 \
        "this machine permits no network namespaces: run as root (in a container: with --privileged), or allow user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)"
}

# Runs the verb 'inside' of the script that was called, and exits as that did.
hold_namespaces() { # arguments for the inside
    choose_namespaces
    # A job of a shell ignores SIGINT unless it is told not to; CMD shall have it as usual.
    env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
        unshare "${NAMESPACES[@]}" bash "$0" inside "$@" <&0 &
    local holder=$! code
    trap 'take_down "$holder"; exit 143' TERM HUP
    trap : INT # what is going on inside decides
    while :; do
        code=0
        wait "$holder" || code=$?
        kill -0 "$holder" 2>/dev/null || break
    done
    exit "$code"
}

take_down() { # PID of unshare
    local first state
    first=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || true
    kill -KILL "$1"
    # The first process of a PID namespace has ended when all others in there have.
    while read -r _ _ state _ 2>/dev/null <"/proc/${first:-none}/stat" && [[ $state != Z ]]; do sleep 0.01; done
}
