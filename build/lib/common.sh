# Sourced by every command of build/ and tests/system/, which run from the
# repository's root.
# shellcheck shell=sh

set -eu

cd "$(dirname "$0")"
while [ ! -d build/lib ]; do cd ..; done
ROOT=$(pwd)

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

# Prints a command, then runs it.
run() {
    printf '+ %s\n' "$*"
    "$@"
}

has() { command -v "$1" >/dev/null 2>&1; }

# A directory that is removed when the command ends: $SCRATCH.
make_scratch() {
    SCRATCH=$(mktemp -d)
    trap 'rm -rf "$SCRATCH"' EXIT
    trap 'exit 1' HUP INT PIPE TERM
}

# Debian's packages, without a question asked.
apt_install() {
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

can_apt() { has apt-get && [ "$(id -u)" = 0 ]; }

# Needs a command, from a Debian package of the same or another name.
need() {
    has "$1" && return
    can_apt || fail "$1 is missing; on Debian: apt-get install ${2:-$1}"
    say "$1 is missing and is fetched:"
    run apt-get update -q
    apt_install "${2:-$1}"
}
