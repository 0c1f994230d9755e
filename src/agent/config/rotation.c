#include "agent/config/rotation.h"

#include <string.h>

#include <sodium.h>

#include "text/hex.h"

enum { TEXT_MAX = 256 };

const char *const rotation_stage_names[ROTATION_STAGES] = {"none", "trust", "use", "done"};

static void write_text(const struct rotation *rotation, struct buf *ret)
{
    buf_printf(ret, "bake-rotation 1\nfrom %s\n", rotation->from);
    if (rotation->to[0])
        buf_printf(ret, "to %s\n", rotation->to);
    buf_printf(ret, "stage %s\n", rotation_stage_names[rotation->stage]);
}

/* Copies the fingerprint behind NAME; "" if there is none. */
static void read_print(const char *text, const char *name, char ret[static ROTATION_PRINT_CAP])
{
    const char *at = strstr(text, name);
    snprintf(ret, ROTATION_PRINT_CAP, "%.*s", at ? (int)strcspn(at + strlen(name), "\n") : 0,
             at ? at + strlen(name) : "");
    if (!hex_is_lower(ret, strlen(ret)))
        ret[0] = '\0';
}

int rotation_load(const struct root *root, struct rotation *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX), again = BUF_INIT(TEXT_MAX);
    struct rotation made = {0};
    bool found = false;
    if (root_read(root, ROTATION_FILE, &text, &found, err) < 0)
        return -1;
    *ret = made;
    if (!found)
        return 0;
    const char *bytes = text.data ? text.data : "";
    const char *stage = strstr(bytes, "\nstage ");
    read_print(bytes, "\nfrom ", made.from);
    read_print(bytes, "\nto ", made.to);
    for (enum rotation_stage i = 0; stage && i < ROTATION_STAGES; i++)
        if (strncmp(stage + 7, rotation_stage_names[i], strlen(rotation_stage_names[i])) == 0)
            made.stage = i;
    write_text(&made, &again);
    if (strlen(made.from) != ROTATION_PRINT_CAP - 1 ||
        (made.stage == ROTATION_NONE) != (made.to[0] == '\0') || text.len != again.len ||
        memcmp(bytes, again.data, text.len) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s is damaged: replace this node with an empty disk",
                       ROTATION_FILE);
    *ret = made;
    return 0;
}

int rotation_save(const struct root *root, const struct rotation *rotation, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    bool changed;
    write_text(rotation, &text);
    if (buf_check(&text, ROTATION_FILE, err) < 0)
        return -1;
    return root_keep(root, ROTATION_FILE, text.data, text.len, 0600, &changed, err);
}

static void print_of(const struct node_metadata *metadata, const struct cluster_secret *secret, bool next,
                     char ret[static ROTATION_PRINT_CAP])
{
    unsigned char bytes[DERIVED_KEY_SIZE];
    cleanup_cluster_secret struct cluster_secret one = *secret;
    if (next)
        cluster_secret_take_next(secret, &one);
    cluster_secret_derive(&one, metadata->cluster_name, "fingerprint", bytes);
    sodium_bin2hex(ret, ROTATION_PRINT_CAP, bytes, (ROTATION_PRINT_CAP - 1) / 2);
    sodium_memzero(bytes, sizeof bytes);
}

static int refuse(const char *what, struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "metadata: %s", what);
}

static int ask_under_way(const struct rotation *rotation, const char *now, const char *next,
                         enum rotation_step *ret, struct err *err)
{
    bool is_old = strcmp(now, rotation->from) == 0, is_new = strcmp(now, rotation->to) == 0;
    *ret = ROTATION_STAY;
    if (is_old && strcmp(next, rotation->to) == 0)
        return 0;
    if (!next[0] && is_new && rotation->stage == ROTATION_DONE)
        return *ret = ROTATION_FINISH, 0;
    if (!next[0] && is_old && rotation->stage == ROTATION_TRUST)
        return *ret = ROTATION_GIVE_UP, 0;
    if (!next[0] && is_new)
        return refuse(
            "cluster-secret is the next one already, but not all Secrets are written with its key: put "
            "the old one back as cluster-secret, and this one as cluster-secret-next, until "
            "`bake-agent report` says \"done\"",
            err);
    if (!next[0] && is_old)
        return refuse("cluster-secret-next is gone, but it is in use: put it back, and go on with it", err);
    return refuse(
        "cluster-secret and cluster-secret-next are not the two that this node changes between: put "
        "those back, and change one at a time",
        err);
}

int rotation_ask(const struct rotation *rotation, const struct node_metadata *metadata,
                 const struct cluster_secret *secret, enum rotation_step *ret, struct err *err)
{
    char now[ROTATION_PRINT_CAP], next[ROTATION_PRINT_CAP] = "";
    print_of(metadata, secret, false, now);
    if (secret->has_next)
        print_of(metadata, secret, true, next);
    if (rotation->stage != ROTATION_NONE)
        return ask_under_way(rotation, now, next, ret, err);
    *ret = secret->has_next ? ROTATION_BEGIN : ROTATION_STAY;
    if (rotation->from[0] == '\0' || strcmp(now, rotation->from) == 0)
        return 0;
    return refuse(
        "cluster-secret or cluster-name changed: this disk was made for another. Nothing is rewritten: put "
        "the old value back, and give the new one as cluster-secret-next; or replace this node with an "
        "empty disk",
        err);
}

void rotation_after(const struct rotation *rotation, const struct node_metadata *metadata,
                    const struct cluster_secret *secret, enum rotation_step step, struct rotation *ret)
{
    struct rotation made = *rotation;
    if (step == ROTATION_BEGIN) {
        print_of(metadata, secret, true, made.to);
        made.stage = ROTATION_TRUST;
    } else if (step != ROTATION_STAY) {
        made = (struct rotation){.stage = ROTATION_NONE};
    }
    print_of(metadata, secret, false, made.from);
    *ret = made;
}

void rotation_pick(const struct rotation *rotation, const struct cluster_secret *secret,
                   struct cluster_secret *ret)
{
    *ret = *secret;
    if (rotation->stage != ROTATION_NONE)
        return;
    ret->has_next = false;
    sodium_memzero(ret->next, sizeof ret->next);
}

void rotation_keys(const struct rotation *rotation, char ret[static ROTATION_KEYS_CAP])
{
    bool next = rotation->stage >= ROTATION_USE, two = rotation->stage != ROTATION_NONE;
    snprintf(ret, ROTATION_KEYS_CAP, "%s%s%s", next ? rotation->to : rotation->from, two ? "-" : "",
             !two   ? ""
             : next ? rotation->from
                    : rotation->to);
}
