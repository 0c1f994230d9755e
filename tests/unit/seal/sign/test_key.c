#include "tests/unit/seal/helper.h"

#include <dirent.h>
#include <grp.h>
#include <sys/wait.h>

/* Weak on purpose: libsodium's minimum, 16 MiB and hardly any time. */
static const struct minisign_kdf quick = {32768, 16 << 20};

static int give(void *ctx, const char *path, char *out, size_t room, size_t *ret_len, struct err *err)
{
    const char *text = ctx;
    (void)path;
    (void)err;
    assert_true(strlen(text) <= room);
    memcpy(out, text, strlen(text));
    *ret_len = strlen(text);
    return 0;
}

static int refuse(void *ctx, const char *path, char *out, size_t room, size_t *ret_len, struct err *err)
{
    (void)ctx, (void)out, (void)room, (void)ret_len;
    return err_set(err, ERR_USAGE, 0, "no terminal to ask for the passphrase of %s", path);
}

static struct passphrase_source saying(const char *text)
{
    return (struct passphrase_source){give, (void *)(uintptr_t)text};
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static unsigned entries(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static void new_keys_are_private_and_work(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public public, reread;
    mode_t mask = umask(0);
    int r = key_new(in_dir("a.key"), NULL, NULL, &public, &err);
    umask(mask);
    if (r < 0)
        fail_msg("%s", err.text);
    assert_int_equal(mode_of(in_dir("a.key")), 0600);
    assert_int_equal(mode_of(in_dir("a.pub")), 0644);
    mask = umask(0777);
    r = key_new(in_dir("b.key"), NULL, NULL, &reread, &err);
    umask(mask);
    assert_int_equal(r, 0);
    assert_int_equal(mode_of(in_dir("b.pub")), 0644);
    assert_memory_not_equal(reread.key, public.key, sizeof public.key);
    assert_int_equal(key_public_load(in_dir("a.pub"), &reread, &err), 0);
    assert_memory_equal(&reread, &public, sizeof public);
    char text[MINISIGN_PUBLIC_TEXT];
    minisign_public_text(&public, text);
    assert_int_equal(key_public_load(text, &reread, &err), 0);
    assert_memory_equal(&reread, &public, sizeof public);
    cleanup_signing_key struct signing_key key = {0};
    assert_int_equal(key_load(in_dir("a.key"), NULL, &key, &err), 0);
    assert_memory_equal(&key.public, &public, sizeof public);
}

static void keys_are_never_overwritten(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public public;
    save(in_dir("c.key"), "mine", 4, 0600);
    save(in_dir("d.pub"), "mine", 4, 0644);
    assert_int_equal(symlink("nowhere", in_dir("e.key")), 0);
    assert_int_equal(symlink("nowhere", in_dir("f.pub")), 0);
    unsigned before = entries();
    static const char *const names[] = {"c.key", "d.key", "e.key", "f.key"};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(key_new(in_dir(names[i]), NULL, NULL, &public, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        says(err.text, "never overwritten");
    }
    assert_int_equal(entries(), before);
    assert_int_equal(access(in_dir("nowhere"), F_OK), -1);
    cleanup_buf struct buf kept = load(in_dir("c.key"));
    assert_string_equal(kept.data, "mine");
    assert_int_equal(key_new(in_dir("none/x.key"), NULL, NULL, &public, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
}

static void passphrases_protect(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public public;
    struct passphrase_source right = saying("correct horse"), wrong = saying("battery staple"),
                             empty = saying("");
    struct passphrase_source none = {refuse, NULL};
    assert_int_equal(key_new(in_dir("p.key"), &empty, &quick, &public, &err), -1);
    says(err.text, "empty");
    assert_int_equal(key_new(in_dir("p.key"), &none, &quick, &public, &err), -1);
    assert_int_equal(access(in_dir("p.key"), F_OK), -1);
    assert_int_equal(access(in_dir("p.pub"), F_OK), -1);
    assert_int_equal(key_new(in_dir("p.key"), &right, &quick, &public, &err), 0);
    struct signing_key key = {0};
    assert_int_equal(key_load(in_dir("p.key"), &wrong, &key, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    says(err.text, "wrong passphrase");
    assert_int_equal(key_load(in_dir("p.key"), NULL, &key, &err), -1);
    says(err.text, "is encrypted");
    assert_int_equal(key_load(in_dir("p.key"), &none, &key, &err), -1);
    says(err.text, "no terminal");
    assert_null(key.secret);
    assert_int_equal(key_load(in_dir("p.key"), &right, &key, &err), 0);
    assert_memory_equal(&key.public, &public, sizeof public);
    signing_key_free(&key);
}

/* As Kubernetes mounts a Secret for a pod with an fsGroup: owned by root, readable by a group of the user. */
static void a_group_of_roots(const struct buf *plain)
{
    static const struct {
        mode_t mode;
        bool good;
    } cases[] = {{0440, true}, {0640, true}, {0460, false}, {0444, false}, {0450, false}};
    assert_int_equal(chmod(dir, 0755), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        save(in_dir("given.key"), plain->data, plain->len, cases[i].mode);
        assert_int_equal(chown(in_dir("given.key"), 0, 12345), 0);
        assert_int_equal(chmod(in_dir("given.key"), cases[i].mode), 0);
        pid_t child = fork();
        if (child == 0) {
            struct err err = {0};
            struct signing_key key = {0};
            if (setgroups(0, NULL) < 0 || setgid(12345) < 0 || setuid(12345) < 0)
                _exit(9);
            bool good = key_load(in_dir("given.key"), NULL, &key, &err) == 0;
            signing_key_free(&key);
            _exit(good == cases[i].good ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        /* for root it is a file that others can read */
        struct err err = {0};
        struct signing_key key = {0};
        assert_int_equal(key_load(in_dir("given.key"), NULL, &key, &err), -1);
    }
}

static void keys_that_others_can_read_are_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0644};
    cleanup_buf struct buf plain = load(FIXTURES "plain.key");
    for (unsigned i = 0; i < 5; i++) {
        struct err err = {0};
        struct signing_key key = {0};
        save(in_dir("open.key"), plain.data, plain.len, modes[i]);
        assert_int_equal(key_load(in_dir("open.key"), NULL, &key, &err), -1);
        assert_int_equal(err.kind, ERR_RECIPE);
        says(err.text, "chmod 600");
    }
    struct err err = {0};
    struct signing_key key = {0};
    assert_int_equal(key_load(in_dir("missing.key"), NULL, &key, &err), -1);
    says(err.text, "bake key new");
    assert_int_equal(key_load(dir, NULL, &key, &err), -1);
    if (geteuid() == 0) { /* only root can give files away */
        a_group_of_roots(&plain);
        save(in_dir("theirs.key"), plain.data, plain.len, 0600);
        assert_int_equal(chown(in_dir("theirs.key"), 12345, 12345), 0);
        assert_int_equal(key_load(in_dir("theirs.key"), NULL, &key, &err), -1);
        says(err.text, "another user");
    }
}

/* minisign's own key, with minisign's own strength: 1 GiB of memory. */
static void keys_that_minisign_made_open(void **state)
{
    (void)state;
    struct err err = {0};
    struct passphrase_source right = saying("correct horse");
    cleanup_signing_key struct signing_key key = {0};
    cleanup_buf struct buf file = load(FIXTURES "encrypted.key");
    save(in_dir("real.key"), file.data, file.len, 0600);
    if (key_load(in_dir("real.key"), &right, &key, &err) < 0)
        fail_msg("%s", err.text);
    struct minisign_public public;
    assert_int_equal(key_public_load(FIXTURES "encrypted.pub", &public, &err), 0);
    assert_memory_equal(&key.public, &public, sizeof public);
}

static void minisign_works_with_our_keys_and_signatures(void **state)
{
    (void)state;
    struct err err = {0};
    struct passphrase_source right = saying("correct horse");
    struct minisign_public public;
    assert_int_equal(key_new(in_dir("ours.key"), &right, &quick, &public, &err), 0);
    save(in_dir("data"), DATA, strlen(DATA), 0644);
    /* minisign signs with our encrypted key; we verify */
    char secret_path[512], public_path[512], data[512], signature[512], said[4096];
    snprintf(secret_path, sizeof secret_path, "%s", in_dir("ours.key"));
    snprintf(public_path, sizeof public_path, "%s", in_dir("ours.pub"));
    snprintf(data, sizeof data, "%s", in_dir("data"));
    snprintf(signature, sizeof signature, "%s", in_dir("data.minisig"));
    const char *const sign[] = {"minisign", "-S", "-s", secret_path, "-m", data, "-x", signature, NULL};
    if (run_program(sign, "correct horse\n", said, sizeof said) != 0)
        fail_msg("%s", said);
    cleanup_buf struct buf theirs = load(signature);
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    minisign_digest(DATA, strlen(DATA), digest);
    assert_int_equal(minisign_verify(&public, digest, theirs.data, theirs.len, "x", NULL, &err), 0);
    /* we sign; minisign verifies */
    cleanup_signing_key struct signing_key key = {0};
    assert_int_equal(key_load(secret_path, &right, &key, &err), 0);
    cleanup_buf struct buf ours = BUF_INIT(MINISIGN_FILE_MAX);
    assert_int_equal(minisign_sign(key.secret, digest, "timestamp:1\tfile:data\thashed", &ours, &err), 0);
    save(signature, ours.data, ours.len, 0644);
    const char *const verify[] = {"minisign", "-V", "-p", public_path, "-m", data, "-x", signature, NULL};
    if (run_program(verify, "", said, sizeof said) != 0)
        fail_msg("%s", said);
    says(said, "Trusted comment: timestamp:1\tfile:data\thashed");
    save(data, "forged", 6, 0644);
    assert_int_not_equal(run_program(verify, "", said, sizeof said), 0);
}

static void public_names_follow_secret_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"/a/bake.key", "/a/bake.pub"},
                                           {"bake", "bake.pub"},
                                           {"/a/.key", "/a/.key.pub"},
                                           {".key", ".key.pub"}};
    for (unsigned i = 0; i < 4; i++) {
        cleanup_free char *path = key_public_path(cases[i][0]);
        assert_string_equal(path, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_keys_are_private_and_work),
        cmocka_unit_test(keys_are_never_overwritten),
        cmocka_unit_test(passphrases_protect),
        cmocka_unit_test(keys_that_others_can_read_are_refused),
        cmocka_unit_test(keys_that_minisign_made_open),
        cmocka_unit_test(minisign_works_with_our_keys_and_signatures),
        cmocka_unit_test(public_names_follow_secret_names),
    };
    return cmocka_run_group_tests_name("key", tests, make_dir, remove_dir);
}
