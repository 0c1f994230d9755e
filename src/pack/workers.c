#include "pack/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

struct pool {
    const struct workers *spec;
    pthread_mutex_t lock;
    pthread_cond_t moved;         /* a job is done, a slot is free, or it is over */
    size_t next;                  /* first job that nobody has begun */
    size_t *done;                 /* one a slot: the job that it holds the result of, plus one */
    size_t taken[WORKERS_TAKERS]; /* jobs before this one have been taken by this taker */
    unsigned takers;
    bool over;
    bool failed;
    struct err err; /* the first failure */
};

struct taker {
    struct pool *pool;
    unsigned index;
    pthread_t thread;
};

static void fail(struct pool *pool, const struct err *err)
{
    if (!pool->failed)
        pool->err = *err;
    pool->failed = true;
    pool->over = true;
    pthread_cond_broadcast(&pool->moved);
}

/* Jobs before this one have been taken by all. */
static size_t all_taken(const struct pool *pool)
{
    size_t least = pool->taken[0];
    for (unsigned i = 1; i < pool->takers; i++)
        least = pool->taken[i] < least ? pool->taken[i] : least;
    return least;
}

/* The next job to do, waiting for its slot. False when there is none. Called with the lock. */
static bool claim(struct pool *pool, size_t *ret_job)
{
    const struct workers *spec = pool->spec;
    if (pool->over || pool->next >= spec->jobs)
        return false;
    size_t job = pool->next++;
    while (!pool->over && job - all_taken(pool) >= spec->slot_count)
        pthread_cond_wait(&pool->moved, &pool->lock);
    *ret_job = job;
    return !pool->over;
}

static void *worker(void *arg)
{
    struct pool *pool = arg;
    const struct workers *spec = pool->spec;
    struct err err = {0};
    size_t job = 0;
    pthread_mutex_lock(&pool->lock);
    while (claim(pool, &job)) {
        size_t slot = job % spec->slot_count;
        pthread_mutex_unlock(&pool->lock);
        int r = spec->work(spec->ctx, job, spec->slots[slot], &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0) {
            fail(pool, &err);
            break;
        }
        pool->done[slot] = job + 1;
        pthread_cond_broadcast(&pool->moved);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Takes the results in order. Called with the lock, which is let go while a result is taken. */
static void take_all(struct pool *pool, unsigned index)
{
    const struct workers *spec = pool->spec;
    for (size_t job = 0; job < spec->jobs && !pool->over; job++) {
        size_t slot = job % spec->slot_count;
        while (!pool->over && pool->done[slot] != job + 1)
            pthread_cond_wait(&pool->moved, &pool->lock);
        if (pool->over)
            return;
        pthread_mutex_unlock(&pool->lock);
        struct err err = {0};
        int r = run_check(spec->run, &err);
        if (r == 0 && spec->take[index])
            r = spec->take[index](spec->ctx, job, spec->slots[slot], &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0)
            fail(pool, &err);
        pool->taken[index] = job + 1;
        pthread_cond_broadcast(&pool->moved);
    }
}

static void *taker(void *arg)
{
    struct taker *taker = arg;
    pthread_mutex_lock(&taker->pool->lock);
    take_all(taker->pool, taker->index);
    pthread_mutex_unlock(&taker->pool->lock);
    return NULL;
}

int workers_spawn(unsigned long *ret_thread, void *(*main)(void *), void *ctx)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(ret_thread, NULL, main, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* Starts the workers, and the takers that have a thread of their own. Returns how many workers run. */
static unsigned start(struct pool *pool, pthread_t *threads, struct taker *takers)
{
    const struct workers *spec = pool->spec;
    unsigned started = 0;
    int why = 0;
    while (started < spec->threads && started < spec->jobs && why == 0) {
        why = workers_spawn(&threads[started], worker, pool);
        started += why == 0;
    }
    bool short_of = started == 0; /* fewer workers than asked for are no failure: the result is the same */
    for (unsigned i = 1; i < WORKERS_TAKERS && spec->take[i] && !short_of; i++) {
        takers[i] = (struct taker){.pool = pool, .index = i};
        pthread_mutex_lock(&pool->lock);
        pool->takers++; /* before a slot is given back that this one has not seen */
        pthread_mutex_unlock(&pool->lock);
        why = workers_spawn(&takers[i].thread, taker, &takers[i]);
        short_of = why != 0;
    }
    if (short_of) {
        struct err none = {0};
        err_set(&none, ERR_INTERNAL, why, "start a thread");
        pthread_mutex_lock(&pool->lock);
        fail(pool, &none);
        pool->takers -= started > 0; /* the one that did not start is not to be waited for */
        pthread_mutex_unlock(&pool->lock);
    }
    return started;
}

int workers_run(const struct workers *spec, struct err *err)
{
    if (spec->jobs == 0)
        return run_check(spec->run, err);
    cleanup_free pthread_t *threads = calloc(spec->threads, sizeof *threads);
    cleanup_free size_t *done = calloc(spec->slot_count, sizeof *done);
    if (!threads || !done)
        return err_oom(err);
    struct pool pool = {.spec = spec,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER,
                        .done = done,
                        .takers = 1};
    struct taker takers[WORKERS_TAKERS] = {0};
    unsigned started = start(&pool, threads, takers);
    pthread_mutex_lock(&pool.lock);
    take_all(&pool, 0);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 1; i < pool.takers; i++)
        pthread_join(takers[i].thread, NULL);
    pthread_cond_destroy(&pool.moved);
    pthread_mutex_destroy(&pool.lock);
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
