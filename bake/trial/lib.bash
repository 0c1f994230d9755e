# shellcheck shell=bash
# Sourced by the scenario: cases, figures, and questions to the cluster that the rig runs.
#
#   check NAME COMMAND...           one case
#   within LIMIT COMMAND...          again and again until it succeeds; $took is how long it was, in seconds
#   since MS LIMIT COMMAND...       the same, counted from a moment that `now` gave
#   figure NAME VALUE UNIT [TARGET] a measured value, told and kept
#   $scratch                        a folder

# shellcheck disable=SC2034,SC2154 # variables are the scenario's or for it
failed=0
took=0
phase_at=$SECONDS

rig() { "$here/rig" "$@"; }
now() { date +%s%3N; }
ok() { echo "ok - $1"; }
not_ok() {
    failed=$((failed + 1))
    echo "not ok - $1"
    [ -z "${2:-}" ] || printf '%s\n' "${2:0:3000}" | sed 's/^/    | /'
}
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$said"; fi
}
phase() {
    echo "# --- $1 (after $SECONDS s)"
    phase_at=$SECONDS
}

figure() {
    local line="figure: $1 = $2 $3"
    [ -z "${4:-}" ] || line+=" (target $4)"
    echo "# $line"
    echo "$line" >>"$dir/figures.txt"
}
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

since() {
    local began=$1 limit=$2
    shift 2
    while ! "$@" >"$scratch/last" 2>&1; do
        if [ $(($(now) - began)) -gt $((limit * 1000)) ]; then
            took=$(seconds $(($(now) - began)))
            return 1
        fi
        sleep 0.2
    done
    took=$(seconds $(($(now) - began)))
}
within() { since "$(now)" "$@"; }

# reached NAME TARGET FIGURE FROM LIMIT COMMAND...: a case that is reached within LIMIT, and how long it took as a figure.
# A slow machine misses a target without being wrong; BAKE_STRICT=1 makes that a failure.
reached() {
    local name=$1 target=$2 figure=$3
    shift 3
    if ! since "$@"; then
        not_ok "$name: not within $2 s" "$(tail -n 20 "$scratch/last")"
        return 1
    fi
    figure "$figure" "$took" s "$target s"
    if [ -n "${BAKE_STRICT:-}" ] && awk "BEGIN {exit !($took > $target)}"; then
        not_ok "$name: $took s, not $target s"
    else
        ok "$name"
    fi
}

# --- questions --------------------------------------------------------------------------------------------------------

# Questions are put from the hub, which is a machine on the network and no node, and as cheaply as can be: the nodes share
# this machine's processors.
ip_of() { echo "10.128.0.$((${1#n} + 1))"; }
hub() { nsenter --net=/run/netns/bkrig-hub "$@"; }

# The administrator's files, from any node: they are the same on all. False until some node has them.
admin_files() {
    local node root
    for node in "${nodes[@]}"; do
        root=$(rig root "$node" 2>/dev/null) && [ -s "$root/etc/kubernetes/pki/admin/kubeconfig" ] || continue
        mkdir -p "$scratch/admin" && cp "$root"/etc/kubernetes/pki/admin/*.{crt,key} "$scratch/admin/" && return 0
    done
    return 1
}

# get NODE PATH: from that node's API server, as JSON
get() { outside "$(ip_of "$1")" "$2" --fail --max-time 5; }

# outside ADDRESS PATH [CURL-OPTION...]: the API server there, as the administrator
outside() {
    local ip=$1 path=$2
    shift 2
    hub curl -sS --noproxy '*' -A bake-rig --connect-timeout 1 --max-time 2 --cacert "$scratch/admin/ca.crt" \
        --cert "$scratch/admin/client.crt" --key "$scratch/admin/client.key" \
        --resolve "api.bake.internal:6443:$ip" "$@" "https://api.bake.internal:6443$path"
}

# write_through NODE: a new ConfigMap through its API server
write_through() {
    local ip code
    ip=$(ip_of "$1")
    code=$(outside "$ip" /api/v1/namespaces/default/configmaps -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
        -d '{"metadata":{"generateName":"through-"}}')
    [ "$code" = 201 ] || { echo "HTTP $code" && return 1; }
}
write_through_any() {
    local node
    for node in "$@"; do ! write_through "$node" || return 0; done
    return 1
}

healthy_api() { [ "$(get "$1" /readyz)" = ok ]; }
all_apis() {
    local node
    for node in "$@"; do healthy_api "$node" || { echo "$node: API server is not ready" && return 1; }; done
}

ready_nodes() { get "$1" /api/v1/nodes | jq -r '[.items[] | select(any(.status.conditions[]; .type == "Ready" and .status == "True")) | .metadata.name] | sort | join(" ")'; }
# are_ready ASKED NODE...: these nodes and no others
are_ready() {
    local got
    got=$(ready_nodes "$1") && [ "$got" = "${*:2}" ] || { echo "ready: $got" && return 1; }
}
condition_of() { get "$1" "/api/v1/nodes/$2" | jq -r '.status.conditions[] | select(.type == "Ready") | "\(.status) since \(.lastTransitionTime)"'; }
# is_back ASKED NODE: Ready in the boot that runs now
is_back() {
    local boot
    boot=$(rig exec "$2" cat /proc/sys/kernel/random/boot_id) || return 1
    get "$1" "/api/v1/nodes/$2" | jq -e --arg boot "$boot" '(.status.nodeInfo.bootID | gsub("-"; "")) == ($boot | gsub("-"; ""))
        and any(.status.conditions[]; .type == "Ready" and .status == "True")'
}

etcdctl() {
    rig exec "$1" ETCDCTL_API=3 /opt/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/admin/etcd-ca.crt \
        --cert=/etc/kubernetes/pki/admin/etcd-client.crt --key=/etc/kubernetes/pki/admin/etcd-client.key \
        --command-timeout=4s "${@:2}"
}
members() { etcdctl "$1" member list -w json | jq -r '[.members[] | select(.name) | .name] | sort | join(" ")'; }
# are_members ASKED NODE...: these have joined; none is added and not there
are_members() {
    local got
    got=$(members "$1") && [ "$got" = "${*:2}" ] || { echo "members: $got" && return 1; }
    [ "$(etcdctl "$1" member list -w json | jq '.members | length')" = $(($# - 1)) ]
}
etcd_healthy() {
    hub curl -sS --noproxy '*' --max-time 3 --cacert "$scratch/admin/etcd-ca.crt" --cert "$scratch/admin/etcd-client.crt" \
        --key "$scratch/admin/etcd-client.key" "https://$(ip_of "$1"):2379/health" | grep '"health":"true"'
}
leader_name() {
    etcdctl "$1" endpoint status --cluster -w json 2>/dev/null | jq -r '.[] | select(.Status.header.member_id == .Status.leader) | .Endpoint' | while IFS=:/ read -r _ _ _ ip _; do
        for node in "${nodes[@]}"; do [ "$(ip_of "$node")" != "$ip" ] || echo "$node"; done
    done
}

# endpoints_are ASKED NODE...: the "kubernetes" service leads to these API servers
endpoints_are() {
    local got wanted
    got=$(get "$1" /apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes | jq -r '[.endpoints[]?.addresses[]?] | sort | join(" ")')
    wanted=$(for n in "${@:2}"; do ip_of "$n"; done | sort | xargs)
    [ "$got" = "$wanted" ] || { echo "endpoints $got, not $wanted" && return 1; }
}

# web_pods ASKED: "NAME NODE ADDRESS" of the ready ones, those being deleted left out
web_pods() {
    get "$1" '/api/v1/namespaces/default/pods?labelSelector=app%3Dweb' | jq -r '.items[] | select(.metadata.deletionTimestamp == null)
        | select(any(.status.conditions[]?; .type == "Ready" and .status == "True")) | "\(.metadata.name) \(.spec.nodeName) \(.status.podIP)"'
}
# web_runs_on ASKED NODE...: three pods are ready, all of them on these nodes
web_runs_on() {
    local pods name node
    pods=$(web_pods "$1") && [ "$(echo "$pods" | grep -c .)" = 3 ] || { echo "$pods" && return 1; }
    while read -r name node _; do [[ " ${*:2} " == *" $node "* ]] || { echo "$name is on $node" && return 1; }; done <<<"$pods"
}
web_is_spread() { [ "$(web_pods "$1" | awk '{print $2}' | sort -u | wc -l)" = 3 ]; }
service_ip() { get "$1" /api/v1/namespaces/default/services/web | jq -r .spec.clusterIP; }

# in_pod NODE POD SCRIPT
in_pod() { timeout 30 "$here/rig" kubectl "$1" exec "$2" -- /share/busybox sh -c "PATH=/usr/bin; $3"; }

# each pod reaches the service, and every pod by its address
pods_reach() {
    local asked=$1 pods name node _ ips service script
    pods=$(web_pods "$asked")
    ips=$(echo "$pods" | awk '{print $3}' | xargs)
    service=$(service_ip "$asked")
    script="for ip in $ips; do [ -n \"\$(curl -s -m 3 http://\$ip:8080/)\" ] || { echo \"no \$ip\"; exit 1; }; done
        for i in 1 2 3 4 5 6; do [ -n \"\$(curl -s -m 3 http://$service/)\" ] || { echo no service; exit 1; }; done"
    while read -r name node _; do
        in_pod "$asked" "$name" "$script" </dev/null || { echo "$name on $node" && return 1; }
    done <<<"$pods"
}

# dns_nodes ASKED: the nodes of the ready pods of CoreDNS, those being deleted left out
dns_nodes() {
    get "$1" '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns' | jq -r '.items[] | select(.metadata.deletionTimestamp == null)
        | select(any(.status.conditions[]?; .type == "Ready" and .status == "True")) | .spec.nodeName'
}
dns_is_spread() { [ "$(dns_nodes "$1" | sort -u | wc -l)" = 2 ]; }
# dns_runs_on ASKED NODE NODE
dns_runs_on() { [ "$(dns_nodes "$1" | sort -u | xargs)" = "${*:2}" ]; }
dns_trouble() {
    rig kubectl n1 -n kube-system describe pods -l k8s-app=kube-dns 2>&1 | tail -n 30 | sed 's/^/# /'
    rig kubectl n1 -n kube-system logs -l k8s-app=kube-dns --tail=10 2>&1 | sed 's/^/# /'
}
# each pod resolves the API's and the web service's names, short and full, and an external name, but no unknown name
pods_resolve() {
    local asked=$1 pods name node _ service script domain
    pods=$(web_pods "$asked") && [ -n "$pods" ] || return 1
    service=$(service_ip "$asked")
    domain=$(rig exec "$asked" sed -n 's/^BAKE_CLUSTER_DOMAIN=//p' /run/bake/node.env)
    script="look() { [ \"\$(/share/busybox nslookup -type=a \$1 | /share/busybox awk '/^Address/ {a = \$NF} END {print a}')\" = \$2 ] || { echo \"no \$1\"; exit 1; }; }
        look kubernetes.default.svc.$domain $(get "$asked" /api/v1/namespaces/default/services/kubernetes | jq -r .spec.clusterIP)
        look web.default.svc.$domain $service
        look a.outside.test 192.0.2.7
        [ -n \"\$(curl -s -m 3 http://web/)\" ] || { echo 'no http://web/'; exit 1; }
        ! /share/busybox nslookup -type=a none.default.svc.$domain >/dev/null || { echo 'a name that does not exist'; exit 1; }"
    while read -r name node _; do
        in_pod "$asked" "$name" "$script" </dev/null || { echo "$name on $node" && return 1; }
    done <<<"$pods"
}

# log_says NODE UNIT PATTERN
log_says() { rig log "$1" -u "$2" -b -o cat | grep -E -- "$3"; }
active() { [ "$(rig exec "$1" systemctl is-active "$2")" = active ]; }
not_active() { ! active "$@"; }

# --- memory and processor ---------------------------------------------------------------------------------------------

# memory_of NODE: "KIB COMPONENT" by component, the biggest first. Pss: what several use is divided among them. Nodes have
# loop devices of their own, so they share no page with each other, as on machines of their own.
memory_of() {
    local pid pids name pss
    pids=$(rig pids "$1")
    for pid in $pids; do
        pss=$(awk '$1 == "Pss:" {print $2}' "/proc/$pid/smaps_rollup" 2>/dev/null) || continue
        [ -n "$pss" ] || continue
        mapfile -d '' -t args <"/proc/$pid/cmdline" 2>/dev/null || continue
        name=${args[0]##*/}
        [ "$name" != hyperkube ] || name=${args[1]:-hyperkube}
        [ "$name" != systemd-nspawn ] || continue # the rig's, not the node's
        [[ $name != systemd* ]] || name=systemd
        [[ $name != containerd-shim* ]] || name=containerd-shim
        echo "$pss $name"
    done | awk '{sum[$2] += $1} END {for (n in sum) print sum[n], n}' | sort -rn
}
show_memory() {
    local when=$1 node
    for node in "${nodes[@]}"; do
        memory_of "$node" >"$scratch/memory.$node"
        figure "memory $when, $node" "$(awk '{s += $1} END {printf "%d", s / 1024}' "$scratch/memory.$node")" "MiB Pss"
        awk '$1 > 1024 {printf "%s %d, ", $2, $1 / 1024}' "$scratch/memory.$node" | sed "s/^/#   $node: /; s/, \$/\n/"
    done
}
# show_cpu WHEN SECONDS
show_cpu() {
    local node before=() i=0
    for node in "${nodes[@]}"; do before+=("$(rig usage "$node")"); done
    sleep "$2"
    for node in "${nodes[@]}"; do
        figure "processor $1, $node" $((($(rig usage "$node") - before[i]) / $2 / 10)) "% of a core"
        i=$((i + 1))
    done
}
