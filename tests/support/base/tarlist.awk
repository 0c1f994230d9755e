# Turns the listing of the Debian system's tar archive into the listing of USR-A for fsops.awk.
#
# In: tar --numeric-owner --quoting-style=literal --full-time -tv, of ./usr and ./etc
# Out: usr/X becomes X, etc/X becomes share/coreos/etc/X. A hard link becomes a copy: what it names is found in SRC, where
# the archive was unpacked (-v src=DIR). Left out of /etc: the package manager's files, and what belongs to one machine.

function bits(s,    v) {
    v = (substr(s, 1, 1) == "r") * 4 + (substr(s, 2, 1) == "w") * 2
    return v + (substr(s, 3, 1) ~ /[xst]/)
}

{
    perms = $1
    split($2, owner, "/")
    path = $6
    sub(/^\.\//, "", path)
    sub(/\/$/, "", path)
    source = src "/" path
    if (path == "usr") out = "."
    else if (path ~ /^usr\//) out = substr(path, 5)
    else if (path == "etc" || path ~ /^etc\//) out = "share/coreos/" path
    else next
    if (path ~ /^etc\/(apt|dpkg|machine-id|hostname|resolv\.conf|\.resolv\.conf[^\/]*|\.pwd\.lock)(\/|$)/) next

    special = (perms ~ /^...[sS]/) * 4 + (perms ~ /^......[sS]/) * 2 + (perms ~ /[tT]$/)
    mode = special bits(substr(perms, 2, 3)) bits(substr(perms, 5, 3)) bits(substr(perms, 8, 3))
    type = substr(perms, 1, 1)
    if (type == "-" || type == "h") { fields = type == "h" ? 9 : 6; type = "f" }
    else if (type == "l") { source = $8; fields = 8 }
    else fields = 6
    if (NF != fields) {
        print "tarlist: name with a blank: " $0 > "/dev/stderr"
        exit 1
    }
    print type "\t" mode "\t" owner[1] "\t" owner[2] "\t" out "\t" source
}
