# Sourced: finds or fetches what the static binary is built with.
# shellcheck shell=sh

# Sets SYSROOT to the first toolchain here for which `$1 SYSROOT` holds.
find_toolchain() {
    for rustc in "${RUSTC:-rustc}" /usr/bin/rustc; do
        SYSROOT=$("$rustc" --print sysroot 2>/dev/null) || continue
        [ -x "$SYSROOT/bin/cargo" ] && "$1" && return
    done
    return 1
}

# The standard library's source is here, and the compiler knows how to leave
# out all of the panic machinery.
has_source() {
    [ -f "$SYSROOT/lib/rustlib/src/rust/library/std/Cargo.toml" ] &&
        RUSTC_BOOTSTRAP=1 "$SYSROOT/bin/rustc" -Zunstable-options -Cpanic=immediate-abort \
            --print cfg >/dev/null 2>&1
}

has_prebuilt() { [ -d "$SYSROOT/lib/rustlib/$TRIPLE/lib" ]; }

# Sets MODE and SYSROOT: a toolchain that is here, else one that is fetched.
use_toolchain() {
    MODE=source
    find_toolchain has_source && return
    MODE=prebuilt
    find_toolchain has_prebuilt && return

    say "No Rust here with the standard library's source; it is fetched:"
    MODE=source
    if has rustup && run rustup component add rust-src && run rustup target add "$TRIPLE"; then
        find_toolchain has_source && return
    fi
    if can_apt; then
        run apt-get update -q
        apt_install rustc-web cargo-web rust-web-src musl-tools lld && find_toolchain has_source && return
    fi
    fail "no toolchain for $PLATFORM; either: rustup component add rust-src && rustup target add $TRIPLE," \
        "or on Debian as root: apt-get install rustc-web cargo-web rust-web-src musl-tools lld"
}

# Sets LD to an lld that links for the platform: s390x came with LLVM 19.
use_linker() {
    host=$("$SYSROOT/bin/rustc" -vV | sed -n 's/^host: //p')
    for LD in ld.lld ld.lld-22 "$SYSROOT/lib/rustlib/$host/bin/gcc-ld/ld.lld"; do
        links_for_platform && return
    done
    package=lld LD=ld.lld
    [ "$PLATFORM" != linux/s390x ] || package=lld-22 LD=ld.lld-22
    can_apt || fail "no linker for $PLATFORM: $LD, Debian's package $package"
    say "$LD is missing and is fetched:"
    run apt-get update -q
    apt_install "$package"
    links_for_platform || fail "$LD does not link for $PLATFORM ($EMULATION)"
}

links_for_platform() { "$LD" -m "$EMULATION" --version >/dev/null 2>&1; }

# Sets MUSL_DIR to a folder with the platform's libc.a and crt1.o: rustup's,
# Debian's, or that of Debian's package unpacked below target/.
use_musl() {
    find_musl && return
    if can_rustup && run rustup target add "$TRIPLE"; then
        find_musl && return
    fi
    { has apt-get && has dpkg-deb; } ||
        fail "no musl for $PLATFORM: rustup target add $TRIPLE, or Debian's package musl-dev:$DEBIAN"
    say "musl for $PLATFORM is fetched, and unpacked below target/:"
    fetch_deb musl-dev "target/musl/$DEBIAN" ||
        fail "no musl for $PLATFORM: Debian's package musl-dev:$DEBIAN cannot be fetched"
    find_musl || fail "no musl for $PLATFORM in Debian's package musl-dev:$DEBIAN"
}

find_musl() {
    for MUSL_DIR in "$SYSROOT/lib/rustlib/$TRIPLE/lib/self-contained" "/usr/lib/$MUSL" \
        "target/musl/$DEBIAN/usr/lib/$MUSL"; do
        [ -f "$MUSL_DIR/libc.a" ] && [ -f "$MUSL_DIR/crt1.o" ] && return
    done
    return 1
}

# rustup is here, and the toolchain in use is one of its own.
can_rustup() { has rustup && [ "$SYSROOT" = "$(rustc --print sysroot)" ]; }

# Unpacks the package $1 of the architecture $DEBIAN into the folder $2. The
# lists of that architecture are kept apart, so the machine's own stay as they are.
fetch_deb() {
    apt=target/apt/$DEBIAN
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    apt_conf "$ROOT/$apt" >"$apt/apt.conf"
    rm -rf "$2"
    mkdir -p "$2"
    (
        run cd "$apt"
        rm -f ./*.deb
        export APT_CONFIG="$ROOT/$apt/apt.conf"
        # A suite that cannot be read just now need not be the one with the package.
        run apt-get -qq update || say "going on with the suites that could be read"
        run apt-get -qq download "$1:$DEBIAN"
    ) && run dpkg-deb -x "$apt/$1"_*.deb "$2"
}

# apt's settings for the architecture $DEBIAN, with all its files in the folder $1.
apt_conf() {
    cat <<END
APT::Architecture "$DEBIAN";
APT::Architectures "$DEBIAN";
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State "$1/state";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
END
}
