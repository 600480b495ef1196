# Sourced: what a platform is called elsewhere. Docker's names are ours.
# shellcheck shell=sh

# Docker's name, the machine's by uname, Rust's, Debian's, the folder of musl's files below usr/lib in
# Debian, its emulator's, and the oldest processor that the platform may have.
# linux/arm/v6 is soft-float, since a static binary brings its own ABI: of the targets that an ARMv6 runs,
# ARMv5TE's is the one with Thumb code (see build/static). linux/386: the i686 target needs SSE2.
PLATFORMS='linux/amd64 x86_64 x86_64-unknown-linux-musl amd64 x86_64-linux-musl x86_64
linux/arm64 aarch64 aarch64-unknown-linux-musl arm64 aarch64-linux-musl aarch64
linux/arm/v7 armv7l armv7-unknown-linux-musleabihf armhf arm-linux-musleabihf arm cortex-a7
linux/arm/v6 armv6l armv5te-unknown-linux-musleabi armel arm-linux-musleabi arm arm1176
linux/386 i.86 i586-unknown-linux-musl i386 i386-linux-musl i386 pentium
linux/ppc64le ppc64le powerpc64le-unknown-linux-musl ppc64el powerpc64le-linux-musl ppc64le
linux/s390x s390x s390x-unknown-linux-musl s390x s390x-linux-musl s390x
linux/riscv64 riscv64 riscv64gc-unknown-linux-musl riscv64 riscv64-linux-musl riscv64'
ALL_PLATFORMS=$(say "$PLATFORMS" | cut -d ' ' -f 1 | xargs)

# Docker's name of the machine that this runs on, if it has one.
host_platform() { say "$PLATFORMS" | awk -v host="$(uname -sm)" 'host ~ "^Linux " $2 "$" { print $1 }'; }

is_host() { [ "$PLATFORM" = "$(host_platform)" ]; }

# Sets, for the platform $1 or this machine's: DIST, its folder below dist/; TRIPLE, DEBIAN and MUSL, as above; OS, ARCH
# and VARIANT, the parts of its name; EMULATOR, the words to put before a binary of another machine.
use_platform() {
    PLATFORM=${1:-$(host_platform)}
    [ -n "$PLATFORM" ] || fail "this machine ($(uname -sm)) is none of $ALL_PLATFORMS;" \
        "where Docker is: docker build -f Dockerfile.example --target probe -t probe ."
    # shellcheck disable=SC2046 # a row of words
    set -- $(say "$PLATFORMS" | awk -v platform="$PLATFORM" '$1 == platform')
    [ $# != 0 ] || fail "unknown platform $PLATFORM, want one of $ALL_PLATFORMS"
    TRIPLE=$3 DEBIAN=$4 MUSL=$5 EMULATOR=
    is_host || EMULATOR="qemu-$6-static${7:+ -cpu $7}"
    DIST=dist/$(say "$PLATFORM" | tr / -)
    IFS=/ read -r OS ARCH VARIANT <<END
$PLATFORM
END
}
