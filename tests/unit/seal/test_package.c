#include "helper.h"
#include "sample.h"

#include <dirent.h>
#include <fcntl.h>

#include <cjson/cJSON.h>

#include "seal/package.h"
#include "seal/read.h"

static struct signing_key the_key(void)
{
    struct signing_key key = {.secret = minisign_secret_alloc()};
    load_plain(key.secret, &key.public);
    return key;
}

static struct sealed make(const struct sample *s, const struct signing_key *key)
{
    struct err err = {0};
    struct sealed made = {0};
    if (seal_package(&s->input, key, &made, &err) < 0)
        fail_msg("%s", err.text);
    return made;
}

/* BAKE_GOLDEN=write in the environment rewrites the golden files, to be reviewed and committed. */
static void compare_golden(const struct sealed_file *file, const char *golden)
{
    char path[256];
    const char *mode = getenv("BAKE_GOLDEN");
    snprintf(path, sizeof path, FIXTURES "%s", golden);
    if (mode && strcmp(mode, "write") == 0)
        save(path, file->text, file->len, 0644);
    cleanup_buf struct buf want = load(path);
    assert_int_equal(file->len, want.len);
    assert_string_equal(file->text, want.data);
}

static void texts_are_the_golden_ones(void **state)
{
    (void)state;
    struct sample s;
    sample_fill(&s);
    cleanup_signing_key struct signing_key key = the_key();
    cleanup_sealed struct sealed sealed = make(&s, &key);
    assert_string_equal(sealed.manifest.name, "node-0123456789ab.manifest.json");
    assert_string_equal(sealed.signature.name, "node-0123456789ab.manifest.json.minisig");
    compare_golden(&sealed.manifest, "golden.manifest.json");
    compare_golden(&sealed.signature, "golden.manifest.json.minisig");
    compare_golden(&sealed.provenance, "golden.provenance.json");
    compare_golden(&sealed.spdx, "golden.spdx.json");
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(item);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

static bool id_ok(const char *id)
{
    return strncmp(id, "SPDXRef-", 8) == 0 && id[8] &&
           id[8 + strspn(id + 8, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0';
}

static unsigned find_id(const cJSON *root, const char *id)
{
    static const char *const lists[] = {"packages", "files"};
    unsigned found = strcmp(id, "SPDXRef-DOCUMENT") == 0;
    for (unsigned i = 0; i < 2; i++)
        for (const cJSON *e = cJSON_GetObjectItemCaseSensitive(root, lists[i])->child; e; e = e->next)
            found += strcmp(text_of(e, "SPDXID"), id) == 0;
    return found;
}

static unsigned has_checksum(const cJSON *element, const char *algorithm, size_t digits)
{
    unsigned found = 0;
    for (const cJSON *sum = cJSON_GetObjectItemCaseSensitive(element, "checksums")->child; sum;
         sum = sum->next)
        if (strcmp(text_of(sum, "algorithm"), algorithm) == 0) {
            const char *value = text_of(sum, "checksumValue");
            assert_int_equal(strlen(value), digits);
            assert_int_equal(strspn(value, "0123456789abcdef"), digits);
            found++;
        }
    return found;
}

/* The rules of SPDX 2.3 that readers depend on: clauses 6 (document), 7 (package), 8 (file), 11
 * (relationships). */
static void spdx_keeps_its_rules(void **state)
{
    (void)state;
    struct sample s;
    sample_fill(&s);
    s.input.name = "n\xc3\xa9 1";
    cleanup_sealed struct sealed sealed = make(&s, NULL);
    cJSON *root = cJSON_Parse(sealed.spdx.text);
    assert_non_null(root);
    assert_string_equal(text_of(root, "spdxVersion"), "SPDX-2.3");
    assert_string_equal(text_of(root, "dataLicense"), "CC0-1.0");
    assert_string_equal(text_of(root, "SPDXID"), "SPDXRef-DOCUMENT");
    says(text_of(root, "documentNamespace"), "https://spdx.org/spdxdocs/n%C3%A9%201-3200");
    const cJSON *creation = cJSON_GetObjectItemCaseSensitive(root, "creationInfo");
    assert_string_equal(text_of(creation, "created"), "2020-09-13T12:26:40Z");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(creation, "creators")->child->valuestring,
                        "Tool: bake-0.1.0");
    for (const cJSON *p = cJSON_GetObjectItemCaseSensitive(root, "packages")->child; p; p = p->next) {
        assert_true(id_ok(text_of(p, "SPDXID")));
        assert_int_equal(find_id(root, text_of(p, "SPDXID")), 1);
        assert_true(strlen(text_of(p, "name")) > 0);
        assert_true(strlen(text_of(p, "downloadLocation")) > 0);
        assert_int_equal(has_checksum(p, "SHA256", 64), 1);
        /* clause 7.9: the code is present exactly when files were analysed */
        const cJSON *code = cJSON_GetObjectItemCaseSensitive(p, "packageVerificationCode");
        assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(p, "filesAnalyzed")), code != NULL);
    }
    for (const cJSON *f = cJSON_GetObjectItemCaseSensitive(root, "files")->child; f; f = f->next) {
        assert_true(id_ok(text_of(f, "SPDXID")));
        assert_int_equal(find_id(root, text_of(f, "SPDXID")), 1);
        assert_int_equal(strncmp(text_of(f, "fileName"), "./", 2), 0);
        assert_int_equal(has_checksum(f, "SHA1", 40), 1);
    }
    unsigned described = 0, contained = 0;
    for (const cJSON *r = cJSON_GetObjectItemCaseSensitive(root, "relationships")->child; r; r = r->next) {
        assert_int_equal(find_id(root, text_of(r, "spdxElementId")), 1);
        assert_int_equal(find_id(root, text_of(r, "relatedSpdxElement")), 1);
        described += strcmp(text_of(r, "relationshipType"), "DESCRIBES") == 0;
        contained += strcmp(text_of(r, "relationshipType"), "CONTAINS") == 0;
    }
    assert_int_equal(described, 1);
    assert_int_equal(contained, 2);
    cJSON_Delete(root);
}

static void a_manifest_reads_back(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    cleanup_sealed struct sealed sealed = make(&s, NULL);
    assert_null(sealed.signature.name);
    cleanup_package struct package p = {0};
    if (package_read(sealed.manifest.text, sealed.manifest.len, "m", &p, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(p.name, s.input.name);
    assert_string_equal(p.bake_version, "0.1.0");
    assert_string_equal(p.recipe, "node");
    assert_string_equal(p.os, "coreos");
    assert_int_equal(p.epoch, SAMPLE_EPOCH);
    assert_memory_equal(&p.recipe_sha256, &s.input.recipe_sha256, SHA256_SIZE);
    assert_memory_equal(&p.lock_sha256, &s.input.lock_sha256, SHA256_SIZE);
    assert_memory_equal(&p.plan_digest, &s.plan.digest, SHA256_SIZE);
    assert_string_equal(p.base.url, s.input.base.url);
    assert_string_equal(p.base.signer, s.input.base.signer);
    assert_string_equal(p.base.version, "2512.3.0");
    assert_int_equal(p.input_count, 2);
    assert_string_equal(p.inputs[1].url, "");
    assert_string_equal(p.kubernetes.version, "1.36.3");
    assert_string_equal(p.kubernetes.etcd, "3.6.16");
    assert_string_equal(p.kubernetes.containerd, "");
    assert_int_equal(p.packed.disk_size, 10ULL << 30);
    assert_int_equal(p.packed.archive_crc32c, 0x12345678);
    assert_memory_equal(&p.packed.archive_sha256, &s.packed.archive_sha256, SHA256_SIZE);
    assert_int_equal(p.packed.segment_count, 2);
    assert_memory_equal(p.packed.segments, s.segments, sizeof s.segments);
    assert_string_equal(p.archive.path, "node-0123456789ab.tar.gz");
    assert_int_equal(p.file_count, 2);
    assert_string_equal(p.files[1].path, "/opt/bin/hyperkube");
    assert_int_equal(p.files[1].size, 9);
    assert_string_equal(p.image, s.input.image);
}

/* As packages of older versions are, and those of images without Kubernetes. */
static void a_manifest_without_kubernetes(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    s.input.kubernetes = NULL;
    cleanup_sealed struct sealed sealed = make(&s, NULL);
    cleanup_package struct package p = {0};
    assert_null(strstr(sealed.manifest.text, "\"kubernetes\": {"));
    if (package_read(sealed.manifest.text, sealed.manifest.len, "m", &p, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(p.kubernetes.version, "");
    assert_string_equal(p.kubernetes.etcd, "");
}

/* Replaces FROM in the manifest by TO. */
static int read_changed(const struct sealed *sealed, const char *from, const char *to, struct err *err)
{
    const char *at = strstr(sealed->manifest.text, from);
    if (!at)
        fail_msg("no %s in the manifest", from);
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    buf_add(&text, sealed->manifest.text, (size_t)(at - sealed->manifest.text));
    buf_str(&text, to);
    buf_str(&text, at + strlen(from));
    struct package p = {0};
    int r = package_read(text.data, text.len, "m", &p, err);
    package_free(&p);
    return r;
}

static void hostile_manifests_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"format\": 2", "\"format\": 3", "newer"},
        {"\"format\": 2", "\"format\": 2.5", ""},
        {"\"format\": 2", "\"format\": 2, \"format\": 2", ""},
        {"\"format\": 2", "\"format\": 2, \"extra\": 1", "extra"},
        {"\"format\": 2,", "", "format"},
        {"\"name\": \"node-0123456789ab\"", "\"name\": \"../x\"", "name"},
        {"\"name\": \"node-0123456789ab\"", "\"name\": \".x\"", "name"},
        {"\"file\": \"node-0123456789ab.tar.gz\"", "\"file\": \"/etc/passwd\"", "must be"},
        {"\"file\": \"node-0123456789ab.spdx.json\"", "\"file\": \"node-0123456789ab.spdx.json/..\"",
         "must be"},
        {"\"file\": \"disk.raw\"", "\"file\": \"disk2.raw\"", "must be"},
        {"\"size\": 1234", "\"size\": 1235", "add up to the archive"},
        {"\"size\": 1234", "\"size\": -1", ""},
        {"\"size\": 1234", "\"size\": 1e300", ""},
        {"\"size\": 1234", "\"size\": \"1234\"", ""},
        {"\"size\": 10737418240", "\"size\": 1048575", "outside the disk"},
        {"[0, 0, 0, 1000", "[0, 0, 1, 1000", "does not follow"},
        {"[0, 0, 0, 1000", "[0, 0, 0, 9007199254740991", "does not follow"},
        {"[0, 0, 0, 1000", "[9007199254740991, 9007199254740991, 0, 1000", "outside the disk"},
        {"[0, 0, 0, 1000, ", "[0, 0, 0, 1000, 1, ", "four numbers"},
        {"[0, 0, 0, 1000, ", "[0, 0, 0.5, 1000, ", ""},
        {"[0, 0, 0, 1000, ", "[0, 0, 0, ", "four numbers"},
        {"[0, 0, 0, 1000, ", "[], [0, 0, 0, 1000, ", "four numbers"},
        {"[0, 0, 0, 1000, ", "null, [0, 0, 0, 1000, ", "four numbers"},
        {"\"path\": \"/opt/bin/hyperkube\"", "\"path\": \"/opt/../bin/hyperkube\"", "in normal form"},
        {"\"path\": \"/opt/bin/hyperkube\"", "\"path\": \"opt\"", "in normal form"},
        {"\"path\": \"/opt/bin/hyperkube\"", "\"path\": \"/a\"", "sorted by path"},
        {"\"path\": \"/opt/bin/hyperkube\"", "\"path\": \"/etc/\xc3\xa9\"", "sorted by path"},
        {"\"crc32c\": \"EjRWeA==\"", "\"crc32c\": \"EjRWeA=\"", "crc32c"},
        {"\"bake\": \"0.1.0\"", "\"bake\": \"a\\u001b[2J\"", "control"},
        {"\"inputs\": [", "\"inputs\": [1, ", ""},
        {"\"version\": \"1.36.3\"", "\"version\": \"v1.36.3\"", "must be a version such as"},
        {"\"version\": \"1.36.3\"", "\"version\": \"1.36.36.36.36.36.36.36.36.36.36.36.3\"",
         "must be a version"},
        {"\"version\": \"1.36.3\"", "\"kubelet\": \"1.36.3\"", "kubelet"},
        {"\"version\": \"1.36.3\"", "\"version\": 1", "version"},
        {"\"kubernetes\": {\"version\"", "\"kubernetes\": {}, \"a\": {\"version\"", "unknown key"},
        {"\"image\": {", "\"image\": [{", ""},
        {"\"created\": 1600000000", "\"created\": -5", ""},
    };
    struct sample s;
    sample_fill(&s);
    cleanup_sealed struct sealed sealed = make(&s, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        if (read_changed(&sealed, cases[i][0], cases[i][1], &err) == 0)
            fail_msg("%s passed", cases[i][1]);
        assert_int_equal(err.kind, ERR_VERIFY);
        says(err.text, cases[i][2]);
    }
    struct package p = {0};
    struct err err = {0};
    for (size_t cut = 0; cut + 2 < sealed.manifest.len; cut += 7)
        assert_int_equal(package_read(sealed.manifest.text, cut, "m", &p, &err), -1);
}

static void what_cannot_be_sealed_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a/b", ".hidden", "a\nb", "\xff"};
    struct sample s;
    struct err err = {0};
    struct sealed made = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample_fill(&s);
        s.input.name = names[i];
        assert_int_equal(seal_package(&s.input, NULL, &made, &err), -1);
    }
    static const char *const images[] = {"", "[]", "{", "{},\"files\":[]", "{} x", "1"};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        sample_fill(&s);
        s.input.image = images[i];
        assert_int_equal(seal_package(&s.input, NULL, &made, &err), -1);
    }
    sample_fill(&s);
    s.packed.archive_size = 5;
    assert_int_equal(seal_package(&s.input, NULL, &made, &err), -1);
    sample_fill(&s);
    s.input.epoch = -1;
    assert_int_equal(seal_package(&s.input, NULL, &made, &err), -1);
    assert_null(made.name);
}

static unsigned entries(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] == 'n';
    closedir(d);
    return n;
}

static void packages_open_when_all_is_as_signed(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    char archive[1234];
    memset(archive, 'a', sizeof archive);
    sample_fill(&s);
    assert_int_equal(sha256_of(archive, sizeof archive, &s.packed.archive_sha256, &err), 0);
    cleanup_signing_key struct signing_key key = the_key();
    cleanup_sealed struct sealed sealed = make(&s, &key);
    save(in_dir("node-0123456789ab.tar.gz"), archive, sizeof archive, 0644);
    for (unsigned i = 0; i < 2; i++) {
        if (seal_write(&sealed, dir, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(entries(), 5);
    }
    char path[512], public_path[] = FIXTURES "plain.pub", said[1024];
    snprintf(path, sizeof path, "%s", in_dir("node-0123456789ab.manifest.json"));
    const char *const verify[] = {"minisign", "-V", "-p", public_path, "-m", path, NULL};
    if (run_program(verify, "", said, sizeof said) != 0)
        fail_msg("%s", said);
    cleanup_package struct package package = {0};
    cleanup_sealed struct sealed reread = {0};
    if (package_open(path, &key.public, &package, &reread, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(reread.manifest.text, sealed.manifest.text);
    assert_true(sha256_equal(&reread.manifest_sha256, &sealed.manifest_sha256));
    cleanup_close int fd = -1;
    if (package_check_archive(&package, path, NULL, &fd, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(fd >= 0);
    archive[77] = 'b';
    save(in_dir("node-0123456789ab.tar.gz"), archive, sizeof archive, 0644);
    assert_int_equal(package_check_archive(&package, path, NULL, NULL, &err), -1);
    says(err.text, "SHA-256 differs");
    save(in_dir("node-0123456789ab.tar.gz"), archive, 3, 0644);
    assert_int_equal(package_check_archive(&package, path, NULL, NULL, &err), -1);
    says(err.text, "size differs");
}

/* Restores all files, replaces FILE by TEXT (NULL: removes it), and opens the package. */
static const char *opened_with(const struct sealed *sealed, const struct minisign_public *key,
                               const char *file, const void *text, size_t len)
{
    static struct err err;
    err = (struct err){0};
    assert_int_equal(seal_write(sealed, dir, &err), 0);
    if (text)
        save(in_dir(file), text, len, 0644);
    else
        assert_int_equal(unlink(in_dir(file)), 0);
    struct package p = {0};
    int r = package_open(in_dir("node-0123456789ab.manifest.json"), key, &p, NULL, &err);
    package_free(&p);
    return r == 0 ? "" : err.text;
}

static void changed_packages_do_not_open(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    cleanup_signing_key struct signing_key key = the_key();
    cleanup_sealed struct sealed sealed = make(&s, &key);
    struct minisign_public other;
    assert_int_equal(key_public_load(FIXTURES "encrypted.pub", &other, &err), 0);
    const char *manifest = "node-0123456789ab.manifest.json",
               *sig = "node-0123456789ab.manifest.json.minisig";
    cleanup_free char *edited = strdup(sealed.manifest.text);
    char *family = strstr(edited, "1234");
    *family = '2';
    size_t len = strlen(edited);
    says(opened_with(&sealed, &key.public, manifest, edited, len), "BAD signature");
    says(opened_with(&sealed, &key.public, sig, NULL, 0), "is not signed");
    says(opened_with(&sealed, &key.public, manifest, NULL, 0), "No such file");
    says(opened_with(&sealed, &other, "unrelated", "x", 1), "was made with key");
    says(opened_with(&sealed, &key.public, "node-0123456789ab.spdx.json", "{}", 2), "it was changed");
    says(opened_with(&sealed, &key.public, "node-0123456789ab.provenance.json", "{}", 2), "it was changed");
    assert_string_equal(opened_with(&sealed, NULL, sig, NULL, 0), "");
    /* a valid signature by the same key, but of another file */
    cleanup_buf struct buf stray = BUF_INIT(MINISIGN_FILE_MAX);
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    minisign_digest(sealed.manifest.text, sealed.manifest.len, digest);
    assert_int_equal(
        minisign_sign(key.secret, digest, "timestamp:1\tfile:other.manifest.json\thashed", &stray, &err), 0);
    says(opened_with(&sealed, &key.public, sig, stray.data, stray.len), "of another file");
    /* the package under another name */
    assert_int_equal(seal_write(&sealed, dir, &err), 0);
    assert_int_equal(rename(in_dir(manifest), in_dir("nother.manifest.json")), 0);
    struct package p = {0};
    assert_int_equal(package_open(in_dir("nother.manifest.json"), NULL, &p, NULL, &err), -1);
    says(err.text, "must be named");
}

static void an_unsigned_package_removes_an_old_signature(void **state)
{
    (void)state;
    struct err err = {0};
    struct sample s;
    sample_fill(&s);
    cleanup_signing_key struct signing_key key = the_key();
    cleanup_sealed struct sealed with = make(&s, &key);
    cleanup_sealed struct sealed without = make(&s, NULL);
    assert_int_equal(seal_write(&with, dir, &err), 0);
    assert_int_equal(seal_write(&without, dir, &err), 0);
    assert_int_equal(access(in_dir("node-0123456789ab.manifest.json.minisig"), F_OK), -1);
    assert_int_equal(seal_write(&with, in_dir("none"), &err), -1);
    assert_int_equal(err.kind, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_the_golden_ones),
        cmocka_unit_test(spdx_keeps_its_rules),
        cmocka_unit_test(a_manifest_reads_back),
        cmocka_unit_test(a_manifest_without_kubernetes),
        cmocka_unit_test(hostile_manifests_are_refused),
        cmocka_unit_test(what_cannot_be_sealed_is_refused),
        cmocka_unit_test(packages_open_when_all_is_as_signed),
        cmocka_unit_test(changed_packages_do_not_open),
        cmocka_unit_test(an_unsigned_package_removes_an_old_signature),
    };
    return cmocka_run_group_tests_name("package", tests, make_dir, remove_dir);
}
