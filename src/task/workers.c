#include "task/workers.h"

#include <sched.h>
#include <stdbool.h>

#include "task/thread.h"

struct pool {
    const struct workers *spec;
    pthread_mutex_t lock;
    pthread_cond_t freed;                    /* a slot is free, or the run is over */
    pthread_cond_t ready[WORKERS_CONSUMERS]; /* this consumer's next job may be ready, or the run is over */
    size_t next;                             /* the first job that has not started */
    size_t *done;                            /* for each slot: the job whose result it holds, plus one */
    size_t consumed[WORKERS_CONSUMERS];      /* this consumer has seen all jobs before this one */
    unsigned consumers;
    bool over;
    bool failed;
    struct err err; /* the first failure */
};

struct pool_thread {
    struct pool *pool;
    unsigned index;
    pthread_t id;
};

static void fail(struct pool *pool, const struct err *err)
{
    if (!pool->failed)
        pool->err = *err;
    pool->failed = true;
    pool->over = true;
    pthread_cond_broadcast(&pool->freed);
    for (unsigned i = 0; i < WORKERS_CONSUMERS; i++)
        pthread_cond_signal(&pool->ready[i]);
}

/* The last consumer is never ahead of another. */
static size_t consumed_by_all(const struct pool *pool)
{
    return pool->consumed[pool->consumers - 1];
}

/* Waits until the next job's slot is free; false when no job is left. The caller holds the lock. */
static bool claim_job(struct pool *pool, size_t *ret_job)
{
    const struct workers *spec = pool->spec;
    if (pool->over || pool->next >= spec->jobs)
        return false;
    size_t job = pool->next++;
    while (spec->slots && !pool->over && job - consumed_by_all(pool) >= spec->slot_count)
        pthread_cond_wait(&pool->freed, &pool->lock);
    *ret_job = job;
    return !pool->over;
}

static int do_job(const struct workers *spec, size_t job, void *own, struct err *err)
{
    if (spec->slots)
        return spec->work(spec->ctx, job, spec->slots[job % spec->slot_count], own, err);
    return run_check(spec->run, err) < 0 ? -1 : spec->work(spec->ctx, job, NULL, own, err);
}

static void *worker(void *arg)
{
    const struct pool_thread *self = arg;
    struct pool *pool = self->pool;
    const struct workers *spec = pool->spec;
    void *own = spec->own ? spec->own[self->index] : NULL;
    struct err err = {0};
    size_t job = 0;
    pthread_mutex_lock(&pool->lock);
    while (claim_job(pool, &job)) {
        pthread_mutex_unlock(&pool->lock);
        int r = do_job(spec, job, own, &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0) {
            fail(pool, &err);
            break;
        }
        if (!spec->slots)
            continue;
        pool->done[job % spec->slot_count] = job + 1;
        if (pool->consumed[0] == job)
            pthread_cond_signal(&pool->ready[0]);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool is_ready(const struct pool *pool, unsigned index, size_t job)
{
    return index == 0 ? pool->done[job % pool->spec->slot_count] == job + 1 : pool->consumed[index - 1] > job;
}

/* The caller holds the lock, which is released while a result is consumed. */
static void consume_all(struct pool *pool, unsigned index)
{
    const struct workers *spec = pool->spec;
    for (size_t job = 0; job < spec->jobs && !pool->over; job++) {
        while (!pool->over && !is_ready(pool, index, job))
            pthread_cond_wait(&pool->ready[index], &pool->lock);
        if (pool->over)
            return;
        pthread_mutex_unlock(&pool->lock);
        struct err err = {0};
        int r = run_check(spec->run, &err);
        if (r == 0 && spec->consume[index])
            r = spec->consume[index](spec->ctx, job, spec->slots[job % spec->slot_count], &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0)
            fail(pool, &err);
        pool->consumed[index] = job + 1;
        if (index + 1 < pool->consumers)
            pthread_cond_signal(&pool->ready[index + 1]);
        else
            pthread_cond_broadcast(&pool->freed);
    }
}

static void *consumer(void *arg)
{
    const struct pool_thread *self = arg;
    pthread_mutex_lock(&self->pool->lock);
    consume_all(self->pool, self->index);
    pthread_mutex_unlock(&self->pool->lock);
    return NULL;
}

static unsigned count_consumers(const struct workers *spec)
{
    unsigned count = 1;
    while (count < WORKERS_CONSUMERS && spec->consume[count])
        count++;
    return count;
}

/* Starts the workers and all consumers but the first. The counts are set even when it fails. */
static void start_threads(struct pool *pool, struct pool_thread *threads, unsigned *ret_threads,
                          struct pool_thread *consumers, unsigned *ret_consumers)
{
    const struct workers *spec = pool->spec;
    unsigned caller = !spec->slots; /* without slots the caller's thread is also a worker */
    unsigned workers = 0, others = 1;
    int why = 0;
    while (workers + caller < spec->threads && workers + caller < spec->jobs && why == 0) {
        threads[workers] = (struct pool_thread){.pool = pool, .index = workers};
        why = thread_start(&threads[workers].id, worker, &threads[workers]);
        workers += why == 0;
    }
    if (workers + caller > 0) /* fewer threads than requested are enough */
        why = 0;
    while (others < pool->consumers && why == 0) {
        consumers[others] = (struct pool_thread){.pool = pool, .index = others};
        why = thread_start(&consumers[others].id, consumer, &consumers[others]);
        others += why == 0;
    }
    if (why != 0) {
        struct err none = {0};
        err_set(&none, ERR_INTERNAL, why, "start a thread");
        pthread_mutex_lock(&pool->lock);
        fail(pool, &none);
        pthread_mutex_unlock(&pool->lock);
    }
    *ret_threads = workers;
    *ret_consumers = others;
}

static void init_conditions(struct pool *pool)
{
    pthread_cond_init(&pool->freed, NULL);
    for (unsigned i = 0; i < WORKERS_CONSUMERS; i++)
        pthread_cond_init(&pool->ready[i], NULL);
}

static void destroy_pool(struct pool *pool)
{
    pthread_cond_destroy(&pool->freed);
    for (unsigned i = 0; i < WORKERS_CONSUMERS; i++)
        pthread_cond_destroy(&pool->ready[i]);
    pthread_mutex_destroy(&pool->lock);
}

/* The caller's thread runs the first consumer or, without slots, a worker. */
static void run_caller(struct pool *pool)
{
    struct pool_thread caller = {.pool = pool, .index = pool->spec->threads - 1};
    if (pool->spec->slots)
        consumer(&(struct pool_thread){.pool = pool, .index = 0});
    else
        worker(&caller);
}

int workers_run(const struct workers *spec, struct err *err)
{
    if (spec->jobs == 0)
        return run_check(spec->run, err);
    cleanup_free struct pool_thread *threads = calloc(spec->threads, sizeof *threads);
    cleanup_free size_t *done = calloc(spec->slot_count + 1, sizeof *done);
    if (!threads || !done)
        return err_oom(err);
    struct pool pool = {
        .spec = spec, .lock = PTHREAD_MUTEX_INITIALIZER, .done = done, .consumers = count_consumers(spec)};
    struct pool_thread consumers[WORKERS_CONSUMERS] = {0};
    unsigned worker_count = 0, consumer_count = 0;
    init_conditions(&pool);
    start_threads(&pool, threads, &worker_count, consumers, &consumer_count);
    run_caller(&pool);
    for (unsigned i = 0; i < worker_count; i++)
        pthread_join(threads[i].id, NULL);
    for (unsigned i = 1; i < consumer_count; i++)
        pthread_join(consumers[i].id, NULL);
    destroy_pool(&pool);
    if (!pool.failed)
        return 0;
    *err = pool.err;
    return -1;
}

unsigned workers_threads(unsigned threads, unsigned max)
{
    cpu_set_t set;
    if (threads == 0)
        threads = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    return threads < 1 ? 1 : threads < max ? threads : max;
}
