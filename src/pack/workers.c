#include "pack/workers.h"

#include <sched.h>
#include <stdbool.h>

#include "task/thread.h"

struct pool {
    const struct workers *spec;
    pthread_mutex_t lock;
    pthread_cond_t freed;                 /* a slot is free, or it is over */
    pthread_cond_t ready[WORKERS_TAKERS]; /* the next job for this taker may be there, or it is over */
    size_t next;                          /* first job that nobody has begun */
    size_t *done;                         /* one a slot: the job that it holds the result of, plus one */
    size_t taken[WORKERS_TAKERS];         /* jobs before this one have been taken by this taker */
    unsigned takers;
    bool over;
    bool failed;
    struct err err; /* the first failure */
};

struct thread {
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
    for (unsigned i = 0; i < WORKERS_TAKERS; i++)
        pthread_cond_signal(&pool->ready[i]);
}

/* Each taker comes after the one before it: jobs before this one have been taken by all. */
static size_t all_taken(const struct pool *pool)
{
    return pool->taken[pool->takers - 1];
}

/* The next job to do, waiting for its slot. False when there is none. Called with the lock. */
static bool claim(struct pool *pool, size_t *ret_job)
{
    const struct workers *spec = pool->spec;
    if (pool->over || pool->next >= spec->jobs)
        return false;
    size_t job = pool->next++;
    while (!pool->over && job - all_taken(pool) >= spec->slot_count)
        pthread_cond_wait(&pool->freed, &pool->lock);
    *ret_job = job;
    return !pool->over;
}

static void *worker(void *arg)
{
    const struct thread *self = arg;
    struct pool *pool = self->pool;
    const struct workers *spec = pool->spec;
    void *own = spec->own ? spec->own[self->index] : NULL;
    struct err err = {0};
    size_t job = 0;
    pthread_mutex_lock(&pool->lock);
    while (claim(pool, &job)) {
        size_t slot = job % spec->slot_count;
        pthread_mutex_unlock(&pool->lock);
        int r = spec->work(spec->ctx, job, spec->slots[slot], own, &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0) {
            fail(pool, &err);
            break;
        }
        pool->done[slot] = job + 1;
        if (pool->taken[0] == job)
            pthread_cond_signal(&pool->ready[0]);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool may_take(const struct pool *pool, unsigned index, size_t job)
{
    return index == 0 ? pool->done[job % pool->spec->slot_count] == job + 1 : pool->taken[index - 1] > job;
}

/* Takes the results in order. Called with the lock, which is let go while a result is taken. */
static void take_all(struct pool *pool, unsigned index)
{
    const struct workers *spec = pool->spec;
    for (size_t job = 0; job < spec->jobs && !pool->over; job++) {
        while (!pool->over && !may_take(pool, index, job))
            pthread_cond_wait(&pool->ready[index], &pool->lock);
        if (pool->over)
            return;
        pthread_mutex_unlock(&pool->lock);
        struct err err = {0};
        int r = run_check(spec->run, &err);
        if (r == 0 && spec->take[index])
            r = spec->take[index](spec->ctx, job, spec->slots[job % spec->slot_count], &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0)
            fail(pool, &err);
        pool->taken[index] = job + 1;
        if (index + 1 < pool->takers)
            pthread_cond_signal(&pool->ready[index + 1]);
        else
            pthread_cond_broadcast(&pool->freed);
    }
}

static void *taker(void *arg)
{
    const struct thread *self = arg;
    pthread_mutex_lock(&self->pool->lock);
    take_all(self->pool, self->index);
    pthread_mutex_unlock(&self->pool->lock);
    return NULL;
}

static unsigned takers_of(const struct workers *spec)
{
    unsigned count = 1;
    while (count < WORKERS_TAKERS && spec->take[count])
        count++;
    return count;
}

/* Starts the workers, and the takers that have a thread of their own; how many run is told in any case. */
static void start(struct pool *pool, struct thread *threads, unsigned *ret_threads, struct thread *takers,
                  unsigned *ret_takers)
{
    const struct workers *spec = pool->spec;
    unsigned workers = 0, others = 1;
    int why = 0;
    while (workers < spec->threads && workers < spec->jobs && why == 0) {
        threads[workers] = (struct thread){.pool = pool, .index = workers};
        why = thread_start(&threads[workers].id, worker, &threads[workers]);
        workers += why == 0;
    }
    if (workers > 0) /* fewer of them than asked for are no failure: the result is the same */
        why = 0;
    while (others < pool->takers && why == 0) {
        takers[others] = (struct thread){.pool = pool, .index = others};
        why = thread_start(&takers[others].id, taker, &takers[others]);
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
    *ret_takers = others;
}

static void make_conditions(struct pool *pool)
{
    pthread_cond_init(&pool->freed, NULL);
    for (unsigned i = 0; i < WORKERS_TAKERS; i++)
        pthread_cond_init(&pool->ready[i], NULL);
}

static void end_pool(struct pool *pool)
{
    pthread_cond_destroy(&pool->freed);
    for (unsigned i = 0; i < WORKERS_TAKERS; i++)
        pthread_cond_destroy(&pool->ready[i]);
    pthread_mutex_destroy(&pool->lock);
}

int workers_run(const struct workers *spec, struct err *err)
{
    if (spec->jobs == 0)
        return run_check(spec->run, err);
    cleanup_free struct thread *threads = calloc(spec->threads, sizeof *threads);
    cleanup_free size_t *done = calloc(spec->slot_count, sizeof *done);
    if (!threads || !done)
        return err_oom(err);
    struct pool pool = {
        .spec = spec, .lock = PTHREAD_MUTEX_INITIALIZER, .done = done, .takers = takers_of(spec)};
    struct thread takers[WORKERS_TAKERS] = {0};
    unsigned worker_count = 0, taker_count = 0;
    make_conditions(&pool);
    start(&pool, threads, &worker_count, takers, &taker_count);
    pthread_mutex_lock(&pool.lock);
    take_all(&pool, 0);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < worker_count; i++)
        pthread_join(threads[i].id, NULL);
    for (unsigned i = 1; i < taker_count; i++)
        pthread_join(takers[i].id, NULL);
    end_pool(&pool);
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
