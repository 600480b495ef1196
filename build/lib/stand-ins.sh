# Sourced: stands in for images that cannot be pulled everywhere.
# shellcheck shell=sh
. "$(dirname "$0")/../../../build/lib/docker.sh"

# An image to build with, as rust:1.96-alpine is one: Rust and a linker from this
# machine's Debian packages, all other commands busybox's. apk and rustup do
# nothing, since all that they would fetch is there.
rust_image() {
    need busybox=busybox-static /usr/bin/rustc=rustc-web /usr/bin/cargo=cargo-web musl-gcc=musl-tools
    need /usr/lib/rustlib/src/rust/library/std/Cargo.toml=rust-web-src
    # The packages, and all that they depend on; first the folders that /bin and the like point to.
    # dash, since Debian's busybox sh would run its own ar, and not the one of binutils.
    apt-cache depends --recurse --important --installed \
        rustc-web cargo-web rust-web-src "$(RUSTC=/usr/bin/rustc && use_rust && use_linker && say "${LD#ld.}")" \
        musl-dev binutils gcc libc6-dev dash base-files |
        grep '^[a-z]' | sort -u | xargs dpkg-query --listfiles 2>/dev/null |
        grep -v -e '^/usr/share/' -e '^/etc/alternatives' | sort -u |
        tar --create --file "$CONTEXT/rust.tar" --no-recursion /usr/bin /usr/sbin /usr/lib /usr/lib64 --files-from - 2>/dev/null || :
    cp "$(command -v busybox)" "$CONTEXT"
    printf '#!/bin/sh\n' | tee "$CONTEXT/apk" >"$CONTEXT/rustup"
    chmod +x "$CONTEXT/apk" "$CONTEXT/rustup"
    docker_build "$NAME/rust" "$CONTEXT" <<'END'
FROM scratch
ADD rust.tar /
COPY busybox apk rustup /usr/bin/
RUN busybox --install -s /usr/bin && ln -sf gcc /usr/bin/cc
END
    rm "$CONTEXT/rust.tar"
}

# TorrServer's image: a shell is in it, with the libraries that Debian's other package of
# busybox wants. Torrlite's: nothing else is.
torrserver_images() {
    need busybox=busybox-static
    install -D "$(command -v busybox)" "$CONTEXT/shell/bin/sh"
    ldd "$CONTEXT/shell/bin/sh" 2>/dev/null | grep -o '/lib[^ ]*' | xargs -r cp -L --parents -t "$CONTEXT/shell"
    docker_build "$NAME/torrserver" "$CONTEXT" <<'END'
FROM scratch
COPY shell /
COPY stand_in /
CMD ["/bin/sh", "-c", "exec /stand_in"]
END
    docker_build "$NAME/torrlite" "$CONTEXT" <<'END'
FROM scratch
COPY stand_in /
ENTRYPOINT ["/stand_in"]
END
}
