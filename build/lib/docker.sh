# Sourced: a real Docker engine for the tests, left as it was found.
# shellcheck shell=sh

# Ends the test, loudly, where no engine answers. Sets NAME, with which
# everything that the test makes begins.
use_docker() {
    if ! docker info >/dev/null 2>&1; then
        [ -z "${REQUIRE_DOCKER-}" ] || fail "no Docker engine answers, and REQUIRE_DOCKER is set"
        say "NOT RUN: $0: no Docker engine answers. Nothing was tested in containers."
        exit 0
    fi
    NAME=probe-test-$$
    make_scratch
    : >"$SCRATCH/made"
    trap 'remove_made; rm -rf "$SCRATCH"' EXIT
}

# made KIND NAME: something to be removed at the end, the last one first.
made() { say "$*" >>"$SCRATCH/made"; }

remove_made() {
    # What cannot be removed does not keep the rest.
    set +e
    tac "$SCRATCH/made" | while read -r kind name; do
        case $kind in
            container) docker rm --force --volumes "$name" ;;
            image) docker rmi --force "$name" ;;
            network) docker network rm "$name" ;;
            volume) docker volume rm "$name" ;;
            stack) docker stack rm "$name" ;;
            service) docker service rm "$name" ;;
            swarm) docker swarm leave --force ;;
            process) kill "$name" ;;
            compose) docker-compose --file "$name" --project-name "$NAME" down --volumes ;;
        esac
    done >/dev/null 2>&1
}

# An image of the probe and the stand-in server, from scratch: $NAME/server.
build_server_image() {
    build_stand_in
    mkdir "$SCRATCH/server"
    cp "$DIST/probe" "$STAND_IN" "$SCRATCH/server"
    cat >"$SCRATCH/server/Dockerfile" <<'END'
FROM scratch
COPY probe stand_in /
HEALTHCHECK --interval=1s --timeout=2s --retries=3 CMD ["/probe", "--timeout", "500ms", "http://localhost:${TS_PORT:-8090}/echo"]
ENTRYPOINT ["/stand_in"]
END
    docker_build "$NAME/server" "$SCRATCH/server"
}

# Sets STAND_IN to the stand-in server for this machine, static too.
build_stand_in() {
    use_platform "$(host_platform)"
    [ -x "$DIST/probe" ] || build/static
    use_toolchain
    use_linker
    compile --example stand_in
    STAND_IN=target/static/$TRIPLE/release/examples/stand_in
}

# Docker's builder since version 23. An older engine has it too, and its own
# client knows how to ask for it, as one newer than 23 without buildx does not.
use_buildkit() {
    export DOCKER_BUILDKIT=1
    printf 'FROM scratch\nCOPY made /\n' >"$SCRATCH/Dockerfile"
    for DOCKER in docker /usr/bin/docker; do
        "$DOCKER" build --quiet "$SCRATCH" >"$SCRATCH/buildkit" 2>/dev/null || continue
        made image "$(cat "$SCRATCH/buildkit")"
        return
    done
    fail "no client here can ask for BuildKit: Debian's package docker.io has one"
}

DOCKER=docker

# docker_build IMAGE CONTEXT...: without the network, which no test needs.
docker_build() {
    image=$1
    shift
    made image "$image"
    run "$DOCKER" build --quiet --network none --tag "$image" "$@" >"$SCRATCH/build.log" 2>&1 ||
        { cat "$SCRATCH/build.log" && fail "$image cannot be built"; }
}

# start NAME DOCKER-RUN-ARGUMENTS...: a container in the background.
start() {
    container=$1
    shift
    made container "$container"
    docker run --detach --name "$container" "$@" >/dev/null
}

# state NAME FIELD...: what docker inspect says, in one line.
state() {
    inspected=$1 format=
    shift
    for field; do
        format="$format${format:+ }{{$field}}"
    done
    docker inspect --format "$format" "$inspected"
}

health() { state "$1" .State.Health.Status; }

is_health() { [ "$(health "$1")" = "$2" ]; }

# The last check's exit code and line.
last_check() {
    docker inspect --format '{{range .State.Health.Log}}{{println .ExitCode .Output}}{{end}}' "$1" | grep . | tail -n 1
}
