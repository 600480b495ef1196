# Sourced: what a platform is called elsewhere. Docker's names are ours.
# shellcheck shell=sh

ALL_PLATFORMS="linux/amd64 linux/arm64 linux/arm/v7 linux/arm/v6 linux/386 linux/ppc64le linux/s390x"

# Docker's name of the machine that this runs on.
host_platform() {
    case $(uname -sm) in
        "Linux x86_64") say linux/amd64 ;;
        "Linux aarch64") say linux/arm64 ;;
        "Linux armv7l") say linux/arm/v7 ;;
        "Linux armv6l") say linux/arm/v6 ;;
        "Linux i"?86) say linux/386 ;;
        "Linux ppc64le") say linux/ppc64le ;;
        "Linux s390x") say linux/s390x ;;
        *) fail "this machine ($(uname -sm)) is none of $ALL_PLATFORMS;" \
            "where Docker is: docker build -f Dockerfile.example --target probe -t probe ." ;;
    esac
}

# Sets, for the platform $1 or this machine's: TRIPLE, Rust's name; DEBIAN, Debian's; MUSL, the
# folder of musl's files below usr/lib in Debian; QEMU, its emulator, and CPU,
# the oldest processor that the platform may have.
use_platform() {
    PLATFORM=${1:-$(host_platform)}
    case $PLATFORM in
        linux/amd64) set -- x86_64-unknown-linux-musl amd64 x86_64-linux-musl x86_64 ;;
        linux/arm64) set -- aarch64-unknown-linux-musl arm64 aarch64-linux-musl aarch64 ;;
        linux/arm/v7) set -- armv7-unknown-linux-musleabihf armhf arm-linux-musleabihf arm cortex-a7 ;;
        # Soft-float: a static binary brings its own ABI. Of the targets that
        # an ARMv6 runs, ARMv5TE's is the one with Thumb code (see compile.sh).
        linux/arm/v6) set -- armv5te-unknown-linux-musleabi armel arm-linux-musleabi arm arm1176 ;;
        # The i686 target needs SSE2.
        linux/386) set -- i586-unknown-linux-musl i386 i386-linux-musl i386 pentium ;;
        linux/ppc64le) set -- powerpc64le-unknown-linux-musl ppc64el powerpc64le-linux-musl ppc64le ;;
        linux/s390x) set -- s390x-unknown-linux-musl s390x s390x-linux-musl s390x ;;
        *) fail "unknown platform $PLATFORM, want one of $ALL_PLATFORMS" ;;
    esac
    TRIPLE=$1 DEBIAN=$2 MUSL=$3 QEMU=qemu-$4-static CPU=${5-}
    DIST=dist/$(printf %s "$PLATFORM" | tr / -)
}

is_host() { [ "$PLATFORM" = "$(host_platform)" ]; }

# Sets QEMU, and CPU, to nothing for the platform of this machine. A foreign
# one needs its emulator, unless NO_EMULATOR says to do without.
use_emulator() {
    if is_host; then
        QEMU='' CPU=''
    elif [ -z "${NO_EMULATOR-}" ]; then
        has "$QEMU" || fail "no emulator for $PLATFORM: $QEMU, Debian's package qemu-user-static"
    fi
}

# The words to put before a binary of the platform, to run it here.
emulator() { printf %s "$QEMU${CPU:+ -cpu $CPU}"; }
