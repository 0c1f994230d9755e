/* Archives from other programs: frames without data, many members, padding, non-ASCII names; and files of
 * other kinds, which the message names. */
#include "archives.h"

#include "unpack/member/member.h"
#include "unpack/unpack.h"

static const char make[] =
    "mkdir in && head -c 3000000 /dev/urandom >in/big && echo small >in/small && tar -cf in.tar in\n"
    "half=$(($(stat -c %s in.tar) / 2)); head -c $half in.tar >a; tail -c +$((half + 1)) in.tar >b\n"
    "pzstd -q -p 2 -c in.tar >pzstd.zst\n"
    "skip() { printf '\\x5a\\x2a\\x4d\\x18\\x03\\0\\0\\0abc'; }\n"
    "big_skip() { printf '\\x50\\x2a\\x4d\\x18\\x00\\x00\\x09\\0'; head -c 589824 /dev/urandom; }\n"
    "{ skip; skip; zstd -qc a; skip; zstd -qc b; skip; } >skip.zst; { big_skip; zstd -qc in.tar; } "
    ">bigskip.zst\n"
    "{ zstd -qc a; zstd -qc b; } >two.zst; zstd -q --long=27 --ultra -c in.tar >long27.zst\n"
    "{ lz4 -qc a; lz4 -qc b; } >two.lz4; { skip; lz4 -qc in.tar; } >skip.lz4\n"
    "{ xz -0c a; xz -0c b; head -c 8 /dev/zero; } >two.xz; { bzip2 -c a; bzip2 -c b; } >two.bz2\n"
    "{ gzip -c a; gzip -c b; head -c 1000 /dev/zero; } >two.gz\n"
    "{ gzip -c in.tar; echo more; } >garbage.gz; { xz -0c in.tar; echo more; } >garbage.xz\n"
    "{ zstd -qc in.tar; echo more; } >garbage.zst; skip >only.zst; big_skip >x; head -c 100 x >cut.zst\n"
    /* a handmade frame: a header with a window of 2^30 bytes, one stored block. RFC 8878, 3.1.1 */
    "{ printf '\\x28\\xb5\\x2f\\xfd\\0\\xa0\\x01\\x35\\x0c'; head -c 100000 in.tar; } >long30.zst\n"
    "python3 - <<'P'\n"
    "import io, tarfile, zipfile\n"
    "name = 'p/Gr\\u00f6\\u00dfe\\u20ac'\n"
    "with zipfile.ZipFile('u.zip', 'w') as z:\n"
    "    z.writestr('p/tool', b'hi'); z.writestr(name, b'x')\n"
    "def tar(file, format, names, encoding='utf-8'):\n"
    "    a = tarfile.open(file, 'w', format=format, encoding=encoding)\n"
    "    for n in names:\n"
    "        i = tarfile.TarInfo(n); i.size = 2; a.addfile(i, io.BytesIO(b'hi'))\n"
    "    a.close()\n"
    "tar('u.pax.tar', tarfile.PAX_FORMAT, ['p/tool', name])\n"
    "tar('u.gnu.tar', tarfile.GNU_FORMAT, ['p/tool', name])\n"
    "tar('latin.tar', tarfile.GNU_FORMAT, ['p/tool', 'q/Gr\\u00f6\\u00dfe'], 'latin-1')\n"
    "P\n";

static void reads(const char *name)
{
    struct trusted input;
    struct tree tree = TREE_EMPTY;
    artifact(name, &input);
    if (unpack_tree(&input, "in", cache, NULL, &tree, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(tree.entry_count, 2);
    char path[256];
    struct sha256 sha256;
    int fd = -1;
    uint64_t size = 0;
    snprintf(path, sizeof path, "%s/in/big", dir);
    OK(file_open(path, &fd, &size, &err));
    OK(file_sha256(fd, 0, size, NULL, &sha256, &err));
    close(fd);
    assert_true(sha256_equal(&sha256, &tree.entries[0].blob.sha256));
    tree_free(&tree);
    trusted_free(&input);
}

static void refuses(const char *name, const char *prefix, const char *why)
{
    struct trusted input;
    struct tree tree = TREE_EMPTY;
    artifact(name, &input);
    if (unpack_tree(&input, prefix, cache, NULL, &tree, &err) == 0)
        fail_msg("%s was read", name);
    if (err.kind != ERR_VERIFY || !strstr(err.text, why))
        fail_msg("%s: %s (wanted: %s)", name, err.text, why);
    trusted_free(&input);
}

static void frames_and_members(void **state)
{
    (void)state;
    static const char *const names[] = {"pzstd.zst", "skip.zst", "bigskip.zst", "two.zst", "long27.zst",
                                        "two.lz4",   "skip.lz4", "two.xz",      "two.bz2", "two.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        reads(names[i]);
    refuses("garbage.gz", "in", "bytes that are not gzip after");
    refuses("garbage.xz", "in", "garbage.xz: damaged or cut short");
    refuses("garbage.zst", "in", "garbage.zst: damaged or cut short");
    refuses("only.zst", "in", "not an archive");
    refuses("cut.zst", "in", "a frame that is cut short");
    refuses("long30.zst", "in", "compress it with --long=27");
}

/* The program runs in the C locale. */
static void names_beyond_ascii(void **state)
{
    (void)state;
    static const char *const names[] = {"u.zip", "u.pax.tar", "u.gnu.tar"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct trusted input;
        struct tree tree = TREE_EMPTY;
        struct member tool = MEMBER_EMPTY;
        artifact(names[i], &input);
        OK(unpack_tree(&input, "p", cache, NULL, &tree, &err));
        assert_int_equal(tree.entry_count, 2);
        assert_string_equal(tree.entries[0].path, "Gr\xc3\xb6\xc3\x9f"
                                                  "e\xe2\x82\xac");
        OK(unpack_members(&input, (const char *const[]){"p/tool"}, 1, 0, cache, NULL, &tool, &err));
        member_free(&tool);
        tree_free(&tree);
        trusted_free(&input);
    }
    struct trusted input;
    struct tree tree = TREE_EMPTY;
    artifact("latin.tar", &input);
    OK(unpack_tree(&input, "p", cache, NULL, &tree, &err)); /* the name is not in it */
    assert_int_equal(tree.entry_count, 1);
    tree_free(&tree);
    trusted_free(&input);
    refuses("latin.tar", "q", "is not UTF-8");
    refuses("latin.tar", "", "is not UTF-8");
}

static void other_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *make, *words;
    } files[] = {
        {"printf 'QFI\\xfb' >f; head -c 70000 /dev/zero >>f", "a qcow2 image: make it raw with qemu-img"},
        {"printf KDMV >f; head -c 70000 /dev/zero >>f", "a VMDK image"},
        {"echo '# Disk DescriptorFile' >f", "the descriptor of a VMDK image"},
        {"printf conectix >f; head -c 70000 /dev/zero >>f", "a VHD image"},
        {"head -c 32769 /dev/zero >f; printf CD001 >>f", "an ISO image"},
        {"printf hsqs >f; head -c 70000 /dev/zero >>f", "a squashfs file system"},
        {"truncate -s 1M f; mke2fs -qF f", "an ext file system, not a whole disk"},
        {"echo '<!DOCTYPE html><p>Please log in' >f", "an HTML page: the server sent a page"},
        {"echo x | gzip -c | gzip -c >f", "compressed a second time, by gzip"},
        {"printf 'LZIP\\1' >f", "compressed by lzip"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct trusted input;
        struct disk disk = DISK_EMPTY;
        struct member member = MEMBER_EMPTY;
        shell(files[i].make);
        artifact("f", &input);
        assert_int_equal(unpack_base(&input, cache, NULL, NULL, NULL, &disk, &err), -1);
        if (err.kind != ERR_VERIFY || !strstr(err.text, files[i].words))
            fail_msg("%s: %s", files[i].make, err.text);
        assert_int_equal(unpack_members(&input, (const char *const[]){"a"}, 1, 0, cache, NULL, &member, &err),
                         -1);
        if (err.kind != ERR_VERIFY || !strstr(err.text, files[i].words))
            fail_msg("%s: %s", files[i].make, err.text);
        trusted_free(&input);
    }
}

static int begin(void **state)
{
    (void)state;
    return set_up(make);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_members),
        cmocka_unit_test(names_beyond_ascii),
        cmocka_unit_test(other_files_are_named),
    };
    return cmocka_run_group_tests_name("unpack: of others", tests, begin, tear_down);
}
