#include "payload/check.h"

#include "cache/cache.h"
#include "io/file.h"
#include "task/thread.h"
#include "text/hex.h"

static int check_one(const struct plan_op *op, const struct run *run, struct err *err)
{
    const struct blob *blob = &op->content;
    struct sha256 found;
    /* a file without a recorded identity is hashed as it is written */
    if (op->kind != PLAN_FILE || blob->memory || blob->identity.inode == 0)
        return 0;
    if (file_sha256(blob->fd, blob->off, blob->size, run, &found, err) < 0)
        return err_wrap(err, "%s", op->image_path);
    if (sha256_equal(&found, &blob->sha256))
        return 0;
    char want[SHA256_HEX], have[SHA256_HEX];
    hex_encode(blob->sha256.bytes, SHA256_SIZE, want);
    hex_encode(found.bytes, SHA256_SIZE, have);
    err_set(err, ERR_VERIFY, 0,
            "%s: the cached copy is damaged: its SHA-256 was %s and is now %s; --recheck "
            "recreates it",
            op->image_path, want, have);
    err->errnum = CACHE_ROT;
    return -1;
}

static int check_all(const struct plan *plan, const struct run *run, struct err *err)
{
    for (size_t i = 0; i < plan->op_count; i++)
        if (check_one(&plan->ops[i], run, err) < 0)
            return -1;
    return 0;
}

static void *run_check_all(void *arg)
{
    struct payload_check *check = arg;
    check->result = check_all(check->plan, &check->run, &check->err);
    return NULL;
}

void payload_check_begin(struct payload_check *check, const struct plan *plan)
{
    check->plan = plan;
    check->run = (struct run){.stop = &check->stop};
    check->running = thread_start(&check->thread, run_check_all, check) == 0;
}

int payload_check_wait(struct payload_check *check, const struct run *run, struct err *err)
{
    if (!check->running)
        return check_all(check->plan, run, err);
    pthread_join(check->thread, NULL);
    check->running = false;
    if (check->result < 0)
        *err = check->err;
    return check->result;
}

void payload_check_end(struct payload_check *check)
{
    if (!check->running)
        return;
    check->stop = SIGTERM;
    pthread_join(check->thread, NULL);
    check->running = false;
}
