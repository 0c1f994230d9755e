/* inputs_make_lock() of internal.h: pins what was verified, and reports what changed. */
#include <string.h>
#include <time.h>

#include "bake/job/inputs/epoch.h"
#include "bake/job/inputs/internal.h"
#include "io/file.h"
#include "text/hex.h"

static int pin(struct lock *lock, const char *name, const struct fetch_item *item, struct err *err)
{
    const struct lock_input pinned = {.name = name,
                                      .url = item->from->portable_url ? item->from->portable_url : item->url,
                                      .size = item->trusted.size,
                                      .sha256 = item->trusted.sha256,
                                      .signer = item->trusted.signer,
                                      .version = item->version};
    return lock_add(lock, &pinned, err);
}

/* Would the new lock pin the same? Then the old one stays, with its time, so that a bake gives the same
 * bytes. */
static bool same_inputs(const struct lock *a, const struct lock *b)
{
    if (a->input_count != b->input_count || !sha256_equal(&a->inputs_digest, &b->inputs_digest))
        return false;
    for (size_t i = 0; i < a->input_count; i++)
        if (strcmp(a->inputs[i].name, b->inputs[i].name) != 0 ||
            strcmp(a->inputs[i].url, b->inputs[i].url) != 0 ||
            !sha256_equal(&a->inputs[i].sha256, &b->inputs[i].sha256))
            return false;
    return true;
}

/* Reports what is new in the lock: warnings for what is pinned on trust, steps for the rest. Needs the old
 * lock. */
static void report_pins(const struct fetch_work *work, const struct lock *made)
{
    unsigned on_trust = 0;
    for (size_t i = 0; i < work->count; i++) {
        const struct fetch_item *item = &work->items[i];
        const struct lock_input *now = lock_find(made, item->name);
        const struct lock_input *old = lock_find(&work->job->inputs.lock, item->name);
        char hex[SHA256_HEX], old_hex[SHA256_HEX] = "";
        if (!now || (old && sha256_equal(&old->sha256, &now->sha256)))
            continue;
        hex_encode(now->sha256.bytes, SHA256_SIZE, hex);
        if (old)
            hex_encode(old->sha256.bytes, SHA256_SIZE, old_hex);
        bool vouched = item->sha256 || item->from->sha512 || item->from->keyring;
        on_trust += !vouched;
        if (!vouched && old)
            run_warn(&work->job->common->run, "lock",
                     "%s CHANGED since it was locked, and no digest or signature vouches for it: sha256 %s "
                     "is now %s (%s)",
                     now->name, old_hex, hex, now->url);
        else if (!vouched)
            run_warn(&work->job->common->run, "lock",
                     "%s is pinned on trust this first time, as %s it: sha256 %s (%s)", now->name,
                     inputs_url_is_local(item->url) ? "this machine has" : "its server sent", hex, now->url);
        else if (old)
            ui_step(&work->job->common->ui, "lock", "%s changed: sha256 %s is now %s", now->name, old_hex,
                    hex);
    }
    if (on_trust > 0)
        run_warn(&work->job->common->run, "lock",
                 "compare with the digest that the publisher gives, and put it into the recipe; with "
                 "--require-digests this is refused");
}

static int write_lock(const struct inputs *inputs, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX);
    if (lock_write(&inputs->lock, &text, err) < 0)
        return -1;
    const char *slash = strrchr(inputs->lock_path, '/');
    if (slash && slash != inputs->lock_path) {
        cleanup_free char *dir = strndup(inputs->lock_path, (size_t)(slash - inputs->lock_path));
        if (!dir)
            return err_oom(err);
        if (file_mkdirs(dir, 0755, err) < 0)
            return -1;
    }
    if (file_put(inputs->lock_path, text.data, text.len, 0644, err) < 0)
        return err_wrap(err, "lock");
    return 0;
}

int inputs_make_lock(struct fetch_work *work, bool *ret_written, struct err *err)
{
    struct inputs *inputs = &work->job->inputs;
    int64_t epoch = 0;
    bool set = false;
    if (epoch_from_environment(&epoch, &set, err) < 0)
        return -1;
    if (!set)
        epoch = (int64_t)time(NULL);
    cleanup_lock struct lock made = {0};
    if (lock_begin(&inputs->recipe, epoch, &made, err) < 0)
        return -1;
    for (size_t i = 0; i < work->count; i++)
        if (pin(&made, work->items[i].name, &work->items[i], err) < 0)
            return -1;
    if (inputs->lock.input_count > 0 && same_inputs(&inputs->lock, &made)) {
        ui_step(&work->job->common->ui, "lock", "%s is up to date", inputs->lock_path);
        return 0;
    }
    report_pins(work, &made);
    lock_free(&inputs->lock);
    inputs->lock = made;
    made = (struct lock){0};
    if (write_lock(inputs, err) < 0)
        return -1;
    *ret_written = true;
    ui_step(&work->job->common->ui, "lock", "wrote %s", inputs->lock_path);
    return 0;
}
