/* A dry run: requests that would change something are reported instead of sent. */
#ifndef BAKE_CLOUD_CLIENT_DRY_RUN_H
#define BAKE_CLOUD_CLIENT_DRY_RUN_H

struct dry_run {
    void (*report)(void *ctx, const char *method, const char *url, const char *detail);
    void *ctx;
};

static inline void dry_run_report(const struct dry_run *dry, const char *method, const char *url,
                                  const char *detail)
{
    dry->report(dry->ctx, method, url, detail);
}

#endif
