/* unpack_members(), unpack_tree() on archives made by the usual tools. */
#include "tests/unit/unpack/archives.h"

#include <sys/stat.h>

#include "io/blob.h"
#include "unpack/member/member.h"

static const char make_archives[] =
    "mkdir -p in/kubernetes/server/bin in/lib in/empty && cd in\n"
    "seq 1 300000 > kubernetes/server/bin/kubelet; chmod 755 kubernetes/server/bin/kubelet\n"
    "echo proxy > kubernetes/server/bin/kube-proxy; chmod 4755 kubernetes/server/bin/kube-proxy\n"
    ": > kubernetes/server/bin/nothing\n"
    "truncate -s 5M kubernetes/sparse; printf end >> kubernetes/sparse\n"
    "ln -s kubernetes/server server; ln -s server/bin/kubelet k; ln -s ../../../../etc/passwd "
    "kubernetes/server/out\n"
    "ln -s /kubernetes/server/bin/kube-proxy abs; ln -s gone dangling; ln kubernetes/server/bin/kube-proxy "
    "hard\n"
    "ln -s loop2 loop1; ln -s loop1 loop2; for i in 1 2 3 4 5 6 7 8 9; do ln -s l$((i + 1)) l$i; done\n"
    "echo ten > l10; mkfifo fifo; echo 'name' > 'a b'; cd ..\n"
    "tar -C in --format=gnu -czf gnu.tar.gz .\n"
    "tar -C in --format=pax -Scf - . | xz -0 > pax.tar.xz\n"
    "tar -C in --format=gnu -Scf - . | zstd -q > gnu.tar.zst\n"
    "bsdtar -C in -cjf bsd.tar.bz2 .\n"
    "(cd in && zip -qry --symlinks ../z.zip . -x fifo)\n"
    "mkdir -p deb/DEBIAN deb/usr/bin && cp -a in/kubernetes deb/usr/ && ln -s "
    "../kubernetes/server/bin/kubelet deb/usr/bin/kl\n"
    "printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n' > "
    "deb/DEBIAN/control\n"
    "for z in xz gzip zstd none; do dpkg-deb --root-owner-group -Z$z -b deb $z.deb > /dev/null; done\n"
    "chmod u+s in/kubernetes/server/bin/kube-proxy\n";

static const char *const archives[] = {"gnu.tar.gz", "pax.tar.xz", "gnu.tar.zst", "bsd.tar.bz2", "z.zip"};
static const char *const debs[] = {"xz.deb", "gzip.deb", "zstd.deb", "none.deb"};
enum { ARCHIVES = 5, DEBS = 4 };

static void is_file(const struct blob *blob, const char *reference)
{
    char path[256];
    struct buf wanted = BUF_INIT(16 << 20);
    struct sha256 sha256;
    snprintf(path, sizeof path, "%s/in/%s", dir, reference);
    OK(file_read(path, 16 << 20, &wanted, &err));
    assert_int_equal(blob->size, wanted.len);
    char *bytes = malloc(wanted.len + 1);
    assert_non_null(bytes);
    OK(blob_read(blob, bytes, wanted.len, 0, &err));
    if (wanted.len > 0)
        assert_memory_equal(bytes, wanted.data, wanted.len);
    OK(sha256_of(bytes, wanted.len, &sha256, &err));
    assert_true(sha256_equal(&sha256, &blob->sha256));
    free(bytes);
    buf_free(&wanted);
}

static void gives(const char *name, const char *member, const char *reference, uint32_t mode)
{
    struct trusted input;
    struct member got = MEMBER_EMPTY;
    artifact(name, &input);
    for (int again = 0; again < 2; again++) {
        if (unpack_members(&input, (const char *const[]){member}, 1, 0, cache, NULL, &got, &err) < 0)
            fail_msg("%s: %s: %s", name, member, err.text);
        is_file(&got.blob, reference);
        assert_true(got.has_meta);
        assert_int_equal(got.meta.mode, mode);
        member_free(&got);
    }
    trusted_free(&input);
}

static void refuses(const char *name, const char *member, enum err_kind kind, const char *why)
{
    struct trusted input;
    struct member got = MEMBER_EMPTY;
    artifact(name, &input);
    if (unpack_members(&input, (const char *const[]){member}, 1, 0, cache, NULL, &got, &err) == 0)
        fail_msg("%s: %s was found", name, member);
    if (err.kind != kind || !strstr(err.text, why))
        fail_msg("%s: %s: kind %d: %s (wanted: %s)", name, member, (int)err.kind, err.text, why);
    assert_int_equal(got.fd, -1);
    trusted_free(&input);
}

static void members(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARCHIVES; i++) {
        gives(archives[i], "kubernetes/server/bin/kubelet", "kubernetes/server/bin/kubelet", 0755);
        gives(archives[i], "./kubernetes//server/bin/kube-proxy", "kubernetes/server/bin/kube-proxy", 04755);
        gives(archives[i], "kubernetes/server/bin/nothing", "kubernetes/server/bin/nothing", 0644);
        gives(archives[i], "kubernetes/sparse", "kubernetes/sparse", 0644);
        gives(archives[i], "a b", "a b", 0644);
        gives(archives[i], "k", "kubernetes/server/bin/kubelet", 0755);
        gives(archives[i], "server/bin/kube-proxy", "kubernetes/server/bin/kube-proxy", 04755);
        gives(archives[i], "abs", "kubernetes/server/bin/kube-proxy", 04755);
        gives(archives[i], "hard", "kubernetes/server/bin/kube-proxy", 04755);
        gives(archives[i], "l2", "l10", 0644);
    }
    for (size_t i = 0; i < DEBS; i++) {
        gives(debs[i], "usr/kubernetes/server/bin/kubelet", "kubernetes/server/bin/kubelet", 0755);
        gives(debs[i], "usr/bin/kl", "kubernetes/server/bin/kubelet", 0755);
    }
}

static void not_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARCHIVES; i++) {
        refuses(archives[i], "kubernetes/client/kubelet", ERR_VERIFY,
                "similar: kubernetes/server/bin/kubelet");
        refuses(archives[i], "kubernetes", ERR_VERIFY, "no file");
        refuses(archives[i], "kubernetes/server/out", ERR_VERIFY, "leads out");
        refuses(archives[i], "dangling", ERR_VERIFY, "a link to \"gone\"");
        refuses(archives[i], "loop1", ERR_VERIFY, "more than 8 links");
        refuses(archives[i], "l1", ERR_VERIFY, "more than 8 links");
        refuses(archives[i], "../x", ERR_RECIPE, "not the name");
        refuses(archives[i], "", ERR_RECIPE, "not the name");
    }
    refuses("gnu.tar.gz", "fifo", ERR_VERIFY, "no file");
    shell("echo plain > plain; printf '!<arch>\\n' > short.deb; printf 'PK\\003\\004' > short.zip\n"
          "{ printf '!<arch>\\n%-16s%-12s%-6s%-6s%-8s%-10s`\\n' data.tar 0 0 0 100644 4; printf 'abcd'; } > "
          "odd.deb\n"
          "tar -cf twice.tar -C in 'a b'; tar -rf twice.tar -C in 'a b'");
    refuses("plain", "x", ERR_VERIFY, "not an archive");
    refuses("short.deb", "x", ERR_VERIFY, "");
    refuses("short.zip", "x", ERR_VERIFY, "");
    refuses("odd.deb", "x", ERR_VERIFY, "not a tar archive");
    refuses("twice.tar", "a b", ERR_VERIFY, "occurs twice");
}

/* Several at once, some twice, some in the cache already; on failure none is returned. */
static void many(void **state)
{
    (void)state;
    struct trusted input;
    artifact("gnu.tar.gz", &input);
    input.sha256.bytes[0] ^= 1; /* not in the cache */
    const char *paths[] = {"kubernetes/server/bin/kubelet", "k", "a b", "./a b",
                           "kubernetes/server/bin/nothing"};
    const char *wants[] = {"kubernetes/server/bin/kubelet", "kubernetes/server/bin/kubelet", "a b", "a b",
                           "kubernetes/server/bin/nothing"};
    struct member got[6];
    for (size_t i = 0; i < 6; i++)
        got[i] = (struct member)MEMBER_EMPTY;
    OK(unpack_members(&input, paths, 2, 0, cache, NULL, got, &err));
    member_free(&got[0]);
    member_free(&got[1]);
    OK(unpack_members(&input, paths, 5, 0, cache, NULL, got, &err));
    for (size_t i = 0; i < 5; i++) {
        is_file(&got[i].blob, wants[i]);
        member_free(&got[i]);
    }
    const char *bad[] = {"a b", "missing"};
    assert_int_equal(unpack_members(&input, bad, 2, 0, cache, NULL, got, &err), -1);
    assert_int_equal(got[0].fd, -1);
    OK(unpack_members(&input, bad, 0, 0, cache, NULL, got, &err));
    /* what may be missing is empty then, from the archive as well as from the cache */
    for (unsigned i = 0; i < 2; i++) {
        OK(unpack_members(&input, bad, 2, 1, cache, NULL, got, &err));
        is_file(&got[0].blob, "a b");
        assert_int_equal(got[1].blob.size, 0);
        member_free(&got[0]);
        member_free(&got[1]);
    }
    assert_int_equal(unpack_members(&input, bad, 2, 0, cache, NULL, got, &err), -1);
    const char *there[] = {"k", "a b"};
    OK(unpack_members(&input, there, 2, 2, cache, NULL, got, &err));
    is_file(&got[1].blob, "a b");
    member_free(&got[0]);
    member_free(&got[1]);
    trusted_free(&input);
}

static const struct tree_entry *in_tree(const struct tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->entry_count; i++)
        if (strcmp(tree->entries[i].path, path) == 0)
            return &tree->entries[i];
    fail_msg("%s is not in the tree", path);
    return NULL;
}

static void trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARCHIVES; i++)
        for (int again = 0; again < 2; again++) {
            struct trusted input;
            struct tree tree = TREE_EMPTY;
            artifact(archives[i], &input);
            if (unpack_tree(&input, "kubernetes/", cache, NULL, &tree, &err) < 0)
                fail_msg("%s: %s", archives[i], err.text);
            assert_int_equal(tree.entry_count, 7);
            for (size_t k = 1; k < tree.entry_count; k++)
                assert_true(strcmp(tree.entries[k - 1].path, tree.entries[k].path) < 0);
            const struct tree_entry *entry = in_tree(&tree, "server/bin/kubelet");
            assert_int_equal(entry->type, MEMBER_FILE);
            assert_int_equal(entry->meta.mode, 0755);
            is_file(&entry->blob, "kubernetes/server/bin/kubelet");
            entry = in_tree(&tree, "server/bin/kube-proxy");
            assert_int_equal(entry->meta.mode, 04755);
            is_file(&entry->blob, "kubernetes/server/bin/kube-proxy");
            is_file(&in_tree(&tree, "sparse")->blob, "kubernetes/sparse");
            is_file(&in_tree(&tree, "server/bin/nothing")->blob, "kubernetes/server/bin/nothing");
            entry = in_tree(&tree, "server/out");
            assert_int_equal(entry->type, MEMBER_SYMLINK);
            assert_string_equal(entry->target, "../../../../etc/passwd");
            assert_int_equal(in_tree(&tree, "server/bin")->type, MEMBER_DIR);
            tree_free(&tree);
            trusted_free(&input);
        }
}

/* Owners, capabilities and unsupported attributes in every dialect of tar. */
static const char make_meta[] =
    "cat > meta.py <<'P'\n"
    "import io, struct, sys, tarfile\n"
    "cap = struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0).decode('latin-1')\n"
    "cap1 = struct.pack('<III', 0x01000001, 1 << 13, 0).decode('latin-1')\n"
    "cap3 = lambda root: struct.pack('<IIIIII', 0x03000001, 1 << 13, 0, 0, 0, root).decode('latin-1')\n"
    "def make(name, form):\n"
    "    tar = tarfile.open(name, 'w', format=form)\n"
    "    def add(path, mode, kind=tarfile.REGTYPE, uid=0, gid=0, link='', **pax):\n"
    "        info = tarfile.TarInfo(path)\n"
    "        info.mode, info.type, info.uid, info.gid, info.linkname = mode, kind, uid, gid, link\n"
    "        if form == tarfile.PAX_FORMAT:\n"
    "            info.pax_headers = {k.replace('__', '.'): v for k, v in pax.items()}\n"
    "        tar.addfile(info, io.BytesIO(b''))\n"
    "    add('p', 0o755, tarfile.DIRTYPE)\n"
    "    add('p/tmp', 0o1777, tarfile.DIRTYPE, 7, 8)\n"
    "    add('p/ping', 0o6755, uid=998, gid=3000000, SCHILY__xattr__security__capability=cap)\n"
    "    add('p/hard', 0, tarfile.LNKTYPE, link='p/ping')\n"
    "    add('p/acl', 0o640, SCHILY__acl__access='user::rw-,user:1000:r--,group::r--,mask::r--,other::---')\n"
    "    add('p/other', 0o600, SCHILY__xattr__user__note='x')\n"
    "    add('p/huge', 0o600, SCHILY__xattr__security__capability=cap + cap)\n"
    "    add('p/old', 0o600, SCHILY__xattr__security__capability=cap1)\n"
    "    add('p/roots', 0o600, SCHILY__xattr__security__capability=cap3(0))\n"
    "    add('p/users', 0o600, SCHILY__xattr__security__capability=cap3(100))\n"
    "    add('p/flags', 0o600, SCHILY__fflags='nodump')\n"
    "    tar.close()\n"
    "make('meta.pax', tarfile.PAX_FORMAT)\n"
    "make('meta.gnu', tarfile.GNU_FORMAT)\n"
    "P\n"
    "python3 meta.py\n";

static void meta_is(const struct tree *tree, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
                    uint32_t lost)
{
    const struct file_meta *meta = &in_tree(tree, path)->meta;
    if (meta->mode != mode || meta->uid != uid || meta->gid != gid || meta->lost != lost)
        fail_msg("%s: %04o %u:%u %u", path, meta->mode, meta->uid, meta->gid, meta->lost);
}

static void metadata_of_archives(void **state)
{
    (void)state;
    static const char *const names[] = {"meta.pax", "meta.gnu"};
    shell(make_meta);
    for (size_t i = 0; i < 4; i++) { /* each once from the archive, once from the cache */
        struct trusted input;
        struct tree tree = TREE_EMPTY;
        struct member member = MEMBER_EMPTY;
        bool pax = i / 2 == 0;
        artifact(names[i / 2], &input);
        OK(unpack_tree(&input, "p", cache, NULL, &tree, &err));
        OK(unpack_members(&input, (const char *const[]){"p/hard"}, 1, 0, cache, NULL, &member, &err));
        meta_is(&tree, "tmp", 01777, 7, 8, 0);
        meta_is(&tree, "ping", 06755, 998, 3000000, 0);
        meta_is(&tree, "hard", 06755, 998, 3000000, 0);
        meta_is(&tree, "acl", 0640, 0, 0, pax ? FILE_LOST_ACL : 0);
        meta_is(&tree, "other", 0600, 0, 0, pax ? FILE_LOST_XATTRS : 0);
        meta_is(&tree, "huge", 0600, 0, 0, pax ? FILE_LOST_XATTRS : 0);
        meta_is(&tree, "old", 0600, 0, 0, pax ? FILE_LOST_XATTRS : 0);
        meta_is(&tree, "flags", 0600, 0, 0, pax ? FILE_LOST_FLAGS : 0);
        const struct file_meta *ping = &in_tree(&tree, "ping")->meta;
        assert_int_equal(ping->capability_size, pax ? 20 : 0);
        if (pax)
            assert_memory_equal(ping->capability, "\1\0\0\2\0\40\0\0\0\0\0\0", 12);
        /* as the kernel shows them: revision 3 of root as revision 2 */
        assert_int_equal(in_tree(&tree, "roots")->meta.capability_size, pax ? 20 : 0);
        assert_memory_equal(in_tree(&tree, "roots")->meta.capability, ping->capability, 20);
        assert_int_equal(in_tree(&tree, "users")->meta.capability_size, pax ? 24 : 0);
        assert_memory_equal(ping, &in_tree(&tree, "hard")->meta, sizeof *ping);
        assert_memory_equal(ping, &member.meta, sizeof *ping);
        member_free(&member);
        tree_free(&tree);
        trusted_free(&input);
    }
}

static void tree_is(const char *script, const char *prefix, const char *why)
{
    struct trusted input;
    struct tree tree = TREE_EMPTY;
    shell(script);
    artifact("t.tar", &input);
    int r = unpack_tree(&input, prefix, cache, NULL, &tree, &err);
    if (!why && r < 0)
        fail_msg("%s: %s", script, err.text);
    if (why && (r == 0 || err.kind != ERR_VERIFY || !strstr(err.text, why)))
        fail_msg("%s: %s (wanted: %s)", script, r ? err.text : "accepted", why);
    tree_free(&tree);
    trusted_free(&input);
}

static void hostile_trees(void **state)
{
    (void)state;
    shell("mkdir -p t/d && echo a > t/a && echo b > t/d/b && ln -s d t/s && ln t/a t/d/h && mkfifo t/d/fifo");
    tree_is("tar -cf t.tar -C t a d/b d/h", "", NULL);
    tree_is("tar -cf t.tar -C t d/b", "d", NULL);
    tree_is("tar -cf t.tar -C t d", "d", "device, FIFO");
    tree_is("tar -cf t.tar -C t a d", "", "device, FIFO");
    tree_is("tar -cf t.tar -C t a d/h", "d", NULL); /* its bytes are those of a, outside of d */
    tree_is("tar -cf t.tar -C t a d/h && tar --delete -f t.tar a", "d", "not a file of the archive");
    tree_is("tar -cf t.tar -C t a d/b", "e", "nothing below");
    tree_is("tar -Pcf t.tar -C t --transform 's,^a,../a,' a d/b", "d", "hostile");
    tree_is("tar -cf t.tar -C t --transform 's,d/b,s/b,' s d/b", "", "not a folder");
    tree_is("tar -cf t.tar -C t a && tar -rf t.tar -C t a", "", "occurs twice");
    tree_is("touch t/c$'\\001' && tar -cf t.tar -C t c$'\\001'", "", "hostile");
    tree_is("tar -Pcf t.tar -C t --transform 's,^,/,' a", "", NULL); /* from the archive's top */
    shell("mkdir -p many/x && cd many/x && seq 1 3000 | xargs touch");
    tree_is(
        "(cd many/x && find . -type f | tar -cf ../../t.tar --transform 's,./,p/q/,' --no-recursion -T -)",
        "", NULL);
}

static void whole(void **state)
{
    (void)state;
    struct trusted input;
    struct member got = MEMBER_EMPTY;
    artifact("in/a b", &input);
    OK(unpack_whole(&input, &got, &err));
    trusted_free(&input); /* the member has its own descriptor */
    is_file(&got.blob, "a b");
    assert_false(got.has_meta);
    member_free(&got);
}

/* Refused wherever it is cut, even for members that are whole. */
static void cut_short(void **state)
{
    (void)state;
    static const char *const names[] = {"gnu.tar.gz",  "pax.tar.xz", "gnu.tar.zst",
                                        "bsd.tar.bz2", "z.zip",      "xz.deb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct trusted input;
        artifact(names[i], &input);
        for (unsigned k = 0; k < 16; k++) {
            struct trusted cut = input;
            struct member got = MEMBER_EMPTY;
            struct tree tree = TREE_EMPTY;
            cut.size = input.size * k / 16;
            cut.sha256.bytes[1] = (uint8_t)(cut.sha256.bytes[1] ^ (k + 1));
            assert_int_equal(
                unpack_members(&cut, (const char *const[]){"a b"}, 1, 0, cache, NULL, &got, &err), -1);
            assert_int_equal(err.kind, ERR_VERIFY);
            assert_int_equal(unpack_tree(&cut, "kubernetes", cache, NULL, &tree, &err), -1);
            assert_int_equal(err.kind, ERR_VERIFY);
        }
        trusted_free(&input);
    }
}

static int member_set_up(void **state)
{
    (void)state;
    return set_up(make_archives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(not_members),
        cmocka_unit_test(many),
        cmocka_unit_test(trees),
        cmocka_unit_test(metadata_of_archives),
        cmocka_unit_test(hostile_trees),
        cmocka_unit_test(whole),
        cmocka_unit_test(cut_short),
    };
    return cmocka_run_group_tests(tests, member_set_up, tear_down);
}
