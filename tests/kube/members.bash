# shellcheck shell=bash
# Sourced by member-test and lists-test, in a network namespace of their own: nodes a to e, each with a disk, the agent
# and real etcd, and a writer that notes what etcd acknowledged.
#
#   nodes            the members; list: their cluster-nodes
#   up, down, wipe   a node; tell: gives running ones the list of today
#   whole            waits until all of nodes are healthy, and the only members
agent=$scratch/bake-agent # a copy: a build may be under way
cp "${B:-$root/build}/bake-agent" "$agent"
payload=${BAKE_FIXTURES:-${XDG_CACHE_HOME:-$HOME/.cache}/bake-fixtures}/payload

# --- the network: one namespace a node, since etcd compares a peer's address with its certificate ---

ip link set lo up
ip link add bridge0 type bridge
ip address add 10.99.0.254/24 dev bridge0
ip link set bridge0 up
declare -A ip=() node_pid=() space=()
elsewhere() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }
for i in 1 2 3 4 5; do
    name=$(echo abcde | cut -c "$i")
    ip[$name]=10.99.0.$i
    unshare --net sleep infinity &
    space[$name]=$!
    pids+=($!)
    wait_for 300 elsewhere "${space[$name]}"
    ip link add name "node-$name" type veth peer name eth0 netns "${space[$name]}"
    ip link set "node-$name" master bridge0 up
    nsenter --net --target "${space[$name]}" ip link set lo up
    nsenter --net --target "${space[$name]}" ip address add "${ip[$name]}/24" dev eth0
    nsenter --net --target "${space[$name]}" ip link set eth0 up
done

# --- certificates ---

pki=$scratch/pki
mkdir "$pki"
quietly() { "$@" >>"$scratch/openssl.log" 2>&1; }

authority() { # NAME
    quietly openssl req -x509 -newkey ed25519 -nodes -days 30 -subj "/CN=$1" -keyout "$pki/$1.key" -out "$pki/$1.crt"
}
leaf() { # NAME SAN
    quietly openssl req -newkey ed25519 -nodes -subj "/CN=$1" -keyout "$pki/$1.key" -out "$pki/$1.csr"
    printf 'extendedKeyUsage=serverAuth,clientAuth\n%s\n' "${2:+subjectAltName=$2}" >"$pki/$1.ext"
    quietly openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
        -extfile "$pki/$1.ext" -out "$pki/$1.crt"
}
authority ca
leaf client ''
for name in a b c d e; do
    leaf "$name" "IP:${ip[$name]},IP:127.0.0.1"
done
secret=$(openssl rand -hex 32)

# --- nodes ---

nodes=(a b c)
disk() { echo "$scratch/node-$1"; }
list() { for n in "${nodes[@]}"; do printf ',%s=%s' "$n" "${ip[$n]}"; done | cut -c 2-; }

# What a node's metadata says by now, as bake-watch saves it.
tell() { # NAME...
    local name at
    for name; do
        at=$(disk "$name")/var/lib/bake
        cat >"$at/new" <<EOF
{"name":"$name","id":1234,"hostname":"$name.test.internal","zone":"projects/1/zones/z","networkInterfaces":[{"ip":"${ip[$name]}"}],
"attributes":{"cluster-name":"test","cluster-nodes":"$(list)"}}
EOF
        mv "$at/new" "$at/metadata.json"
    done
}
# What boot leaves: no part of it is etcd's disk. Written again at each start.
configure() { # NAME
    local at
    at=$(disk "$1")
    rm -rf "$at/run"
    mkdir -p "$at"/{run/bake,var/lib/bake,var/lib/private/etcd,etc/kubernetes/pki/{admin,agent}}
    chmod 700 "$at/var/lib/private/etcd"
    tell "$1"
    cat >"$at/run/bake/etcd.env" <<EOF
ETCD_NAME=$1
ETCD_DATA_DIR=$at/var/lib/private/etcd
ETCD_LOGGER=zap
ETCD_LOG_OUTPUTS=$at/etcd.log
ETCD_LISTEN_CLIENT_URLS=https://${ip[$1]}:2379
ETCD_ADVERTISE_CLIENT_URLS=https://${ip[$1]}:2379
ETCD_LISTEN_PEER_URLS=https://${ip[$1]}:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://${ip[$1]}:2380
ETCD_INITIAL_CLUSTER_TOKEN=test
ETCD_CERT_FILE=$pki/$1.crt
ETCD_KEY_FILE=$pki/$1.key
ETCD_TRUSTED_CA_FILE=$pki/ca.crt
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_CERT_FILE=$pki/$1.crt
ETCD_PEER_KEY_FILE=$pki/$1.key
ETCD_PEER_TRUSTED_CA_FILE=$pki/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH=true
EOF
    cp "$pki/ca.crt" "$at/etc/kubernetes/pki/admin/etcd-ca.crt"
    cp "$pki/client.crt" "$at/etc/kubernetes/pki/admin/etcd-client.crt"
    cp "$pki/client.key" "$at/etc/kubernetes/pki/admin/etcd-client.key"
    echo "${secret_of[$1]:-$secret}" >"$at/etc/kubernetes/pki/agent/peer.key"
}
declare -A secret_of=()

up() { # NAME [KILLS]
    configure "$1"
    nsenter --net --target "${space[$1]}" "$root/tests/kube/member-node" "$(disk "$1")" "$agent" "$payload/etcd" "${2:-0}" \
        >>"$(disk "$1")/node.log" 2>&1 &
    node_pid[$1]=$!
    pids+=($!)
}
down() { # NAME...: as a power failure
    local name
    for name; do
        kill "${node_pid[$name]}" 2>/dev/null || true
        wait "${node_pid[$name]}" 2>/dev/null || true
    done
}
wipe() { local name; for name; do rm -rf "$(disk "$name")"; done; }
log() { cat "$(disk "$1")/node.log"; }
says() { grep -qF -- "$2" "$(disk "$1")/node.log"; }
logged() { grep -qF -- "$1" "$scratch"/node-?/node.log; }
state_of() { sed -n 's/^ETCD_INITIAL_CLUSTER_STATE=//p' "$(disk "$1")/run/bake/etcd-join.env" 2>/dev/null; }

ctl() { # NAME... -- ARGUMENT...
    local ends=()
    while [[ $1 != -- ]]; do
        ends+=("https://${ip[$1]}:2379")
        shift
    done
    shift
    timeout 10 "$payload/etcdctl" --endpoints "$(IFS=,; echo "${ends[*]}")" --cacert "$pki/ca.crt" \
        --cert "$pki/client.crt" --key "$pki/client.key" --command-timeout=4s "$@"
}
healthy() { local name; for name; do ctl "$name" -- endpoint health || return 1; done; }
# The members that one of them lists, as NAMEs, if all have started.
members() { ctl "$1" -- member list -w simple | awk -F', ' '{print $2 == "started" ? $3 : $2}' | sort | xargs; }
leader() {
    local name
    for name in "${nodes[@]}"; do
        if ctl "$name" -- endpoint status -w json 2>/dev/null | jq -e '.[0].Status | .leader == .header.member_id' >/dev/null; then
            echo "$name" >"$scratch/leader"
            return
        fi
    done
    return 1
}
# the_leader: prints it, once there is one
the_leader() {
    wait_for 300 leader
    cat "$scratch/leader"
}
are_members() { healthy "${nodes[@]}" && [[ $(members "${nodes[0]}") == "${nodes[*]}" ]]; }
# Etcd takes another change only once all members have been connected for five seconds, and the machine may be busy.
whole() { # TEXT: all of nodes are healthy, and members
    if wait_for 300 are_members; then
        ok "$1: all members are healthy"
    else
        not_ok "$1: all members are healthy" "$(members "${nodes[0]}" 2>&1; tail -n 5 "$scratch"/node-*/node.log)"
    fi
}

# --- the writer ---

write_on() { # writes until killed; notes each number that was acknowledged, and only those
    local n=0
    while :; do
        n=$((n + 1))
        if ctl "${nodes[@]}" -- put "/w/$n" "$n" >/dev/null 2>&1; then
            echo "$n"
        fi
    done
}
start_writer() {
    write_on >"$scratch/written" &
    writer=$!
    pids+=("$writer")
}
read_from() { # NAME: all that was written, into $scratch/got
    ctl "$1" -- get --prefix /w/ --print-value-only >"$scratch/read" && sed '/^$/d' "$scratch/read" | sort >"$scratch/got"
}
check_writes() { # TEXT
    kill "$writer" 2>/dev/null || true
    wait "$writer" 2>/dev/null || true
    local name
    sort "$scratch/written" >"$scratch/want"
    for name in "${nodes[@]}"; do
        wait_for 300 read_from "$name"
        is "$1: $name has all $(wc -l <"$scratch/want") acknowledged writes" "$(comm -23 "$scratch/want" "$scratch/got" | wc -l)" 0
    done
    check "$1: there were writes" test -s "$scratch/want"
}
fresh_cluster() { # TEXT KILLS: nodes on empty disks, one after the other in a random order
    local name
    down "${!node_pid[@]}"
    wipe a b c d e
    for name in $(shuf -e "${nodes[@]}"); do
        up "$name" "${2:-0}"
        sleep "0.$((RANDOM % 10))"
    done
    whole "$1"
}
replaced() { # NAME TEXT: its disk is lost
    down "$1"
    wipe "$1"
    up "$1"
    whole "$2"
    is "$2: $1 joined the living cluster" "$(state_of "$1")" existing
}
