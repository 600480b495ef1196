# Sourced: stands in for images that cannot be pulled everywhere.
# shellcheck shell=sh

# An image to build with, as rust:1-alpine is one: Rust and a linker from this
# machine's Debian packages, all other commands busybox's. apk and rustup only
# say what they were asked for, since all of that is there.
rust_image() {
    need busybox busybox-static
    builder=$SCRATCH/rust
    mkdir -p "$builder/usr/bin" "$builder/usr/sbin" "$builder/usr/lib" "$builder/usr/lib64" "$builder/tmp"
    for folder in bin sbin lib lib64; do
        ln -s "usr/$folder" "$builder/$folder"
    done
    # The packages, and all that they depend on.
    apt-cache depends --recurse --important --installed \
        rustc-web cargo-web rust-web-src lld-22 musl-dev binutils gcc libc6-dev |
        grep '^[a-z]' | sort -u | xargs dpkg-query --listfiles 2>/dev/null |
        grep -v -e '^/usr/share/' -e '^/etc/alternatives' | sort -u |
        while read -r file; do
            if [ -f "$file" ] || [ -h "$file" ]; then say "$file"; fi
        done >"$SCRATCH/files"
    tar --create --directory / --files-from "$SCRATCH/files" --no-recursion 2>/dev/null |
        tar --extract --directory "$builder" --keep-directory-symlink
    cp "$(command -v busybox)" "$builder/usr/bin/busybox"
    # Debian's busybox sh would run its own ar, and not the one of binutils.
    cp "$(command -v dash)" "$builder/usr/bin/sh"
    ln -s gcc "$builder/usr/bin/cc"
    for applet in $(busybox --list); do
        [ -e "$builder/usr/bin/$applet" ] || ln -s busybox "$builder/usr/bin/$applet"
    done
    for command in apk rustup; do
        printf '#!/bin/sh\necho "stand-in: %s $*"\n' "$command" >"$builder/usr/bin/$command"
        chmod +x "$builder/usr/bin/$command"
    done
    at_exit docker rmi --force "$NAME/rust"
    tar --create --directory "$builder" . | docker import --change 'ENV PATH=/usr/sbin:/usr/bin' - "$NAME/rust" >/dev/null
    rm -rf "$builder"
}

# TorrServer's image: a shell is in it. Torrlite's: nothing else is.
torrserver_images() {
    need busybox busybox-static
    build_stand_in
    mkdir "$SCRATCH/images"
    cp "$(command -v busybox)" "$STAND_IN" "$SCRATCH/images"
    printf 'FROM scratch\nCOPY busybox /bin/sh\nCOPY stand_in /\nCMD ["/bin/sh", "-c", "exec /stand_in"]\n' \
        >"$SCRATCH/images/torrserver"
    printf 'FROM scratch\nCOPY stand_in /\nENTRYPOINT ["/stand_in"]\n' >"$SCRATCH/images/torrlite"
    for image in torrserver torrlite; do
        docker_build "$NAME/$image" --file "$SCRATCH/images/$image" "$SCRATCH/images"
    done
}
