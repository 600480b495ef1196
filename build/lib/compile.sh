# Sourced: compiles a static binary.
# shellcheck shell=sh

# Compiles for $PLATFORM with the toolchain that is in use; `$@` names what,
# in cargo's words: --bin probe. The result is below target/static/$TRIPLE.
compile() {
    FLAGS=
    common_flags
    if [ "$MODE" = source ]; then
        source_flags
        set -- "$@" -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
        vendor=$SYSROOT/lib/rustlib/src/rust/library/vendor
        if [ -d "$vendor" ]; then
            set -- "$@" --offline --config 'source.crates-io.replace-with="vendored"' \
                --config "source.vendored.directory=\"$vendor\""
        fi
        export RUSTC_BOOTSTRAP=1
    else
        say "The standard library's source is not here: its prebuilt form is linked, which makes a larger binary."
        say "(rustup component add rust-src, or Debian's rustc-web cargo-web rust-web-src, make the small one.)"
    fi
    say "$("$SYSROOT/bin/rustc" --version), $MODE standard library, $PLATFORM"
    RUSTC=$SYSROOT/bin/rustc CARGO_ENCODED_RUSTFLAGS=$FLAGS \
        "$SYSROOT/bin/cargo" build --release --quiet --locked \
        --target "$TRIPLE" --target-dir target/static "$@"
}

# Appends a flag for rustc.
flag() { FLAGS=${FLAGS:+$FLAGS$(printf '\037')}$1; }

link_arg() { flag "-Clink-arg=$1"; }

common_flags() {
    # The linker is called directly: no C compiler knows all platforms.
    flag "-Clinker=$LD"
    flag -Clinker-flavor=ld.lld
    flag -Cstrip=symbols
    flag -Ctarget-feature=+crt-static
    flag -Crelocation-model=static
    # Nothing reads the build id; an image is named by its digest.
    link_arg --build-id=none
    # Constants share a segment with code: a page fault less.
    link_arg --no-rosegment
    if [ "$PLATFORM" = linux/amd64 ]; then
        # What is written to at every start has one page, and not the ends of
        # two. Elsewhere a page may be large, and so would be the gap before it.
        link_arg -zseparate-loadable-segments
        link_arg --symbol-ordering-file=build/symbol-order.txt
        link_arg --no-warn-symbol-ordering
    else
        link_arg -znoseparate-code
    fi
    # A static executable at fixed addresses has next to nothing to relocate.
    link_arg -znorelro
    # Functions with the same code are one.
    link_arg --icf=all
}

# For a standard library that is compiled with the program. Paths are relative
# where they can be: the same flags everywhere give the same bytes, and the
# same flags again compile nothing again.
source_flags() {
    use_musl
    # A panic ends the process at once; its message, its place in the source and
    # the tables for unwinding are left out.
    flag -Zunstable-options
    flag -Cpanic=immediate-abort
    flag -Zlocation-detail=none
    flag -Zfmt-debug=none
    flag -Cforce-unwind-tables=no
    # Tables of addresses, one a case, are larger than comparisons.
    flag -Cllvm-args=--min-jump-table-entries=100
    # std's unwind crate asks for libunwind, of which nothing is left to use.
    mkdir -p target/empty
    ar crs target/empty/libunwind.a
    flag -Lnative=target/empty
    flag -Clink-self-contained=no
    flag "-Lnative=$MUSL_DIR"
    link_arg "$MUSL_DIR/crt1.o"
    # Parts of the C library that std refers to and the probe never reaches:
    # no thread has a name (its setting would bring printf, 13 KB), and nothing
    # is aligned to more than 16 bytes (1 KB).
    link_arg --defsym=pthread_setname_np=abort
    link_arg --defsym=posix_memalign=abort
    # All that std asks of sysconf is the size of a page (1 KB). No C stream is
    # open at exit(3), so that hook does as little as its neighbour (0.4 KB). An
    # alias has no second entry, which calls on ppc64le want.
    if [ "$PLATFORM" != linux/ppc64le ]; then
        link_arg --defsym=sysconf=getpagesize
        link_arg --defsym=__stdio_exit=__funcs_on_exit
    fi
    case $PLATFORM in
        # Atomic operations inline, and not through a table of the C compiler's library.
        linux/arm64) flag -Ctarget-feature=-outline-atomics ;;
        # Thumb code is a fifth smaller than ARM code, and every processor that
        # runs Linux since ARMv4T has it.
        linux/arm/v6) flag -Ctarget-feature=+thumb-mode ;;
        # One table of addresses for all code keeps std's unused unwinder in.
        linux/ppc64le)
            link_arg --defsym=_Unwind_GetTextRelBase=abort
            link_arg --defsym=_Unwind_GetDataRelBase=abort
            ;;
    esac
}
