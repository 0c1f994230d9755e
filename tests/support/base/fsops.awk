# Turns a listing of files into requests for debugfs -w -f.
#
# In: tab-separated lines, sorted by path, parents before children:
#     TYPE (d, f, l)  MODE (octal, four digits)  UID  GID  PATH (no leading slash; "." is the root)  SOURCE or TARGET
# Out: requests; inode numbers follow the order of the lines, so the same listing gives the same filesystem.
# debugfs splits requests at blanks and knows no escape for a quote: such names are refused.

BEGIN { FS = "\t"; dir = "" }

$5 ~ /[ "]/ || $6 ~ /[ "]/ {
    print "fsops: name with a blank or a quote: " $5 > "/dev/stderr"
    exit 1
}

{
    path = $5
    slash = match(path, /\/[^\/]*$/)
    parent = slash ? substr(path, 1, slash - 1) : ""
    name = slash ? substr(path, slash + 1) : path
    if (parent != dir || NR == 1) {
        print "cd /" parent
        dir = parent
    }
    if ($1 == "d") {
        if (path != ".") print "mkdir " name
        print "sif " name " mode 04" $2
    } else if ($1 == "f") {
        print "write " $6 " " name
        print "sif " name " mode 010" $2
    } else if ($1 == "l") {
        print "symlink " name " " $6
    } else {
        print "fsops: cannot make a file of type " $1 ": " path > "/dev/stderr"
        exit 1
    }
    if ($3 != 0) print "sif " name " uid " $3
    if ($4 != 0) print "sif " name " gid " $4
}
