#include "cloud/upload/sender.h"

#include <string.h>

#include "task/parallel.h"
#include "task/thread.h"
#include "text/hex.h"

enum { THREADS = 8 };

/* A part that waits. Its bytes follow it. */
struct waiting {
    struct waiting *next;
    size_t len;
    struct sha256 sha256;
    uint32_t crc32c;
    unsigned char bytes[];
};

/* What the threads share. A pointer to it comes from lock_queue() alone: whoever has one holds the lock. */
struct send_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting *first, **last;
    size_t bytes; /* waiting or being sent */
    bool listed;  /* the sender's list of the bucket is complete */
    bool over;    /* no more parts will come */
    bool given_up;
    struct sender_counts sent;
};

struct sender {
    const struct storage *storage;
    char *prefix;
    struct object_list
        list; /* written once, before the queue says "listed"; read without the lock from then on */
    struct send_queue queue;
    pthread_t threads[PARALLEL_MAX];
    unsigned thread_count;
};

static struct send_queue *lock_queue(struct sender *sender)
{
    pthread_mutex_lock(&sender->queue.lock);
    return &sender->queue;
}

static void unlock_queue(struct send_queue **queue)
{
    pthread_mutex_unlock(&(*queue)->lock);
}
#define cleanup_lock cleanup(unlock_queue)

static void drop_all(struct send_queue *queue)
{
    while (queue->first) {
        struct waiting *gone = queue->first;
        queue->first = gone->next;
        queue->bytes -= gone->len;
        free(gone);
    }
    queue->last = &queue->first;
}

static void give_up(struct send_queue *queue, const struct run *run, const struct err *why)
{
    if (!queue->given_up && why->kind != ERR_INTERRUPTED)
        run_note(run, "push", "parts are not sent during packing: %s", why->text);
    queue->given_up = true;
    drop_all(queue);
    pthread_cond_broadcast(&queue->changed);
}

/* The first thread lists what the bucket has; the others wait for it. */
static void list_parts(struct sender *sender)
{
    struct err why = {0};
    bool no_bucket = false;
    int r = storage_list(sender->storage, sender->prefix, &sender->list, &no_bucket, &why);
    if (r == 0 && no_bucket)
        r = err_set(&why, ERR_REMOTE, 0, "the bucket does not exist yet");
    cleanup_lock struct send_queue *queue = lock_queue(sender);
    queue->listed = true;
    if (r < 0)
        give_up(queue, sender->storage->api.run, &why);
    pthread_cond_broadcast(&queue->changed);
}

static int name_of(const struct sender *sender, const struct sha256 *sha256, char **ret, struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    return asprintf(ret, "%s%s", sender->prefix, hex) < 0 ? err_oom(err) : 0;
}

static int send_one(const struct sender *sender, const struct waiting *part, bool *ret_new, struct err *err)
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

/* Waits for a part, which is the caller's then; NULL: no more will come. */
static struct waiting *next_part(struct sender *sender)
{
    cleanup_lock struct send_queue *queue = lock_queue(sender);
    while (!queue->given_up && (!queue->listed || (!queue->first && !queue->over)))
        pthread_cond_wait(&queue->changed, &queue->lock);
    struct waiting *part = queue->given_up ? NULL : queue->first;
    if (part) {
        queue->first = part->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    return part;
}

static void *send_parts(void *ctx)
{
    struct sender *sender = ctx;
    for (struct waiting *part; (part = next_part(sender)); free(part)) {
        struct err why = {0};
        bool is_new = false;
        int r = send_one(sender, part, &is_new, &why);
        cleanup_lock struct send_queue *queue = lock_queue(sender);
        queue->bytes -= part->len;
        queue->sent.parts += r == 0 && is_new;
        queue->sent.bytes += r == 0 && is_new ? part->len : 0;
        if (r < 0)
            give_up(queue, sender->storage->api.run, &why);
    }
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
    sender->storage = storage;
    sender->prefix = copy;
    sender->queue.last = &sender->queue.first;
    pthread_mutex_init(&sender->queue.lock, NULL);
    pthread_cond_init(&sender->queue.changed, NULL);
    threads = threads == 0 ? (unsigned)THREADS : threads < PARALLEL_MAX ? threads : (unsigned)PARALLEL_MAX;
    while (sender->thread_count < threads &&
           thread_start(&sender->threads[sender->thread_count],
                        sender->thread_count == 0 ? list_and_send : send_parts, sender) == 0)
        sender->thread_count++;
    if (sender->thread_count == 0) /* everything is left to the push */
        sender->queue.given_up = true;
    *ret = sender;
    return 0;
}

/* *RET_LISTED: the list of the bucket may be searched. */
static bool has_capacity(struct sender *sender, size_t len, bool *ret_listed)
{
    cleanup_lock struct send_queue *queue = lock_queue(sender);
    *ret_listed = queue->listed;
    return !queue->given_up && len <= SENDER_WAITING - queue->bytes;
}

static void append(struct sender *sender, struct waiting *part)
{
    cleanup_lock struct send_queue *queue = lock_queue(sender);
    *queue->last = part;
    queue->last = &part->next;
    queue->bytes += part->len;
    if (queue->given_up)
        drop_all(queue);
    pthread_cond_broadcast(&queue->changed);
}

void sender_add(struct sender *sender, const void *bytes, size_t len, const struct sha256 *sha256,
                uint32_t crc32c)
{
    struct err ignored = {0};
    char *made_name = NULL;
    bool listed;
    if (!has_capacity(sender, len, &listed) || name_of(sender, sha256, &made_name, &ignored) < 0)
        return;
    cleanup_free char *name = made_name;
    struct waiting *part = listed && object_find(&sender->list, name) ? NULL : malloc(sizeof *part + len);
    if (!part)
        return;
    *part = (struct waiting){.len = len, .sha256 = *sha256, .crc32c = crc32c};
    memcpy(part->bytes, bytes, len);
    append(sender, part);
}

static void end_queue(struct sender *sender)
{
    cleanup_lock struct send_queue *queue = lock_queue(sender);
    queue->over = true;
    pthread_cond_broadcast(&queue->changed);
}

struct sender_counts sender_end(struct sender *sender)
{
    if (!sender)
        return (struct sender_counts){0};
    end_queue(sender);
    for (unsigned i = 0; i < sender->thread_count; i++)
        pthread_join(sender->threads[i], NULL);
    struct sender_counts sent = sender->queue.sent;
    drop_all(&sender->queue);
    object_list_free(&sender->list);
    pthread_cond_destroy(&sender->queue.changed);
    pthread_mutex_destroy(&sender->queue.lock);
    free(sender->prefix);
    free(sender);
    return sent;
}
