#include "pack/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

struct pool {
    const struct workers *spec;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a job is done, a slot is free, or it is over */
    size_t next;          /* first job that nobody has begun */
    size_t taken;         /* jobs before this one have been taken */
    bool *done;           /* one a slot */
    bool over;
    bool failed;
    struct err err; /* the first failure */
};

static void fail(struct pool *pool, const struct err *err)
{
    if (!pool->failed)
        pool->err = *err;
    pool->failed = true;
    pool->over = true;
    pthread_cond_broadcast(&pool->moved);
}

/* The next job to do, waiting for its slot. False when there is none. Called with the lock. */
static bool claim(struct pool *pool, size_t *ret_job)
{
    const struct workers *spec = pool->spec;
    if (pool->over || pool->next >= spec->jobs)
        return false;
    size_t job = pool->next++;
    while (!pool->over && job - pool->taken >= spec->slot_count)
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
        pool->done[slot] = true;
        pthread_cond_broadcast(&pool->moved);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Takes the results in order. Called with the lock, which is let go while a result is taken. */
static void take_all(struct pool *pool)
{
    const struct workers *spec = pool->spec;
    for (size_t job = 0; job < spec->jobs && !pool->over; job++) {
        size_t slot = job % spec->slot_count;
        while (!pool->over && !pool->done[slot])
            pthread_cond_wait(&pool->moved, &pool->lock);
        if (pool->over)
            return;
        pthread_mutex_unlock(&pool->lock);
        struct err err = {0};
        int r = run_check(spec->run, &err);
        if (r == 0 && spec->take)
            r = spec->take(spec->ctx, job, spec->slots[slot], &err);
        pthread_mutex_lock(&pool->lock);
        if (r < 0)
            fail(pool, &err);
        pool->done[slot] = false;
        pool->taken = job + 1;
        pthread_cond_broadcast(&pool->moved);
    }
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

int workers_run(const struct workers *spec, struct err *err)
{
    if (spec->jobs == 0)
        return run_check(spec->run, err);
    cleanup_free pthread_t *threads = calloc(spec->threads, sizeof *threads);
    cleanup_free bool *done = calloc(spec->slot_count, sizeof *done);
    if (!threads || !done)
        return err_oom(err);
    struct pool pool = {
        .spec = spec, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .done = done};
    unsigned started = 0;
    int why = 0;
    while (started < spec->threads && started < spec->jobs && why == 0) {
        why = workers_spawn(&threads[started], worker, &pool);
        started += why == 0;
    }
    pthread_mutex_lock(&pool.lock);
    if (started == 0) { /* fewer threads than asked for is no failure: the result is the same */
        struct err none = {0};
        err_set(&none, ERR_INTERNAL, why, "start a thread");
        fail(&pool, &none);
    }
    take_all(&pool);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
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
