/* The list that seal_contents() makes, signed by the real minisign, held against a tree in every state of
 * disrepair. */
#include "tests/unit/agent/helper.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "agent/contents/contents.h"
#include "seal/contents.h"

struct made {
    struct plan_xattr xattrs[1];
    struct plan_op ops[6];
    struct plan plan;
    struct buf list;
};

static struct err last;

/* What fill_tree() puts there. Owners are the tester's own, so that no root is needed. */
static void fill_plan(struct made *m)
{
    uint32_t uid = getuid(), gid = getgid();
    *m = (struct made){.list = BUF_INIT(CONTENTS_MAX)};
    m->xattrs[0] = (struct plan_xattr){"user.bake", "\0v", 2};
    m->ops[0] = (struct plan_op){.kind = PLAN_DIR, .image_path = "/opt"};
    m->ops[1] = (struct plan_op){.kind = PLAN_DIR,
                                 .image_path = "/var/lib/etcd",
                                 .mode = 0700,
                                 .uid = uid,
                                 .gid = gid,
                                 .set_meta = true};
    m->ops[2] = (struct plan_op){.kind = PLAN_FILE,
                                 .image_path = "/opt/bin/tool",
                                 .mode = 0755,
                                 .uid = uid,
                                 .gid = gid,
                                 .xattrs = m->xattrs,
                                 .xattr_count = 1};
    m->ops[3] = (struct plan_op){
        .kind = PLAN_SYMLINK, .image_path = "/opt/bin/link", .target = "to\"ol", .uid = uid, .gid = gid};
    m->ops[4] = (struct plan_op){
        .kind = PLAN_FILE, .image_path = "/etc/\xc3\xa9", .mode = 0644, .uid = uid, .gid = gid};
    m->ops[5] = (struct plan_op){.kind = PLAN_REMOVE, .image_path = "/etc/gone"};
    m->plan = (struct plan){.ops = m->ops, .op_count = 6, .epoch = 1600000000};
    struct buf none = BUF_INIT(1);
    if (blob_from_memory("a tool", 6, &m->ops[2].content, &last) < 0 ||
        blob_from_memory("", 0, &m->ops[4].content, &last) < 0 ||
        seal_contents(&m->plan, "test", NULL, &m->list, &none, &last) < 0)
        fail_msg("%s", last.text);
}

static void fill_tree(const struct place *place)
{
    struct made m;
    fill_plan(&m);
    put(place, "/opt/bin/tool", "a tool", 6, 0755);
    put(place, "/etc/\xc3\xa9", "", 0, 0644);
    put(place, "/var/lib/etcd/x", "", 0, 0600);
    assert_int_equal(symlink("to\"ol", below(place, "/opt/bin/link")), 0);
    assert_int_equal(setxattr(below(place, "/opt/bin/tool"), "user.bake", "\0v", 2, 0), 0);
    put(place, CONTENTS_LIST, m.list.data, m.list.len, 0644);
    buf_free(&m.list);
}

static void sign(const struct place *place, const char *comment)
{
    char key[512];
    snprintf(key, sizeof key, "%s", below(place, "/key"));
    const char *const generate[] = {"minisign", "-G", "-W", "-f", "-p", below(place, CONTENTS_KEY),
                                    "-s",       key,  NULL};
    const char *const sign_it[] = {"minisign", "-S",    "-s", key, "-m", below(place, CONTENTS_LIST),
                                   "-t",       comment, NULL};
    assert_int_equal(run(generate), 0);
    assert_int_equal(run(sign_it), 0);
}

#define COMMENT "timestamp:1600000000\tfile:contents.json\thashed"

static int check(const struct place *place, struct contents_verdict *verdict)
{
    cleanup_buf struct buf faults = BUF_INIT(4096);
    return contents_check(&place->root, verdict, &faults, &last);
}

static void bad(const struct place *place, const char *part)
{
    struct contents_verdict verdict;
    if (check(place, &verdict) == 0)
        fail_msg("taken for good, but should be bad: %s", part);
    assert_says(last, part);
}

static void good_trees(void **state)
{
    struct place *place = *state;
    struct contents_verdict verdict;
    fill_tree(place);
    if (check(place, &verdict) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(verdict.files, 2);
    assert_false(verdict.is_signed);
    sign(place, COMMENT);
    if (check(place, &verdict) < 0)
        fail_msg("%s", last.text);
    assert_true(verdict.is_signed);
    cleanup_buf struct buf key = get_file(place, CONTENTS_KEY);
    assert_int_equal(strlen(verdict.key_id), 16);
    /* "untrusted comment: minisign public key ID"; one ID in 16 has leading zeros, which minisign does not
     * print */
    const char *id = strstr(key.data, "key ");
    assert_non_null(id);
    assert_true(strtoull(verdict.key_id, NULL, 16) == strtoull(id + 4, NULL, 16));
}

static void content_is_checked(void **state)
{
    struct place *place = *state;
    fill_tree(place);
    int fd = open(below(place, "/opt/bin/tool"), O_WRONLY);
    assert_int_equal(pwrite(fd, "A", 1, 0), 1);
    bad(place, "/opt/bin/tool: its content was changed");
    assert_int_equal(pwrite(fd, "a tool!", 7, 0), 7);
    bad(place, "/opt/bin/tool: it has 7 bytes, but should have 6");
    assert_int_equal(ftruncate(fd, 0), 0);
    bad(place, "/opt/bin/tool: it has 0 bytes");
    close(fd);
    assert_int_equal(unlink(below(place, "/opt/bin/tool")), 0);
    bad(place, "/opt/bin/tool: it is missing");
}

static void attributes_are_checked(void **state)
{
    struct place *place = *state;
    const char *tool = below(place, "/opt/bin/tool");
    fill_tree(place);
    assert_int_equal(chmod(tool, 04755), 0);
    bad(place, "/opt/bin/tool: its mode is 4755, but should be 0755");
    assert_int_equal(chmod(tool, 0755), 0);
    assert_int_equal(setxattr(tool, "user.bake", "w", 1, 0), 0);
    bad(place, "/opt/bin/tool: its xattr user.bake was changed");
    assert_int_equal(setxattr(tool, "user.bake", "\0vv", 3, 0), 0);
    bad(place, "/opt/bin/tool: its xattr user.bake was changed");
    assert_int_equal(removexattr(tool, "user.bake"), 0);
    bad(place, "/opt/bin/tool: its xattr user.bake was changed");
    assert_int_equal(setxattr(tool, "user.bake", "\0v", 2, 0), 0);
    assert_int_equal(chmod(below(place, "/var/lib/etcd"), 0755), 0);
    bad(place, "/var/lib/etcd: its mode is 0755, but should be 0700");
    assert_int_equal(chmod(below(place, "/var/lib/etcd"), 0700), 0);
    if (getuid() == 0) { /* only root can give a file away */
        assert_int_equal(chown(below(place, "/var/lib/etcd"), 7, 8), 0);
        bad(place, "/var/lib/etcd: its owner is 7:8, but should be 0:0");
        assert_int_equal(chown(below(place, "/var/lib/etcd"), 0, 8), 0);
        bad(place, "/var/lib/etcd: its owner is 0:8, but should be 0:0");
        assert_int_equal(chown(below(place, "/var/lib/etcd"), 0, 0), 0);
    }
    assert_int_equal(chmod(below(place, "/opt"), 0711), 0); /* not named by the recipe: the base's own */
    struct contents_verdict verdict;
    if (check(place, &verdict) < 0)
        fail_msg("%s", last.text);
}

static void types_are_checked(void **state)
{
    struct place *place = *state;
    const char *tool = below(place, "/opt/bin/tool"), *aside = below(place, "/opt/bin/aside");
    const char *link = below(place, "/opt/bin/link");
    fill_tree(place);
    assert_int_equal(rename(tool, aside), 0);
    assert_int_equal(symlink("aside", tool), 0); /* the same bytes behind a link */
    bad(place, "/opt/bin/tool: it is a symbolic link, but should be a file");
    assert_int_equal(unlink(tool), 0);
    assert_int_equal(mkfifo(tool, 0755), 0); /* must not block */
    bad(place, "/opt/bin/tool: it is a special file");
    assert_int_equal(unlink(tool), 0);
    assert_int_equal(mkdir(tool, 0755), 0);
    bad(place, "/opt/bin/tool: it is a directory");
    assert_int_equal(rmdir(tool), 0);
    assert_int_equal(rename(aside, tool), 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("to\"olx", link), 0);
    bad(place, "/opt/bin/link: it points elsewhere");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("to", link), 0);
    bad(place, "/opt/bin/link: it points elsewhere");
    assert_int_equal(unlink(link), 0);
    put(place, "/opt/bin/link", "a tool", 6, 0755);
    bad(place, "/opt/bin/link: it is a file, but should be a symbolic link");
    assert_int_equal(unlink(tool), 0);
    bad(place, "2 entries are not as listed; the first: /opt/bin/link");
}

/* A link that leads out of the root as seen from outside leads nowhere as seen from inside. */
static void the_root_is_not_left(void **state)
{
    struct place *place = *state;
    fill_tree(place);
    assert_int_equal(mkdir(below(place, "/real"), 0755), 0);
    assert_int_equal(rename(below(place, "/opt/bin"), below(place, "/real/bin")), 0);
    assert_int_equal(symlink(below(place, "/real/bin"), below(place, "/opt/bin")), 0);
    bad(place, "/opt/bin/link: it is missing");
    assert_int_equal(unlink(below(place, "/opt/bin")), 0);
    assert_int_equal(symlink("/real/bin", below(place, "/opt/bin")), 0);
    struct contents_verdict verdict;
    if (check(place, &verdict) < 0)
        fail_msg("%s", last.text);
}

static void flip(const struct place *place, const char *path, const char *from, const char *to)
{
    cleanup_buf struct buf text = get_file(place, path);
    char *at = memmem(text.data, text.len, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    put(place, path, text.data, text.len, 0644);
}

static void signatures_are_checked(void **state)
{
    struct place *place = *state;
    fill_tree(place);
    sign(place, COMMENT);
    flip(place, CONTENTS_LIST, "\"name\":\"test\"", "\"name\":\"best\"");
    bad(place, "BAD signature: the signed file was changed");
    flip(place, CONTENTS_LIST, "\"name\":\"best\"", "\"name\":\"test\"");
    flip(place, CONTENTS_SIG, "timestamp:1600", "timestamp:1700");
    bad(place, "BAD signature: its trusted comment was changed");
    flip(place, CONTENTS_SIG, "timestamp:1700", "timestamp:1600");
    assert_int_equal(rename(below(place, CONTENTS_KEY), below(place, "/kept")), 0);
    bad(place, "/opt/bake/contents.json.minisig exists, but /opt/bake/bake.pub is missing");
    const char *const other[] = {
        "minisign", "-G", "-W", "-f", "-p", below(place, CONTENTS_KEY), "-s", below(place, "/key2"), NULL};
    assert_int_equal(run(other), 0);
    bad(place, "was made with key");
    assert_int_equal(rename(below(place, "/kept"), below(place, CONTENTS_KEY)), 0);
    assert_int_equal(unlink(below(place, CONTENTS_SIG)), 0);
    bad(place, "/opt/bake/bake.pub exists, but /opt/bake/contents.json.minisig is missing");
    put_text(place, CONTENTS_SIG, "untrusted comment: x\nAAAA\n");
    bad(place, "is not a minisign signature file");
    put_text(place, CONTENTS_KEY, "RW");
    bad(place, "is not a minisign public key file");
}

static void a_signature_of_another_file_is_refused(void **state)
{
    struct place *place = *state;
    fill_tree(place);
    sign(place, "timestamp:1600000000\tfile:other.json\thashed");
    bad(place, "is a signature of another file");
}

/* Good as far as minisign goes, over the bytes themselves and not their digest. */
static void a_signature_of_the_old_form_is_refused(void **state)
{
    struct place *place = *state;
    char key[512];
    fill_tree(place);
    sign(place, COMMENT);
    snprintf(key, sizeof key, "%s", below(place, "/key"));
    const char *const again[] = {"minisign", "-S", "-l", "-s", key, "-m", below(place, CONTENTS_LIST), NULL};
    assert_int_equal(run(again), 0);
    bad(place, "is not a prehashed signature");
}

static void every_cut_of_a_signature_is_refused(void **state)
{
    struct place *place = *state;
    fill_tree(place);
    sign(place, COMMENT);
    cleanup_buf struct buf whole = get_file(place, CONTENTS_SIG);
    struct contents_verdict verdict;
    for (size_t len = 0; len + 1 < whole.len; len++) { /* the last byte is only the last line's end */
        put(place, CONTENTS_SIG, whole.data, len, 0644);
        assert_int_equal(check(place, &verdict), -1);
    }
}

static void malformed(const struct place *place, const char *text, const char *part)
{
    put_text(place, CONTENTS_LIST, text);
    bad(place, part);
}

#define LIST(entries) "{\"entries\":[" entries "],\"epoch\":1,\"format\":1,\"name\":\"x\",\"removed\":[]}"

static void malformed_lists_are_refused(void **state)
{
    struct place *place = *state;
    bad(place, "is missing: was this image made by bake?");
    put_text(place, "/opt/bake/other", "");
    assert_int_equal(mkfifo(below(place, CONTENTS_LIST), 0644), 0); /* must not block */
    bad(place, "is not a regular file");
    assert_int_equal(unlink(below(place, CONTENTS_LIST)), 0);
    malformed(place, "", "an object is expected");
    malformed(place, "{}", "not a contents list of format 1");
    malformed(place, "{\"entries\":[],\"format\":2}", "not a contents list of format 1");
    malformed(place, "{\"format\":1,\"entries\":[]}", "keys are not in order");
    malformed(place, LIST("{\"path\":\"/opt\",\"type\":\"device\"}"), "a type is unknown");
    malformed(place, LIST("{\"path\":\"/opt\"}"), "missing or extra members");
    malformed(place, LIST("{\"gid\":0,\"path\":\"/opt\",\"uid\":0}"), "missing or extra members");
    /* a file without its digest, or without its size */
    malformed(place,
              LIST("{\"gid\":0,\"mode\":\"0644\",\"path\":\"/o\",\"size\":0,\"type\":\"file\",\"uid\":0}"),
              "missing or extra members");
    malformed(place,
              LIST("{\"gid\":0,\"mode\":\"0644\",\"path\":\"/o\",\"sha256\":"
                   "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
                   "\"type\":\"file\",\"uid\":0}"),
              "missing or extra members");
    malformed(place, LIST("{\"path\":\"/opt/../etc\",\"type\":\"directory\"}"), "path that is not normal");
    malformed(place, LIST("{\"path\":\"opt\",\"type\":\"directory\"}"), "path that is not normal");
    malformed(place, LIST("{\"path\":\"/o\",\"size\":1,\"type\":\"directory\"}"), "missing or extra members");
    malformed(place, LIST("{\"path\":\"/o\",\"path\":\"/o\",\"type\":\"directory\"}"),
              "keys are not in order");
    malformed(place, LIST("{\"gid\":0,\"mode\":\"075\",\"path\":\"/o\",\"type\":\"directory\",\"uid\":0}"),
              "four octal digits");
    malformed(place,
              LIST("{\"gid\":4294967296,\"path\":\"/o\",\"target\":\"x\",\"type\":\"symlink\",\"uid\":0}"),
              "owner is out of range");
    malformed(place, LIST("{\"path\":\"/o\",\"type\":\"directory\",\"zeal\":1}"), "unknown key");
    assert_int_equal(mkdir(below(place, "/o"), 0700), 0);
    malformed(place,
              LIST("{\"path\":\"/o\",\"type\":\"directory\"},{\"path\":\"/o\",\"type\":\"directory\"}"),
              "entries are not in order");
    malformed(place, LIST("{\"path\":\"/o\",\"type\":\"directory\"}") "x", "text after its end");
}

int main(void)
{
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        ROOTED(good_trees),
        ROOTED(content_is_checked),
        ROOTED(attributes_are_checked),
        ROOTED(types_are_checked),
        ROOTED(the_root_is_not_left),
        ROOTED(signatures_are_checked),
        ROOTED(a_signature_of_another_file_is_refused),
        ROOTED(a_signature_of_the_old_form_is_refused),
        ROOTED(every_cut_of_a_signature_is_refused),
        ROOTED(malformed_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
