# shellcheck shell=bash
# Sourced by scripts that take packages or sources from the machine's own
# Debian mirror without root and without touching the machine's apt state.
#
#   apt_open DIR    makes a private apt state under DIR, with deb and deb-src
#                   entries for the Debian archives the machine is configured
#                   for, and updates it
#   apt_private ... runs apt-get on that state
#
# apt checks every file it hands over: the archive's signature covers the
# index, the index the file. A failed check is a failed command.

_apt_opts=()

apt_private() {
    apt-get -q "${_apt_opts[@]}" "$@"
}

# Lines "URI SUITE COMPONENT" of the machine's binary indexes whose signed
# Release file says Debian. $@: further apt options.
_apt_archives() {
    local uri suite component origin
    # shellcheck disable=SC2016  # the $(NAME)s are apt's, not the shell's
    apt-get indextargets "$@" --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
        while read -r uri suite component origin; do
            if [[ $origin == Debian ]]; then
                printf '%s %s %s\n' "$uri" "$suite" "$component"
            fi
        done | sort -u
}

apt_open() {
    local dir=$1 key=/usr/share/keyrings/debian-archive-keyring.gpg option='' archives line
    mkdir -p "$dir"/etc "$dir"/lists/partial "$dir"/cache/archives/partial
    # An empty user name: apt fetches as who runs it, not as _apt, which may
    # not be able to read DIR.
    local common=(-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=
        -o Debug::NoLocking=true -o Acquire::Retries=3 -o Acquire::Languages=none)

    archives=$(_apt_archives)
    if [[ -z $archives ]]; then
        # No indexes on this machine (a trimmed container, say): fetch them
        # once, privately. Archives other than Debian's may fail here.
        apt-get -q "${common[@]}" update >"$dir/update.log" 2>&1 || true
        archives=$(_apt_archives "${common[@]}")
    fi
    if [[ -z $archives ]]; then
        echo "no Debian archive among this machine's apt sources; see apt-get indextargets and $dir/update.log" >&2
        return 1
    fi
    if [[ -r $key ]]; then
        option="[signed-by=$key] "
    fi
    while read -r line; do
        printf 'deb %s%s\ndeb-src %s%s\n' "$option" "$line" "$option" "$line"
    done <<<"$archives" >"$dir/etc/sources.list"
    _apt_opts=("${common[@]}" -o "Dir::Etc::sourcelist=$dir/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null)
    if ! apt_private update >"$dir/update.log" 2>&1; then
        cat "$dir/update.log" >&2
        return 1
    fi
}
