# shellcheck shell=bash
# Sourced by the tests of this folder: TAP, and a scratch folder.
#
#   tests/support/tap.bash, and:
#   $scratch                     removed at the end, after stop_all
#   start NAME COMMAND...        a background process, log in $scratch/NAME.log
#   stop_all                     ends what start started

# shellcheck disable=SC2034  # for the tests
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bake-kube-test.XXXXXX")
pids=()
# shellcheck source=tests/support/tap.bash
. "$root/tests/support/tap.bash" "$scratch"

# is NAME GOT WANTED
is() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        not_ok "$1" "got:    $2"$'\n'"wanted: $3"
    fi
}

# has NAME TEXT PART
has() {
    if [[ $2 == *"$3"* ]]; then
        ok "$1"
    else
        not_ok "$1" "got:              $2"$'\n'"wanted something with: $3"
    fi
}

start() {
    local name=$1
    shift
    "$@" >"$scratch/$name.log" 2>&1 &
    pids+=($!)
}

# In reverse order: what was started later may need what was started before, to end well.
stop_all() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
    pids=()
}

# wait_for SECONDS COMMAND...: until the command passes
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            return 1
        fi
        sleep 0.2
    done
}

# The shell's exit status is kept: a test that breaks off has failed.
trap 'stop_all; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
