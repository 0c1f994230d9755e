#include <fcntl.h>
#include <string.h>

#include <sodium.h>

#include "bake/trial/trial.h"

enum { SECRET_SIZE = 32 };

void trial_secret(char ret[static TRIAL_SECRET_TEXT])
{
    unsigned char bytes[SECRET_SIZE];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(ret, TRIAL_SECRET_TEXT, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(bytes, sizeof bytes);
}

/* Splits "GUEST:KEY"; a key holds no colon. RET_KEY is what follows the colon. */
static int split_guest(const char *text, size_t len, const char *const *guests, const char **ret_guest,
                       const char **ret_key, struct err *err)
{
    const char *colon = memchr(text, ':', len);
    *ret_guest = NULL;
    *ret_key = text;
    if (!colon)
        return 0;
    for (; *guests; guests++)
        if (strlen(*guests) == (size_t)(colon - text) && strncmp(*guests, text, strlen(*guests)) == 0) {
            *ret_guest = *guests;
            *ret_key = colon + 1;
            return 0;
        }
    return err_set(err, ERR_USAGE, 0, "--metadata %.*s: no guest is called that", (int)(colon - text), text);
}

/* Replaces the value of a key that exists already. */
static int set_attribute(struct trial_attributes *to, const char *text, const char *const *guests,
                         const char *guest, struct err *err)
{
    const char *equals = strchr(text, '='), *whose = NULL, *at = text;
    if (!equals || equals == text)
        return err_set(err, ERR_USAGE, 0, "--metadata needs KEY=VALUE, not \"%s\"", text);
    if (split_guest(text, (size_t)(equals - text), guests, &whose, &at, err) < 0)
        return -1;
    if (whose && (!guest || strcmp(whose, guest) != 0))
        return 0;
    const char *key = arena_strndup(&to->arena, at, (size_t)(equals - at));
    if (!key)
        return err_oom(err);
    size_t i = 0;
    while (i < to->count && strcmp(to->list[i].key, key) != 0)
        i++;
    to->list[i] = (struct metadata_server_attribute){key, equals + 1};
    to->count += i == to->count;
    return 0;
}

int trial_attributes_make(const struct trial_options *options, const char *const *guests, const char *guest,
                          const char *nodes, const char *secret, struct trial_attributes *ret,
                          struct err *err)
{
    *ret = (struct trial_attributes){
        .list = {{"cluster-name", "test"},
                 {"cluster-nodes", nodes},
                 {"cluster-secret", secret},
                 /* Kubernetes takes minutes to start under emulation; "-m cluster-role=node" asks for it, in
                  * a cluster: kubelet refuses the link-local address of a single guest */
                 {"cluster-role", "witness"}},
        .count = 4};
    for (size_t i = 0; i < options->metadata.count; i++)
        if (set_attribute(ret, options->metadata.values[i], guests, guest, err) < 0)
            return -1;
    return 0;
}

const char *trial_attribute(const struct trial_attributes *attributes, const char *key)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (strcmp(attributes->list[i].key, key) == 0)
            return attributes->list[i].value;
    return "";
}

void trial_attributes_free(struct trial_attributes *attributes)
{
    arena_free(&attributes->arena);
    *attributes = (struct trial_attributes){0};
}

int trial_open_serial(const char *path, int *ret_fd, struct err *err)
{
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
    return *ret_fd < 0 ? err_sys(err, errno, "open %s", path) : 0;
}

void trial_add_seconds(struct json_writer *to, const char *name, double seconds)
{
    if (seconds >= 0)
        json_seconds(to, name, (uint64_t)(seconds * 10 + 0.5) * 100);
    else
        json_null(to, name);
}

void trial_add_boot_seconds(struct json_writer *to, const struct boot_result *result)
{
    trial_add_seconds(to, "loader", result->console_s);
    trial_add_seconds(to, "kernel", result->kernel_s);
    trial_add_seconds(to, "first_unit", result->unit_s);
    trial_add_seconds(to, "report", result->report_s);
}
