#include "bake/remote/push_options.h"

#include <string.h>

static const struct option push_rows[] = {
    {"create-bucket", 0, FLAG_OF(struct push_options, create_bucket), NULL,
     "create the bucket if it is missing"},
    {"location", 0, STRING_OF(struct push_options, location), "PLACE", "where to create it, such as EU"},
    {"no-compose", 0, FLAG_OF(struct push_options, no_compose), NULL,
     "one resumable upload instead of parts"},
    {"uploads", 0, UINT_OF(struct push_options, uploads), "N", "requests in parallel (8)"},
    {"rate", 0, SIZE_OF(struct push_options, session.rate), "SIZE", "bytes a second, at most"},
    {"family", 0, STRING_OF(struct push_options, family), "NAME", "image family, else the recipe's"},
    {"label", 0, PAIRS_OF(struct push_options, labels), "K=V", "one more label, beside the recipe's"},
    {"description", 0, STRING_OF(struct push_options, description), "TEXT", "description, else the recipe's"},
    {"license", 0, LIST_OF(struct push_options, licenses), "URL", "one more license"},
    {"feature", 0, LIST_OF(struct push_options, features), "TYPE", "one more guest OS feature"},
    {"storage-location", 0, STRING_OF(struct push_options, storage_location), "PLACE",
     "where the image is stored, such as eu"},
    {"architecture", 0, STRING_OF(struct push_options, architecture), "ARCH", "X86_64 (the default) or ARM64",
     .choices = "X86_64 ARM64"},
    {"kms-key", 0, STRING_OF(struct push_options, kms_key), "KEY",
     "encrypt the image with this Cloud KMS key"},
    {"platform-key", 0, STRING_OF(struct push_options, pk), "FILE", "Secure Boot: the platform key"},
    {"exchange-key", 0, LIST_OF(struct push_options, keks), "FILE", "Secure Boot: a key exchange key"},
    {"signature-db", 0, LIST_OF(struct push_options, dbs), "FILE", "Secure Boot: what may boot"},
    {"forbidden-db", 0, LIST_OF(struct push_options, dbxs), "FILE", "Secure Boot: what may not boot"},
    {0},
};
const struct option_group push_group = {.title = "Image and upload", .rows = push_rows};

int push_refuse_own_labels(const struct label *labels, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (push_own_label(labels[i].key))
            return err_set(err, ERR_USAGE, 0, "the label %s is reserved by bake", labels[i].key);
    return 0;
}

static int check_labels(const struct option_list *given, struct err *err)
{
    cleanup_arena struct arena arena = {0};
    struct label labels[GIVEN_LABELS_MAX];
    size_t count = 0;
    return session_labels(given, "label", &arena, labels, &count, GIVEN_LABELS_MAX, err) < 0
               ? -1
               : push_refuse_own_labels(labels, count, err);
}

int push_options_check(const struct push_options *options, struct err *err)
{
    const char *architecture = options->architecture;
    if (!options->session.bucket)
        return err_set(err, ERR_USAGE, 0, "no bucket: --bucket NAME says which");
    if (options->location && !options->create_bucket)
        return err_set(err, ERR_USAGE, 0,
                       "--location is the place of a new bucket: it needs --create-bucket");
    if (options->uploads > 64)
        return err_set(err, ERR_USAGE, 0, "--uploads is 1 to 64");
    if (options->session.rate && options->session.rate < 1024)
        return err_set(err, ERR_USAGE, 0, "--rate is at least 1KiB (a second)");
    if (architecture && strcmp(architecture, "X86_64") != 0 && strcmp(architecture, "ARM64") != 0)
        return err_set(err, ERR_USAGE, 0, "--architecture is X86_64 or ARM64");
    if (options->description && strlen(options->description) > DESCRIPTION_MAX)
        return err_set(err, ERR_USAGE, 0, "--description is longer than %d bytes", DESCRIPTION_MAX);
    if (check_labels(&options->labels, err) < 0)
        return -1;
    if (options->kms_key && strncmp(options->kms_key, "projects/", 9) != 0)
        return err_set(err, ERR_USAGE, 0,
                       "--kms-key needs projects/P/locations/L/keyRings/R/cryptoKeys/K, not \"%.200s\"",
                       options->kms_key);
    if (options->family && !image_name_ok(options->family))
        return err_set(err, ERR_USAGE, 0,
                       "--family \"%.100s\": up to 63 of a-z, 0-9, '-', a letter first and no '-' last",
                       options->family);
    return 0;
}
