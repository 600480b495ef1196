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

# with_dots LOG COMMAND...: what it prints goes to the log; a dot every ten seconds is its sign of life.
with_dots() {
    with_dots_log=$1 with_dots_code=0
    shift
    while sleep 10 >/dev/null 2>&1 && kill -0 $$; do printf .; done 2>/dev/null &
    with_dots_process=$!
    "$@" >"$with_dots_log" 2>&1 || with_dots_code=$?
    kill "$with_dots_process"
    return "$with_dots_code"
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

can_apt() { has apt-get && [ "$(id -u)" = 0 ] && [ -z "${NO_APT-}" ]; }

# Lists that a command of ours has read within the hour will do.
apt_update() {
    [ -z "$(find target/apt-lists -mmin -60 2>/dev/null)" ] || return 0
    run apt-get update -qq
    mkdir -p target
    : >target/apt-lists
}

# Debian's packages, without a question asked, without starting a daemon of theirs, and without
# removing others. Two commands of ours take turns.
apt_install() (
    exec 8<"$(command -v apt-get)"
    flock 8
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 1' HUP INT PIPE TERM
        printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin /usr/sbin/policy-rc.d
    fi
    apt_update
    # shellcheck disable=SC2046 # one word a package
    set -- $(apt_knows "$@")
    [ $# != 0 ] || return 0
    say "$(apt_cost "$@")"
    mkdir -p target
    say "+ apt-get install --no-install-recommends $*"
    with_dots target/apt.log env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=600 "$@" || { cat target/apt.log && false; }
    say
)

# apt_knows PACKAGE...: those that are in its lists. Another release of Debian may lack one.
apt_knows() { apt-cache --no-all-versions show "$@" 2>/dev/null | sed -n 's/^Package: //p'; }

# apt_cost PACKAGE...: what it takes to install them, with all that they need.
apt_cost() {
    # shellcheck disable=SC2046 # one word a package
    apt-cache --no-all-versions show $(apt-get install -s --no-install-recommends $(apt_knows "$@") 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\).*/\1/p') 2>/dev/null | awk '
        /^Package:/ { count++ } /^Size:/ { fetched += $2 } /^Installed-Size:/ { installed += $2 }
        END { printf "%d packages of Debian, %.0f MB to fetch, %.0f MB on disk", count, fetched / 1e6, installed / 1e3 }'
}

# not_run WHAT REASON: what could run here, and did not, for want of something. build/test
# repeats the line at its end. REQUIRE_ALL=1 makes it a failure.
not_run() {
    say "NOT RUN: $1 because $2" | tee -a "${NOT_RUN:-/dev/null}"
    [ -z "${REQUIRE_ALL-}" ] || fail "$1 did not run, and REQUIRE_ALL is set"
}

# skipped WHAT REASON: what cannot run in a place like this, whatever is installed.
skipped() { say "skipped here: $1: $2" | tee -a "${NOT_RUN:-/dev/null}"; }

# Ends a command of which nothing can run here, as automake's tests end.
cannot_run() {
    not_run "$SELF" "$1"
    exit 77
}

is_here() { has "$1" || [ -e "$1" ]; }

# want COMMAND[=PACKAGE]...: installs what is missing, from Debian's package of the same or another name,
# where that can be done. A COMMAND may be any file.
want() {
    packages=
    for pair; do is_here "${pair%=*}" || packages="$packages ${pair#*=}"; done
    # shellcheck disable=SC2086 # one word a package
    [ -z "$packages" ] || ! can_apt || apt_install $packages || :
}

# The same for what nothing goes without.
need() {
    want "$@"
    for pair; do
        is_here "${pair%=*}" && continue
        missing="${pair%=*} is missing; on Debian: apt-get install ${pair#*=}"
        case $SELF in tests/system/*) cannot_run "$missing" ;; *) fail "$missing" ;; esac
    done
}
