#include "cloud/upload/sender.h"

#include <string.h>

#include "task/parallel.h"
#include "task/thread.h"

enum { THREADS = 8 };

/* A part that waits. Its bytes follow it. */
struct waiting {
    struct waiting *next;
    size_t len;
    struct sha256 sha256;
    uint32_t crc32c;
    unsigned char bytes[];
};

struct sender {
    const struct storage *storage;
    char *prefix;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct waiting *first, **last;
    size_t bytes; /* that wait or are being sent */
    struct object_list list;
    bool listed; /* the bucket's parts are known */
    bool over;   /* no more will come */
    bool given_up;
    struct sender_counts sent;
    pthread_t threads[PARALLEL_MAX];
    unsigned thread_count;
};

static void drop_all(struct sender *sender)
{
    while (sender->first) {
        struct waiting *gone = sender->first;
        sender->first = gone->next;
        sender->bytes -= gone->len;
        free(gone);
    }
    sender->last = &sender->first;
}

/* Called with the lock. */
static void give_up(struct sender *sender, const struct err *why)
{
    if (!sender->given_up && why->kind != ERR_INTERRUPTED)
        run_note(sender->storage->api.run, "push", "parts are not sent while packing goes on: %s", why->text);
    sender->given_up = true;
    drop_all(sender);
    pthread_cond_broadcast(&sender->moved);
}

/* The first thread finds out what the bucket has; the others wait for it. */
static void list_parts(struct sender *sender)
{
    struct err why = {0};
    struct object_list list = {0};
    bool no_bucket = false;
    int r = storage_list(sender->storage, sender->prefix, &list, &no_bucket, &why);
    if (r == 0 && no_bucket)
        r = err_set(&why, ERR_REMOTE, 0, "there is no bucket yet");
    pthread_mutex_lock(&sender->lock);
    sender->list = list;
    sender->listed = true;
    if (r < 0)
        give_up(sender, &why);
    pthread_cond_broadcast(&sender->moved);
    pthread_mutex_unlock(&sender->lock);
}

static int name_of(const struct sender *sender, const struct sha256 *sha256, char **ret, struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    return asprintf(ret, "%s%s", sender->prefix, hex) < 0 ? err_oom(err) : 0;
}

static int send_one(struct sender *sender, const struct waiting *part, bool *ret_new, struct err *err)
{
    struct object made;
    char *made_name = NULL;
    if (name_of(sender, &part->sha256, &made_name, err) < 0)
        return -1;
    cleanup_free char *name = made_name;
    *ret_new = object_find(&sender->list, name) == NULL;
    if (!*ret_new)
        return 0;
    const struct object_content content = {
        .memory = part->bytes, .fd = -1, .len = part->len, .crc32c = part->crc32c};
    return storage_insert(sender->storage, name, "application/octet-stream", &content, 0, &made, err);
}

static struct waiting *next_part(struct sender *sender)
{
    while (!sender->given_up && (!sender->listed || (!sender->first && !sender->over)))
        pthread_cond_wait(&sender->moved, &sender->lock);
    struct waiting *part = sender->given_up ? NULL : sender->first;
    if (part) {
        sender->first = part->next;
        if (!sender->first)
            sender->last = &sender->first;
    }
    return part;
}

static void *send_parts(void *ctx)
{
    struct sender *sender = ctx;
    pthread_mutex_lock(&sender->lock);
    for (struct waiting *part; (part = next_part(sender));) {
        struct err why = {0};
        bool is_new = false;
        pthread_mutex_unlock(&sender->lock);
        int r = send_one(sender, part, &is_new, &why);
        pthread_mutex_lock(&sender->lock);
        sender->bytes -= part->len;
        sender->sent.parts += r == 0 && is_new;
        sender->sent.bytes += r == 0 && is_new ? part->len : 0;
        free(part);
        if (r < 0)
            give_up(sender, &why);
    }
    pthread_mutex_unlock(&sender->lock);
    return NULL;
}

static void *list_and_send(void *ctx)
{
    list_parts(ctx);
    return send_parts(ctx);
}

int sender_begin(const struct storage *storage, const char *prefix, unsigned threads, struct sender **ret,
                 struct err *err)
{
    struct sender *sender = calloc(1, sizeof *sender);
    char *copy = strdup(prefix);
    if (!sender || !copy) {
        free(sender);
        free(copy);
        return err_oom(err);
    }
    *sender = (struct sender){.storage = storage, .prefix = copy, .last = &sender->first};
    pthread_mutex_init(&sender->lock, NULL);
    pthread_cond_init(&sender->moved, NULL);
    threads = threads == 0 ? (unsigned)THREADS : threads < PARALLEL_MAX ? threads : (unsigned)PARALLEL_MAX;
    while (sender->thread_count < threads &&
           thread_start(&sender->threads[sender->thread_count],
                        sender->thread_count == 0 ? list_and_send : send_parts, sender) == 0)
        sender->thread_count++;
    if (sender->thread_count == 0) /* all is left to the push */
        sender->given_up = true;
    *ret = sender;
    return 0;
}

void sender_add(struct sender *sender, const void *bytes, size_t len, const struct sha256 *sha256,
                uint32_t crc32c)
{
    struct err ignored = {0};
    char *made_name = NULL;
    pthread_mutex_lock(&sender->lock);
    bool listed = sender->listed, fits = !sender->given_up && len <= SENDER_WAITING - sender->bytes;
    pthread_mutex_unlock(&sender->lock);
    if (!fits || name_of(sender, sha256, &made_name, &ignored) < 0)
        return;
    cleanup_free char *name = made_name;
    struct waiting *part = listed && object_find(&sender->list, name) ? NULL : malloc(sizeof *part + len);
    if (!part)
        return;
    *part = (struct waiting){.len = len, .sha256 = *sha256, .crc32c = crc32c};
    memcpy(part->bytes, bytes, len);
    pthread_mutex_lock(&sender->lock);
    *sender->last = part;
    sender->last = &part->next;
    sender->bytes += len;
    if (sender->given_up)
        drop_all(sender);
    pthread_cond_broadcast(&sender->moved);
    pthread_mutex_unlock(&sender->lock);
}

struct sender_counts sender_end(struct sender *sender)
{
    if (!sender)
        return (struct sender_counts){0};
    pthread_mutex_lock(&sender->lock);
    sender->over = true;
    pthread_cond_broadcast(&sender->moved);
    pthread_mutex_unlock(&sender->lock);
    for (unsigned i = 0; i < sender->thread_count; i++)
        pthread_join(sender->threads[i], NULL);
    struct sender_counts sent = sender->sent;
    drop_all(sender);
    object_list_free(&sender->list);
    pthread_cond_destroy(&sender->moved);
    pthread_mutex_destroy(&sender->lock);
    free(sender->prefix);
    free(sender);
    return sent;
}
