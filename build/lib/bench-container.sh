# Sourced by build/bench: what a check costs in a container.
# shellcheck shell=sh

# The CPU time that the container has had, in microseconds.
container_cpu() {
    if [ "$(basename "$accounting")" = cpu.stat ]; then
        sed -n 's/^usage_usec //p' "$accounting"
    else
        say $(($(cat "$accounting") / 1000))
    fi
}

# What one `docker exec` of a command adds to that, in the mean; an engine makes
# every health check in this way.
check_cost() {
    before=$(container_cpu)
    done=0
    while [ $done -lt "$CHECKS" ]; do
        docker exec "$container" "$@" >/dev/null 2>&1 || fail "in the container: $* failed"
        done=$((done + 1))
    done
    say $((($(container_cpu) - before) / CHECKS))
}

# An image out of files of this machine: the server, the probe, and what a
# shell and curl need.
make_image() {
    root=$SCRATCH/image
    mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/etc"
    cp "$BENCH" "$root/server"
    cp "$FLOOR" "$root/floor"
    cp "$DIST/probe" "$root/probe"
    cp -L "$(command -v busybox)" "$root/bin/sh"
    cp -L "$(command -v curl)" "$root/bin/curl"
    for binary in "$(command -v busybox)" "$(command -v curl)"; do
        ldd "$binary" 2>/dev/null | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p'
    done | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
    image=$(tar -C "$root" -c . | docker import - 2>/dev/null)
}

in_container() {
    make_image
    container=$(docker run -d --network none "$image" /server serve "$PORT" 0)
    accounting=$(find /sys/fs/cgroup -path "*$container*" \( -name cpuacct.usage -o -name cpu.stat \) 2>/dev/null |
        grep -E 'cpuacct.usage|/cgroup/(system.slice/)?docker' | head -n 1)
    [ -n "$accounting" ] || {
        say "Left out: the container's CPU accounting is not below /sys/fs/cgroup here."
        return
    }
    docker exec "$container" /probe -q -w 5s "$URL"
    say "| check in a container | CPU time |"
    say "|---|--:|"
    nothing=$(check_cost /floor)
    exec_form=$(check_cost /probe "$URL")
    shell_form=$(check_cost /bin/sh -c "curl -f $URL || exit 1")
    awk -v floor="$nothing" -v probe="$exec_form" -v curl="$shell_form" -v url="$URL" 'BEGIN {
        row = "| `%s` | %.2f |\n"
        printf row, "CMD [\"/probe\", \"" url "\"]", 1
        printf row, "CMD curl -f " url " \\|\\| exit 1", curl / probe
        printf row, "CMD [\"/floor\"], five system calls", floor / probe
    }'
    say
    say "Means of $CHECKS checks each, as multiples of the probe's $exec_form microseconds: the container's CPU time by" \
        "its cgroup, which includes what the engine does in it to start a process, and the server's share."
}

say
if ! has docker || ! docker version >/dev/null 2>&1; then
    say "Left out: what a check costs in a container. No Docker engine runs here."
elif ! has busybox || ! has curl; then
    say "Left out: what a check costs in a container. It needs busybox and curl for the image."
else
    in_container
fi
