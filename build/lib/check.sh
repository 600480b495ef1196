# Sourced: how the tests here are counted and reported.
# shellcheck shell=sh

PASSED=0
FAILED=0

# check SENTENCE COMMAND...: says whether the command holds.
check() {
    sentence=$1
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
        say "ok: $sentence"
    else
        FAILED=$((FAILED + 1))
        say "FAILED: $sentence"
    fi
}

# The closing line; its result is the test's.
finish() {
    say "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}

# within SECONDS COMMAND...: tries the command until it holds.
within() {
    end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

contains() { case $1 in *"$2"*) ;; *) say "want \"$2\" in: $1" && false ;; esac }

equal() { [ "$1" = "$2" ] || { say "want $2, got $1" && false; }; }
