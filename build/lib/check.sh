# Sourced: what the tests here share, and how they are counted and reported.
# shellcheck shell=sh
. "$(dirname "$0")/../../../build/lib/common.sh"
. build/lib/platform.sh

PASSED=0 FAILED=0

# check SENTENCE COMMAND...: says whether the command holds.
check() {
    sentence=$1
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
        say "ok: $sentence"
    else
        FAILED=$((FAILED + 1))
        say "FAILED: $sentence"
    fi
}

# The closing line; its result is the test's.
finish() {
    say "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}

# quietly COMMAND...: what it prints is in $SCRATCH/log, and is shown where it fails.
quietly() { "$@" >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log" && false; }; }

# within SECONDS COMMAND...: tries the command until it holds.
within() {
    end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

contains() { case $1 in *"$2"*) ;; *) say "want \"$2\" in: $1" && false ;; esac }

equal() { [ "$1" = "$2" ] || { say "want $2, got $1" && false; }; }

refused() { ! "$@"; }

# Sets PROBE to a copy of what is tested: this machine's static binary, unless it is set.
use_probe() {
    use_platform
    [ -n "${PROBE-}" ] || [ -x "$DIST/probe" ] || build/static
    cp "${PROBE:-$DIST/probe}" "$SCRATCH/probe"
    PROBE=$SCRATCH/probe
}

# own_network "$@": the test goes on in a network with nothing but loopback,
# whose ports are all free, and with mounts of its own. What the test needs is fetched before.
own_network() {
    if [ -n "${OWN_NETWORK-}" ]; then
        ip link set lo up
        return
    fi
    need unshare=util-linux ip=iproute2
    map=
    [ "$(id -u)" = 0 ] || map=--map-root-user
    unshare --net --mount $map true 2>/dev/null || cannot_run "no namespaces can be made here"
    OWN_NETWORK=1 PROBE=$PROBE unshare --net --mount $map "$SELF" "$@"
    exit
}
