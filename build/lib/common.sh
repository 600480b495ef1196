# Sourced by every command of build/ and tests/system/, which run from the
# repository's root.
# shellcheck shell=sh

set -eu

cd "$(dirname "$0")"
SELF=$(pwd)/${0##*/}
while [ ! -d build/lib ]; do cd ..; done
ROOT=$(pwd)
SELF=${SELF#"$ROOT/"}

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

run() {
    printf '+ %s\n' "$*"
    "$@"
}

has() { command -v "$1" >/dev/null 2>&1; }

# A directory that is removed when the command ends, after what at_exit was told. A process that has just been
# ended may still write there: it is tried again, and never becomes the verdict.
SCRATCH=$(mktemp -d)
remove_scratch() {
    { tac "$SCRATCH/at_exit" | sh; } >/dev/null 2>&1 || :
    for _ in 1 2 3 4 5; do
        ! rm -rf "$SCRATCH" 2>/dev/null || return 0
        sleep 1
    done
    say "left behind: $SCRATCH" >&2
}
trap remove_scratch EXIT
trap 'exit 1' HUP INT PIPE TERM

# at_exit COMMAND...: is run when the command ends, the last one first.
at_exit() { say "$*" >>"$SCRATCH/at_exit"; }

# Debian's packages, without a question asked and without starting a daemon of
# theirs. Two commands of ours take turns.
apt_install() (
    exec 8<"$(command -v apt-get)"
    flock 8
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 1' HUP INT PIPE TERM
        printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin /usr/sbin/policy-rc.d
    fi
    # Lists that a command of ours has read within the hour will do.
    if [ -z "$(find target/apt-lists -mmin -60 2>/dev/null)" ]; then
        run apt-get update -q
        mkdir -p target
        : >target/apt-lists
    fi
    # Another release of Debian may lack one of them.
    # shellcheck disable=SC2046 # one word a package
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 \
        $(apt-cache --no-all-versions show "$@" 2>/dev/null | sed -n 's/^Package: //p')
)

can_apt() { has apt-get && [ "$(id -u)" = 0 ]; }

# not_run PART REASON: the line that build/test repeats at its end. REQUIRE_ALL=1
# makes it a failure.
not_run() {
    say "NOT RUN: $1 because $2" | tee -a "${NOT_RUN:-/dev/null}"
    [ -z "${REQUIRE_ALL-}" ] || fail "$1 did not run, and REQUIRE_ALL is set"
}

# Ends a command of which nothing can run here, as automake's tests end.
cannot_run() {
    not_run "$SELF" "$1"
    exit 77
}

# want COMMAND[=PACKAGE]...: fetches what is missing, from Debian's package of the
# same or another name, where that can be done.
want() {
    packages=
    for pair; do
        has "${pair%=*}" || [ -e "${pair%=*}" ] || packages="$packages ${pair#*=}"
    done
    # shellcheck disable=SC2086 # one word a package
    [ -z "$packages" ] || ! can_apt || apt_install $packages || :
}

# The same for what nothing goes without.
need() {
    want "$@"
    for pair; do
        has "${pair%=*}" && continue
        missing="${pair%=*} is missing; on Debian: apt-get install ${pair#*=}"
        case $SELF in tests/system/* | */lint) cannot_run "$missing" ;; *) fail "$missing" ;; esac
    done
}
