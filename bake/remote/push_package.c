#include "bake/remote/push_package.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "cloud/upload/state.h"
#include "io/file.h"

enum { KEY_FILE_MAX = 64 << 10 };

void push_package_free(struct push_package *pushing)
{
    cleanup_close_fn(&pushing->fd);
    sealed_free(&pushing->sealed);
    package_free(&pushing->package);
    json_free(pushing->image);
    arena_free(&pushing->arena);
    *pushing = (struct push_package)PUSH_PACKAGE_EMPTY;
}

static int read_strings(const struct push_package *pushing, const char *key, const struct option_list *more,
                        const char **to, size_t max, size_t *count, struct err *err)
{
    const cJSON *list = NULL;
    if (json_get_array(pushing->image, json_root(pushing->image), key, false, &list, err) < 0)
        return -1;
    for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
        if (!cJSON_IsString(item) || *count == max - more->count)
            return json_error(pushing->image, item, err, "\"%s\" must be up to %d texts", key,
                              OPTION_LIST_MAX);
        to[(*count)++] = item->valuestring;
    }
    for (size_t i = 0; i < more->count; i++) {
        size_t at = 0;
        while (at < *count && strcmp(to[at], more->values[i]) != 0)
            at++;
        to[at] = more->values[i];
        *count += at == *count;
    }
    return 0;
}

static int read_labels(const struct push_options *options, struct push_package *pushing, struct err *err)
{
    const cJSON *object = NULL;
    struct image_spec *spec = &pushing->push.spec;
    if (json_get_object(pushing->image, json_root(pushing->image), "labels", false, &object, err) < 0)
        return -1;
    for (const cJSON *item = object ? object->child : NULL; item; item = item->next) {
        if (!cJSON_IsString(item) || spec->label_count == GIVEN_LABELS_MAX)
            return json_error(pushing->image, item, err, "\"labels\" must be up to %d texts",
                              GIVEN_LABELS_MAX);
        pushing->labels[spec->label_count++] = (struct label){item->string, item->valuestring};
    }
    if (session_labels(&options->labels, "label", &pushing->arena, pushing->labels, &spec->label_count,
                       GIVEN_LABELS_MAX, err) < 0 ||
        push_refuse_own_labels(pushing->labels, spec->label_count, err) < 0)
        return -1;
    spec->labels = pushing->labels;
    return 0;
}

static void add_version(struct push_package *pushing, const char *key, const char *version,
                        char value[static PUSH_VERSION_LABEL])
{
    struct push *push = &pushing->push;
    if (!*version)
        return;
    push_version_label(version, value);
    pushing->versions[push->version_count++] = (struct label){key, value};
}

static void add_versions(struct push_package *pushing)
{
    add_version(pushing, LABEL_KUBERNETES, pushing->package.kubernetes.version, pushing->kubernetes);
    add_version(pushing, LABEL_ETCD, pushing->package.kubernetes.etcd, pushing->etcd);
    pushing->push.versions = pushing->versions;
}

/* A SEQUENCE with a length of two bytes, as all certificates of a key are. */
static bool is_der(const struct buf *text)
{
    return text->len > 4 && memcmp(text->data, "\x30\x82", 2) == 0;
}

/* A certificate in DER or PEM, which the API wants in DER; anything else is one of UEFI's own structures. */
static int read_key(const char *path, struct arena *arena, struct shielded_key *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(KEY_FILE_MAX);
    if (file_read(path, KEY_FILE_MAX, &text, err) < 0)
        return -1;
    if (text.len == 0)
        return err_set(err, ERR_USAGE, 0, "%s is empty", path);
    const unsigned char *at = (const unsigned char *)text.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)text.len);
    BIO *bio = x509 ? NULL : BIO_new_mem_buf(text.data, (int)text.len);
    if (bio)
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    unsigned char *der = NULL;
    int len = x509 ? i2d_X509(x509, &der) : -1;
    /* what no certificate can be read from, whatever the reason, must not go out as a structure of UEFI's: a
     * variable's first bytes are a GUID or a year */
    if (len <= 0 && (is_der(&text) || memmem(text.data, text.len, "-----BEGIN", 10))) {
        X509_free(x509);
        return err_set(err, ERR_USAGE, 0, "%s holds no certificate that can be read", path);
    }
    ret->x509 = len > 0;
    ret->len = len > 0 ? (size_t)len : text.len;
    void *copy = arena_alloc(arena, ret->len);
    if (copy)
        memcpy(copy, len > 0 ? (const void *)der : text.data, ret->len);
    ret->bytes = copy;
    OPENSSL_free(der);
    X509_free(x509);
    return copy ? 0 : err_oom(err);
}

static int read_keys(const struct option_list *files, const char *option, struct arena *arena,
                     struct shielded_key *keys, size_t *count, struct err *err)
{
    if (files->count > SHIELDED_MAX)
        return err_set(err, ERR_USAGE, 0, "--%s is given more than %d times", option, SHIELDED_MAX);
    for (size_t i = 0; i < files->count; i++)
        if (read_key(files->values[i], arena, &keys[(*count)++], err) < 0)
            return err_wrap(err, "--%s", option);
    return 0;
}

static int read_shielded(const struct push_options *options, struct push_package *pushing, struct err *err)
{
    struct image_spec *spec = &pushing->push.spec;
    struct arena *arena = &pushing->arena;
    if (options->pk && read_key(options->pk, arena, &spec->pk, err) < 0)
        return err_wrap(err, "--platform-key");
    if (read_keys(&options->keks, "exchange-key", arena, spec->keks, &spec->kek_count, err) < 0 ||
        read_keys(&options->dbs, "signature-db", arena, spec->dbs, &spec->db_count, err) < 0)
        return -1;
    return read_keys(&options->dbxs, "forbidden-db", arena, spec->dbxs, &spec->dbx_count, err);
}

static int read_text(const struct push_package *pushing, const char *key, const char *option,
                     const char **ret, struct err *err)
{
    *ret = option;
    return option ? 0 : json_get_string(pushing->image, json_root(pushing->image), key, false, ret, err);
}

int push_package_prepare(const struct push_options *options, const struct session *session,
                         struct push_package *pushing, struct err *err)
{
    struct push *push = &pushing->push;
    struct image_spec *spec = &push->spec;
    *push = (struct push){.storage = session_storage(session, &options->session),
                          .images = session_images(session),
                          .prefix = session->prefix,
                          .sealed = &pushing->sealed,
                          .packed = &pushing->package.packed,
                          .fd = pushing->fd,
                          .create_bucket = options->create_bucket,
                          .no_compose = options->no_compose,
                          .location = options->location,
                          .threads = (unsigned)options->uploads,
                          .dry = options->session.dry_run ? &session->dry : NULL};
    const char *image = pushing->package.image;
    if (json_parse(image, strlen(image), "the manifest's \"image\"", JSON_STRICT, ERR_VERIFY, &pushing->image,
                   err) < 0 ||
        read_text(pushing, "family", options->family, &push->family, err) < 0 ||
        read_text(pushing, "description", options->description, &spec->description, err) < 0 ||
        read_text(pushing, "storage_location", options->storage_location, &spec->storage_location, err) < 0 ||
        read_labels(options, pushing, err) < 0 ||
        read_strings(pushing, "licenses", &options->licenses, pushing->licenses, PUSH_TEXTS_MAX,
                     &spec->license_count, err) < 0 ||
        read_strings(pushing, "guest_os_features", &options->features, pushing->features, PUSH_TEXTS_MAX,
                     &spec->feature_count, err) < 0 ||
        read_shielded(options, pushing, err) < 0)
        return -1;
    if (push->family && !image_name_ok(push->family))
        return err_set(err, ERR_VERIFY, 0, "the package's family \"%.100s\" cannot be one", push->family);
    add_versions(pushing);
    spec->licenses = pushing->licenses;
    spec->features = pushing->features;
    spec->architecture = options->architecture ? options->architecture : "X86_64";
    spec->kms_key = options->kms_key;
    return 0;
}

/* --- the push --- */

static const char *outcome_name(enum push_outcome outcome)
{
    static const char *const names[] = {"pushed", "unchanged", "dry-run"};
    return names[outcome];
}

static void report_push(const struct push_package *pushing, const struct session *session,
                        const struct push_result *result)
{
    struct ui *ui = &session->common->ui;
    const struct upload_counts *counts = &result->counts;
    char sent[16], all[16];
    ui_bytes(counts->bytes_sent, sent);
    ui_bytes(counts->bytes, all);
    if (result->outcome == PUSH_UNCHANGED)
        ui_step(ui, "push", "%s is registered in %s already: nothing was sent", result->image,
                session->project);
    else if (result->archive_found)
        ui_step(ui, "push", "%s: the archive was in the bucket already", result->image);
    else
        ui_step(ui, "push", "%s: %llu of %llu parts, %s of %s", result->image,
                (unsigned long long)counts->parts_sent, (unsigned long long)counts->parts, sent, all);
    struct ui_line line;
    ui_line_open(&line, ui, "push");
    json_string(&line.json, "result", outcome_name(result->outcome));
    json_string(&line.json, "project", session->project);
    json_string(&line.json, "image", result->image);
    if (pushing->push.family)
        json_string(&line.json, "family", pushing->push.family);
    json_string(&line.json, "bucket", pushing->push.storage.bucket);
    json_uint(&line.json, "parts", counts->parts);
    json_uint(&line.json, "parts_sent", counts->parts_sent);
    json_uint(&line.json, "bytes", counts->bytes);
    json_uint(&line.json, "bytes_sent", counts->bytes_sent);
    ui_line_print(&line);
}

int push_package_run(const struct push_package *pushing, const struct session *session, struct cache *cache,
                     struct push_result *ret, struct err *err)
{
    cleanup_state struct push_state state = PUSH_STATE_EMPTY;
    cleanup_buf struct buf identity = BUF_INIT(4096);
    const struct push *push = &pushing->push;
    if (!push->dry && (push_identity(push, &identity, err) < 0 ||
                       state_open(cache, identity.data, &session->common->run, &state, err) < 0))
        return -1;
    ui_step(&session->common->ui, "push", "%s to gs://%s/%s", pushing->package.name, push->storage.bucket,
            push->prefix);
    if (push_run(push, &state, ret, err) < 0)
        return err_wrap(err, "%s", pushing->package.name);
    report_push(pushing, session, ret);
    return 0;
}
