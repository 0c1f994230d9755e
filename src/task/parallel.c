#include "task/parallel.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "task/thread.h"

enum { THREADS_DEFAULT = 8 };

struct job_list {
    size_t jobs;
    int (*work)(void *ctx, size_t job, struct err *err);
    void *ctx;
    const struct run *run;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* of err */
    struct err *err;
};

static void *worker(void *arg)
{
    struct job_list *list = arg;
    struct err why = {0};
    for (;;) {
        size_t job = atomic_fetch_add(&list->next, 1);
        if (job >= list->jobs || atomic_load(&list->failed))
            return NULL;
        if (run_check(list->run, &why) == 0 && list->work(list->ctx, job, &why) == 0)
            continue;
        pthread_mutex_lock(&list->lock);
        if (!atomic_exchange(&list->failed, true))
            *list->err = why;
        pthread_mutex_unlock(&list->lock);
        return NULL;
    }
}

int parallel_run(unsigned threads, size_t jobs, int (*work)(void *ctx, size_t job, struct err *err),
                 void *ctx, const struct run *run, struct err *err)
{
    struct job_list list = {.jobs = jobs, .work = work, .ctx = ctx, .run = run, .err = err};
    pthread_t started[PARALLEL_MAX];
    unsigned count = 0;
    threads = threads ? threads : THREADS_DEFAULT;
    threads = threads < PARALLEL_MAX ? threads : PARALLEL_MAX;
    pthread_mutex_init(&list.lock, NULL);
    while (count + 1 < threads && count + 1 < jobs && thread_start(&started[count], worker, &list) == 0)
        count++;
    worker(&list); /* this thread is one of them, and the only one where no other can be had */
    while (count > 0)
        pthread_join(started[--count], NULL);
    pthread_mutex_destroy(&list.lock);
    return atomic_load(&list.failed) ? -1 : 0;
}
