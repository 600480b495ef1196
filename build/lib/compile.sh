# Sourced: compiles and links a static binary.
# shellcheck shell=sh

# Compiles the probe for $PLATFORM, below target/static/$TRIPLE. Sizes are those
# of linux/amd64. Not here, since it costs 3,336 bytes: a position-independent executable.
compile() {
    FLAGS=
    # lld links for every platform, which no one C compiler does.
    flag "-Clinker=$LD" -Clinker-flavor=ld.lld
    flag -Ctarget-feature=+crt-static -Crelocation-model=static
    if [ "$MODE" = source ]; then
        source_flags
        set -- -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
        # Debian's source brings the crates that std is made of.
        vendor=$SYSROOT/lib/rustlib/src/rust/library/vendor
        [ ! -d "$vendor" ] || set -- "$@" --offline --config 'source.crates-io.replace-with="vendored"' \
            --config "source.vendored.directory=\"$vendor\""
        export RUSTC_BOOTSTRAP=1
    else
        say "The standard library's source is not to be had: its prebuilt form is linked, which makes a larger binary."
    fi
    say "$("$SYSROOT/bin/rustc" --version), $MODE standard library, $LD, $PLATFORM"
    RUSTC=$SYSROOT/bin/rustc CARGO_ENCODED_RUSTFLAGS=$FLAGS "$SYSROOT/bin/cargo" build --release --quiet --locked \
        --target "$TRIPLE" --target-dir target/static --bin probe "$@"
}

# Appends flags for rustc.
flag() { for one; do FLAGS=${FLAGS:+$FLAGS$(printf '\037')}$one; done; }

# For a standard library that is compiled with the program. Paths are relative
# where they can be: the same flags everywhere give the same bytes.
source_flags() {
    use_musl
    flag -Clink-self-contained=no "-Lnative=$MUSL_DIR" "-Clink-arg=$MUSL_DIR/crt1.o"
    # A panic ends the process without a message or tables for unwinding.
    flag -Zunstable-options -Cpanic=immediate-abort
    # musl's targets have those tables all the same: 11,656 bytes.
    flag -Cforce-unwind-tables=no
    # std asks for libunwind, of which nothing is left to use: an archive of nothing.
    mkdir -p target/empty
    printf '!<arch>\n' >target/empty/libunwind.a
    flag -Lnative=target/empty
    case $PLATFORM in
        # Atomic operations inline, and not through a table of the C compiler's library.
        linux/arm64) flag -Ctarget-feature=-outline-atomics ;;
        # Thumb code is a fifth smaller than ARM code, and every processor that
        # runs Linux since ARMv4T has it.
        linux/arm/v6) flag -Ctarget-feature=+thumb-mode ;;
        # Does not link without: one table of addresses for all code keeps std's unused unwinder in.
        linux/ppc64le)
            flag -Clink-arg=--defsym=_Unwind_GetTextRelBase=abort -Clink-arg=--defsym=_Unwind_GetDataRelBase=abort ;;
    esac
}
