#include "helper.h"
#include "sample.h"

#include "seal/contents.h"
#include "text/hex.h"

static const char golden[] =
    "{\"entries\":["
    "{\"gid\":0,\"mode\":\"0644\",\"path\":\"/etc/\xc3\xa9\",\"sha256\":"
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,\"type\":\"file\","
    "\"uid\":0},"
    "{\"path\":\"/opt\",\"type\":\"directory\"},"
    "{\"gid\":0,\"mode\":\"4755\",\"path\":\"/opt/bin/"
    "hyperkube\",\"sha256\":\"@\",\"size\":9,\"type\":\"file\",\"uid\":0,"
    "\"xattrs\":{\"user.a\":\"eA==\",\"user.b\":\"AAE=\"}},"
    "{\"gid\":0,\"path\":\"/opt/bin/"
    "kubectl\",\"target\":\"hyper\\\"kube\\n\",\"type\":\"symlink\",\"uid\":0},"
    "{\"gid\":232,\"mode\":\"0700\",\"path\":\"/var/lib/etcd\",\"type\":\"directory\",\"uid\":232}],"
    "\"epoch\":1600000000,\"format\":1,\"name\":\"node\",\"removed\":[\"/old\"]}";

static void the_list_is_canonical(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    struct sha256 digest;
    char hex[SHA256_HEX];
    sample_fill(&s);
    cleanup_buf struct buf json = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf minisig = BUF_INIT(MINISIGN_FILE_MAX);
    if (seal_contents(&s.plan, "node", NULL, &json, &minisig, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(minisig.len, 0);
    assert_int_equal(sha256_of("hyperkube", 9, &digest, &err), 0);
    hex_encode(digest.bytes, SHA256_SIZE, hex);
    cleanup_buf struct buf want = BUF_INIT(1 << 16);
    const char *at = strchr(golden, '@');
    buf_add(&want, golden, (size_t)(at - golden));
    buf_printf(&want, "%s%s", hex, at + 1);
    assert_string_equal(json.data, want.data);
}

static void order_of_operations_does_not_matter(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    cleanup_buf struct buf one = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf two = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf none = BUF_INIT(1);
    assert_int_equal(seal_contents(&s.plan, "node", NULL, &one, &none, &err), 0);
    struct plan_op swap = s.ops[3];
    s.ops[3] = s.ops[5];
    s.ops[5] = swap;
    assert_int_equal(seal_contents(&s.plan, "node", NULL, &two, &none, &err), 0);
    assert_string_equal(one.data, two.data);
}

static void the_signature_is_minisigns(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    cleanup_signing_key struct signing_key key = {.secret = minisign_secret_alloc()};
    load_plain(key.secret, &key.public);
    struct buf first = {0};
    for (unsigned i = 0; i < 2; i++) {
        cleanup_buf struct buf json = BUF_INIT(CONTENTS_MAX);
        cleanup_buf struct buf minisig = BUF_INIT(MINISIGN_FILE_MAX);
        assert_int_equal(seal_contents(&s.plan, "node", &key, &json, &minisig, &err), 0);
        says(minisig.data, "trusted comment: timestamp:1600000000\tfile:contents.json\thashed\n");
        if (i == 0) {
            first = minisig;
            minisig = (struct buf){0};
            char list[512], public_path[] = FIXTURES "plain.pub", said[1024];
            save(in_dir("contents.json"), json.data, json.len, 0644);
            save(in_dir("contents.json.minisig"), first.data, first.len, 0644);
            snprintf(list, sizeof list, "%s", in_dir("contents.json"));
            const char *const verify[] = {"minisign", "-V", "-p", public_path, "-m", list, NULL};
            if (run_program(verify, "", said, sizeof said) != 0)
                fail_msg("%s", said);
        } else {
            assert_string_equal(first.data, minisig.data);
        }
    }
    buf_free(&first);
}

static void what_cannot_be_listed_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    cleanup_buf struct buf json = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf none = BUF_INIT(1);
    sample_fill(&s);
    s.ops[4].target = "\xff";
    assert_int_equal(seal_contents(&s.plan, "node", NULL, &json, &none, &err), -1);
    says(err.text, "not UTF-8");
    sample_fill(&s);
    s.ops[4].image_path = s.ops[3].image_path;
    assert_int_equal(seal_contents(&s.plan, "node", NULL, &json, &none, &err), -1);
    says(err.text, "twice");
    sample_fill(&s);
    s.ops[3].content.size = 1ULL << 60;
    assert_int_equal(seal_contents(&s.plan, "node", NULL, &json, &none, &err), -1);
    assert_int_equal(json.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_canonical),
        cmocka_unit_test(order_of_operations_does_not_matter),
        cmocka_unit_test(the_signature_is_minisigns),
        cmocka_unit_test(what_cannot_be_listed_is_refused),
    };
    return cmocka_run_group_tests_name("contents", tests, make_dir, remove_dir);
}
