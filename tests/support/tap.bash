# shellcheck shell=bash
# Sourced by the shell suites with a temporary folder as argument. Prints TAP on standard output.
#
#   check NAME COMMAND...   one case: passes if COMMAND succeeds. COMMAND runs in this shell; on failure, the ends of its output
#                           and of the files in the array tap_show are printed
#   ok NAME, not_ok NAME [TEXT], skip NAME REASON
#   tap_end                 prints the plan and returns the suite's status
#
# The plan comes last: a suite that breaks off prints none, which tests/run counts as a failure.

tap_dir=$1
tap_show=()
tap_count=0
failed=0

ok() {
    tap_count=$((tap_count + 1))
    printf 'ok - %s\n' "$1"
}

not_ok() {
    tap_count=$((tap_count + 1))
    failed=$((failed + 1))
    printf 'not ok - %s\n' "$1"
    [ -z "${2-}" ] || printf '%s\n' "${2:0:3000}" | sed 's/^/    | /'
}

skip() { ok "$1 # SKIP $2"; }

check() {
    local tap_name=$1 tap_file
    shift
    if "$@" >"$tap_dir/log" 2>&1; then
        ok "$tap_name"
        return
    fi
    not_ok "$tap_name" "$(tail -n 15 "$tap_dir/log")"
    for tap_file in "${tap_show[@]}"; do
        [ ! -s "$tap_file" ] || tail -n 40 "$tap_file" | cut -c 1-400 | sed 's/^/    | /'
    done
}

tap_end() {
    printf '1..%d\n' "$tap_count"
    [ "$failed" = 0 ] && [ "$tap_count" -gt 0 ]
}
