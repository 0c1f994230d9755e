#include "task/parallel.h"

#include "task/workers.h"

enum { THREADS_DEFAULT = 8 };

struct request_list {
    int (*work)(void *ctx, size_t job, struct err *err);
    void *ctx;
};

static int do_request(void *ctx, size_t job, void *slot, void *own, struct err *err)
{
    (void)slot;
    (void)own;
    const struct request_list *list = ctx;
    return list->work(list->ctx, job, err);
}

int parallel_run(unsigned threads, size_t jobs, int (*work)(void *ctx, size_t job, struct err *err),
                 void *ctx, const struct run *run, struct err *err)
{
    struct request_list list = {.work = work, .ctx = ctx};
    const struct workers workers = {.threads =
                                        workers_threads(threads ? threads : THREADS_DEFAULT, PARALLEL_MAX),
                                    .jobs = jobs,
                                    .ctx = &list,
                                    .work = do_request,
                                    .run = run};
    return jobs == 0 ? 0 : workers_run(&workers, err);
}
