# Sourced: what a binary must be before it is called the artifact, and the stand-in server that it is shown with.
# shellcheck shell=sh
. build/lib/toolchain.sh

# Proves that the file $1 runs where there is nothing else.
prove_artifact() {
    need readelf=binutils
    elf=$(readelf -ldW "$1")
    case $elf in *INTERP*) fail "$1 asks for an interpreter" ;; esac
    case $elf in *NEEDED*) fail "$1 needs shared libraries" ;; esac
    case $elf in *GNU_STACK*RWE*) fail "$1 has an executable stack" ;; esac
    case $elf in *GNU_RELRO*) fail "$1 has a mark that nothing applies, GNU_RELRO" ;; esac
    if [ -n "$EMULATOR" ] && [ -n "${NO_EMULATOR-}" ]; then
        say "$PLATFORM: inspected, but not run (NO_EMULATOR)"
    elif ! can_enter; then
        say "$PLATFORM: inspected, but not run, since no namespace can be made here for an empty root"
    else
        in_empty_root "$1"
    fi
}

# Runs it in an empty root with an empty environment: the version, and a
# refused connection.
in_empty_root() {
    [ -z "$EMULATOR" ] || need "${EMULATOR%% *}=qemu-user-static"
    root=$SCRATCH/root
    mkdir "$root"
    cp "$1" "$root/probe"
    [ -z "$EMULATOR" ] || cp "$(command -v "${EMULATOR%% *}")" "$root"
    # shellcheck disable=SC2086 # an emulator and its options
    set -- ${EMULATOR:+/$EMULATOR} /probe
    version=$(enter "$root" "$@" --version) || fail "the artifact does not run in an empty root"
    [ "$version" = "probe $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)" ] || fail "the artifact says it is $version"
    if refused=$(enter "$root" "$@" tcp://127.0.0.1:1 2>&1); then
        fail "the artifact calls a closed port healthy"
    fi
    [ "$refused" = "unhealthy: tcp://127.0.0.1:1: connect: connection refused" ] ||
        fail "the artifact says of a closed port: $refused"
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

# Another user than root needs a namespace for that, which a container and some systems forbid.
can_enter() { enter / true 2>/dev/null; }

# Compiles the stand-in server as the file $1, for this machine; `$@` adds flags for rustc.
compile_stand_in() {
    "$SYSROOT/bin/rustc" --edition 2024 -O -Dwarnings -o "$@" tests/support/stand_in.rs
}
