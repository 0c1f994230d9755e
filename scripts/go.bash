# shellcheck shell=bash
# Sourced by the scripts that build Go programs from modules. Debian's Go is too old to build them, but it can fetch
# a newer one, which is a module, too, and check it.
#
#   go_open DIR WORK   puts the pinned Go into DIR/go-VERSION unless it is there, and sets $go; modules and the build
#                      cache go to WORK
#   go_close           removes what was fetched and compiled, but for the pinned Go itself
#
# Every module is checked: the pinned Go against the sum below, all others by Go against the go.sum of the module that
# is built. Where modules come from is Go's own default, or what GOPROXY says.

go_version=1.26.5
go_sum=h1:/yCM7qVQu6sYYUewQ39rtTtRMYMHdbP9oNjgp+lEV9w=
# Debian's by its path: another one may come first in PATH.
debian_go=/usr/lib/go/bin/go

_go_fetch() {
    local at=$1 module=golang.org/toolchain@v0.0.1-go$go_version.linux-amd64 said dir
    [[ -x $debian_go ]] || { echo "$debian_go is missing: run scripts/setup, or install golang-go" >&2; return 1; }
    rm -rf "$at".new
    mkdir -p "$at".new
    if ! said=$(GOPATH=$at.new GOCACHE=$at.new/cache "$debian_go" mod download -json "$module"); then
        echo "cannot fetch Go $go_version: ${said:-see above}" >&2
        return 1
    fi
    if [[ $said != *"\"Sum\": \"$go_sum\""* ]]; then
        rm -rf "$at".new
        echo "Go $go_version is not what it was when it was chosen: its sum is not $go_sum" >&2
        return 1
    fi
    dir=$at.new/pkg/mod/$module
    chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* # modules hold no modes
    mv "$dir" "$at"
    rm -rf "$at".new
}

go_open() {
    local dir=$1 work=$2 old
    # Nothing of the caller's own Go may change what is built.
    unset GOROOT GOTOOLDIR GOMODCACHE GOWORK
    export GOENV=off GOFLAGS=-modcacherw GOTOOLCHAIN=local GO111MODULE=on GOEXPERIMENT='' GO_EXTLINK_ENABLED=0
    export CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1
    export GOPATH=$work/go GOCACHE=$work/go-cache GOTMPDIR=$work
    go=$dir/go-$go_version/bin/go
    mkdir -p "$dir"
    (
        flock 8
        [[ -x $go ]] || _go_fetch "$dir/go-$go_version"
        for old in "$dir"/go-*; do
            [[ $old == "$dir/go-$go_version" ]] || rm -rf "$old"
        done
    ) 8>"$dir/.go.lock"
}

go_close() {
    rm -rf "${GOPATH:?}" "${GOCACHE:?}"
}
