# Sourced: a real Docker engine for the tests, left as it was found.
# shellcheck shell=sh
. "$(dirname "$0")/../../../build/lib/check.sh"
. build/lib/artifact.sh

DOCKER=docker

has_docker() { docker info >/dev/null 2>&1; }

# Ends the test where no engine answers. Sets NAME, with which everything that
# the test makes begins.
use_docker() {
    has docker || cannot_run "there is no docker command"
    has_docker || cannot_run "no Docker engine answers"
    NAME=probe-test-$$
}

# Docker's builder since version 23. An older engine has it too, and its own
# client knows how to ask for it, as one newer than 23 without buildx does not.
use_buildkit() {
    want /usr/libexec/docker/cli-plugins/docker-buildx=docker-buildx
    export DOCKER_BUILDKIT=1
    for DOCKER in docker /usr/bin/docker; do
        printf 'FROM scratch\nCOPY probe /\n' | docker_build "$NAME/buildkit" "$CONTEXT" >/dev/null && return
    done
    fail "no client here can ask for BuildKit; Debian has one in docker.io, or in docker-buildx"
}

# A swarm of one node, which is all that an engine can be in: tests take turns.
start_swarm() {
    exec 9<"$(command -v docker)"
    flock 9
    # One that a killed test left: who has the lock is its only user.
    [ "$(docker node inspect --format '{{index .Spec.Labels "probe-test"}}' self 2>/dev/null)" != yes ] ||
        docker swarm leave --force >/dev/null
    if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ] &&
        docker swarm init --advertise-addr 127.0.0.1 >/dev/null 2>&1; then
        at_exit docker swarm leave --force
        docker node update --label-add probe-test=yes "$(docker info --format '{{.Swarm.NodeID}}')" >/dev/null
    else
        not_run "$1" "the engine is in a swarm already, or cannot make one" && false
    fi
}

# Sets CONTEXT to a folder with what images are made of: the probe, and the
# stand-in server for this machine, static too.
use_context() {
    use_probe
    use_rust
    CONTEXT=$SCRATCH/context
    mkdir "$CONTEXT"
    cp "$PROBE" "$CONTEXT"
    compile_stand_in "$CONTEXT/stand_in" -Ctarget-feature=+crt-static
}

# docker_build IMAGE CONTEXT...: by the Dockerfile on stdin, without the network, unless NETWORK names one.
docker_build() {
    image=$1
    shift
    at_exit docker rmi --force "$image"
    quietly "$DOCKER" build --quiet --network "${NETWORK:-none}" --tag "$image" --file - "$@"
}

# Both in an image from scratch: $NAME/server.
build_server_image() {
    use_context
    docker_build "$NAME/server" "$CONTEXT" <<'END'
FROM scratch
COPY probe stand_in /
HEALTHCHECK --interval=1s --timeout=30s --retries=3 CMD ["/probe", "--timeout", "500ms", "http://localhost:${TS_PORT:-8090}/echo"]
ENTRYPOINT ["/stand_in"]
END
}

# start NAME DOCKER-RUN-ARGUMENTS...: a container in the background.
start() {
    container=$1
    shift
    at_exit docker rm --force --volumes "$container"
    docker run --detach --name "$container" "$@" >/dev/null
}

# state NAME FORMAT: what docker inspect says.
state() { docker inspect --format "$2" "$1"; }

is_health() { [ "$(state "$1" '{{if .State.Health}}{{.State.Health.Status}}{{end}}')" = "$2" ]; }

# The last check's exit code and line.
last_check() { state "$1" '{{range .State.Health.Log}}{{println .ExitCode .Output}}{{end}}' | grep . | tail -n 1; }
