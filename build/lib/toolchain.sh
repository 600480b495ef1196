# Sourced: finds or fetches what the static binary is built with.
# shellcheck shell=sh
. build/lib/platform.sh

# The first version that knows -Cpanic=immediate-abort.
OLDEST_RUST=1.92

# Sets SYSROOT and MODE: the first Rust here, or that of $RUSTC, with the standard library's source, which
# is compiled with the program; or with that library prebuilt for the platform. Where there is none, it is
# fetched: by rustup, or as root from Debian.
use_rust() {
    MODE=source
    find_rust has_source && return
    MODE=prebuilt
    find_rust has_prebuilt && return
    MODE=source
    if find_rust true; then
        version=$("$SYSROOT/bin/rustc" --version)
        is_new_enough "${version#rustc }" || fail "$version is too old, $OLDEST_RUST or newer is needed:" \
            "rustup update, or Debian's rustc-web"
    fi
    if has rustup; then
        say "rustup's Rust has no source of the standard library; it is fetched:"
        run rustup component add rust-src && find_rust has_source && return
    fi
    if can_apt; then
        apt_update
        version=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: //p')
        is_new_enough "$version" || fail "Debian's rustc-web $version is too old, $OLDEST_RUST or newer is needed:" \
            "add Debian's security updates to apt's sources, or take rustup (https://rustup.rs)"
        say "Rust is missing:"
        # The linker is that of the newest LLVM.
        apt_install rustc-web cargo-web rust-web-src musl-dev \
            "$(apt-cache search --names-only '^lld-[0-9]*$' | sort -V | sed -n '$ s/ .*//p')" && find_rust has_source && return
    fi
    fail "Rust is missing, or the source of its standard library; either rustup (https://rustup.rs): rustup component add rust-src;" \
        "or on Debian as root: apt-get install rustc-web cargo-web rust-web-src musl-dev lld"
}

# is_new_enough VERSION: none is not.
is_new_enough() { [ -n "$1" ] && [ "$(printf '%s\n' "$OLDEST_RUST" "$1" | sort -V | head -n 1)" = "$OLDEST_RUST" ]; }

# Sets SYSROOT to the first toolchain here, or that of $RUSTC, for which `$1` holds.
find_rust() {
    for rustc in ${RUSTC:-rustc /usr/bin/rustc}; do
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

# Sets LD: the lld that rustup brings, which rustc finds by this name, else that
# of the compiler's own LLVM, else whichever is here.
use_linker() {
    version=$("$SYSROOT/bin/rustc" -vV)
    LD=rust-lld
    [ ! -x "$SYSROOT/lib/rustlib/$(say "$version" | sed -n 's/^host: //p')/bin/$LD" ] || return 0
    llvm=$(say "$version" | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    LD=ld.lld-$llvm
    if ! has "$LD" && ! can_apt && has ld.lld; then LD=ld.lld; fi
    need "$LD=lld-$llvm"
}

# Sets MUSL_DIR to a folder with the platform's libc.a and crt1.o: rustup's,
# Debian's, or that of Debian's package unpacked below target/.
use_musl() {
    find_musl && return
    # Not every platform has one: s390x's is Debian's.
    has rustup && [ "$SYSROOT" = "$(rustc --print sysroot)" ] && run rustup target add "$TRIPLE" 2>/dev/null && find_musl && return
    { has apt-get && has dpkg-deb && fetch_musl && find_musl; } ||
        fail "no musl for $PLATFORM: rustup target add $TRIPLE, or Debian's package musl-dev:$DEBIAN"
}

musl_version() { strings -a "$MUSL_DIR/libc.a" | grep -x '[0-9]\.[0-9]*\.[0-9]*'; }

find_musl() {
    for MUSL_DIR in "$SYSROOT/lib/rustlib/$TRIPLE/lib/self-contained" "/usr/lib/$MUSL" \
        "target/musl/$DEBIAN/usr/lib/$MUSL"; do
        [ -f "$MUSL_DIR/libc.a" ] && [ -f "$MUSL_DIR/crt1.o" ] && return
    done
    return 1
}

# Debian's sources of this machine, or only its archive's for the suite $1. No other source has other architectures.
debian_sources() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
        awk -v suite="${1-}" -v key=/usr/share/keyrings/debian-archive-keyring.gpg \
            'suite == "" || $2 !~ /-/ { print "deb [signed-by=" key "]", $1, suite == "" ? $2 : suite, $3 }'
}

# Unpacks Debian's musl of the architecture $DEBIAN below target/. Its lists are kept apart,
# so the machine's own stay as they are, and nobody need be root.
fetch_musl() {
    say "musl for $PLATFORM is fetched, and unpacked below target/:"
    case $DEBIAN in
        # Debian 12 has no riscv64. A mirror may be out of step with itself in one of these suites.
        riscv64) download_musl trixie || { say "trixie cannot be read just now; the next suite:" && download_musl forky; } ;;
        *) download_musl ;;
    esac && mkdir -p "target/musl/$DEBIAN" && run dpkg-deb -x "$apt"/musl-dev_*.deb "target/musl/$DEBIAN"
}

# download_musl [SUITE]: from this machine's suites, or that one.
download_musl() {
    apt=$ROOT/target/apt/$DEBIAN
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    rm -f "$apt"/*.deb
    debian_sources "$@" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<END
APT::Architecture "$DEBIAN";
APT::Architectures "$DEBIAN";
APT::Sandbox::User "root";
Dir::State "$apt/state";
Dir::State::status "/dev/null";
Dir::Cache "$apt/cache";
END
    # A machine whose lists were never read has no other sources than its own.
    [ ! -s "$apt/sources.list" ] ||
        say "Dir::Etc::sourcelist \"$apt/sources.list\"; Dir::Etc::sourceparts \"-\";" >>"$apt/apt.conf"
    (
        cd "$apt" || exit
        export APT_CONFIG="$apt/apt.conf"
        # A suite that cannot be read just now need not be the one with the package.
        run apt-get -qq update 2>apt.log || say "going on with the suites that could be read"
        run apt-get -qq download "musl-dev:$DEBIAN" 2>>apt.log
    )
}
