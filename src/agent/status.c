#include "agent/status.h"

#include <stdlib.h>

#include "agent/boot.h"
#include "agent/etcd/api.h"
#include "agent/status/page.h"
#include "agent/status/write.h"
#include "node/pki.h"

enum { PROBLEMS_MAX = 64 << 10 };

static const struct own_sources sources = {.verdict = BOOT_VERDICT, .etcd = {"127.0.0.1", 2381}};
static const struct cluster_ports ports = {.etcd = ETCD_API_PORT, .api = PKI_API_PORT};

/* Without the newline that the log adds. */
static int print(const struct log *log, struct buf *text, struct err *err)
{
    if (buf_check(text, "the status", err) < 0)
        return -1;
    if (text->len > 0)
        text->data[text->len - 1] = '\0';
    log_line(log, text->data);
    return 0;
}

static void free_status(struct status **status)
{
    if (*status)
        buf_free(&(*status)->problems);
    free(*status);
}

int status_run(const struct root *root, bool json, const struct log *log, bool *ret_well, struct err *err)
{
    cleanup(free_status) struct status *status = calloc(1, sizeof *status);
    cleanup_buf struct buf text = BUF_INIT(STATUS_TEXT_MAX);
    if (!status)
        return err_oom(err);
    status->problems = (struct buf)BUF_INIT(PROBLEMS_MAX);
    if (own_facts_read(root, &sources, &status->own, &status->problems, err) < 0)
        return -1;
    if (status->own.configured && status_read_cluster(root, &status->own.metadata, &ports, &status->cluster,
                                                      &status->problems, err) < 0)
        return -1;
    (json ? status_write_json : status_write_text)(status, &text);
    *ret_well = status->problems.len == 0 && !status->problems.failed;
    return print(log, &text, err);
}

static int make_page(void *ctx, struct buf *ret, struct err *err)
{
    cleanup_free struct own_facts *facts = calloc(1, sizeof *facts);
    cleanup_buf struct buf problems = BUF_INIT(PROBLEMS_MAX); /* the values say it */
    if (!facts)
        return err_oom(err);
    if (own_facts_read(ctx, &sources, facts, &problems, err) < 0)
        return -1;
    status_write_metrics(facts, ret);
    return 0;
}

int metrics_run(const struct root *root, const struct log *log, struct err *err)
{
    struct root copy = *root;
    const struct page page = {make_page, &copy};
    cleanup_buf struct buf text = BUF_INIT(PAGE_MAX);
    int listener = page_socket();
    if (listener >= 0)
        return page_serve(listener, &page, err);
    return make_page(&copy, &text, err) < 0 ? -1 : print(log, &text, err);
}
