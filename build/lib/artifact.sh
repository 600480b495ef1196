# Sourced: what a binary must be before it is called the artifact, and what it is shown with.
# shellcheck shell=sh

# Proves that the file $1 runs where there is nothing else.
prove_artifact() {
    need readelf binutils
    headers=$(readelf -lW "$1")
    dynamic=$(readelf -dW "$1")
    case $headers in *INTERP*) fail "$1 asks for an interpreter" ;; esac
    case $dynamic in *NEEDED*) fail "$1 needs shared libraries" ;; esac
    case $headers in *GNU_STACK*RWE*) fail "$1 has an executable stack" ;; esac
    in_empty_root "$1"
}

size_of() { wc -c <"$1" | tr -d ' '; }

# Runs it in an empty root with an empty environment: the version, and a
# refused connection.
in_empty_root() {
    if [ -n "${NO_EMULATOR-}" ] && ! is_host; then
        say "$PLATFORM: inspected, but not run (NO_EMULATOR)"
        return
    fi
    root=$SCRATCH/root
    mkdir -p "$root"
    cp "$1" "$root/probe"
    set -- /probe
    if [ -n "$QEMU" ]; then
        cp "$(command -v "$QEMU")" "$root/emulator"
        [ -z "$CPU" ] || set -- -cpu "$CPU" "$@"
        set -- /emulator "$@"
    fi
    version=$(enter "$root" "$@" --version) || fail "the artifact does not run in an empty root"
    [ "$version" = "probe $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" ] ||
        fail "the artifact says it is $version"
    if refused=$(enter "$root" "$@" tcp://127.0.0.1:1 2>&1); then
        fail "the artifact calls a closed port healthy"
    fi
    [ "$refused" = "unhealthy: tcp://127.0.0.1:1: connect: connection refused" ] ||
        fail "the artifact says of a closed port: $refused"
    rm -rf "$root"
}

# Runs a command in the root $1, with an empty environment.
enter() {
    root=$1
    shift
    if [ "$(id -u)" = 0 ]; then
        env -i "$(command -v chroot)" "$root" "$@"
    else
        env -i "$(command -v unshare)" --user --map-root-user --root="$root" "$@"
    fi
}

# Compiles the stand-in server as the file $1, for this machine; `$@` adds flags for rustc.
compile_stand_in() {
    "$SYSROOT/bin/rustc" --edition 2024 -O -Dwarnings -o "$@" tests/support/stand_in.rs
}
