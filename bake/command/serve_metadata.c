/* bake serve-metadata FILE: Compute Engine's metadata server for several instances of this machine, for tests. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "metadata_server/instances.h"
#include "bake/ui/common.h"
#include "io/file.h"

enum { LOOK_MS = 250 };

/* What tells one state of the file from the next, whether it is written in place or replaced. */
struct look {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, modified;
};

static struct look look_at(const char *path)
{
    struct stat st;
    struct look look = {0};
    if (stat(path, &st) == 0)
        look = (struct look){st.st_dev, st.st_ino, st.st_size, st.st_ctim, st.st_mtim};
    return look;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_look(const struct look *a, const struct look *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(a->changed, b->changed) &&
           same_time(a->modified, b->modified);
}

struct source {
    const char *path;
    struct arena arena;
    const struct metadata_values *instances;
    size_t count;
};

static int load(struct source *source, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(INSTANCES_TEXT_MAX);
    arena_free(&source->arena);
    source->arena = (struct arena){0};
    if (file_read(source->path, INSTANCES_TEXT_MAX, &text, err) < 0)
        return -1;
    return instances_parse(text.data ? text.data : "", text.len, source->path, &source->arena,
                           &source->instances, &source->count, err);
}

static void source_free(struct source *source)
{
    arena_free(&source->arena);
}

/* "ADDR:PORT"; a port of 0 is any. */
static int read_listen(const char *text, char address[static INET_ADDRSTRLEN], uint16_t *ret_port,
                       struct err *err)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
    if (!end || *end || port > UINT16_MAX || colon == text || colon - text >= INET_ADDRSTRLEN)
        return err_set(err, ERR_USAGE, 0, "--listen wants ADDR:PORT, not \"%s\"", text);
    memcpy(address, text, (size_t)(colon - text));
    address[colon - text] = '\0';
    *ret_port = (uint16_t)port;
    return 0;
}

/* Until a signal ends it. A file that cannot be read now may be half written: the old values stay, and it is read again
 * when it changes. */
static int follow(struct common *common, struct source *source, struct metadata *server, struct look seen,
                  struct err *err)
{
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    while (run_check(&common->run, err) == 0) {
        const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000L};
        struct err why = {0};
        bool asked = sigtimedwait(&hangup, NULL, &nap) == SIGHUP;
        struct look now = look_at(source->path);
        if (!asked && same_look(&now, &seen))
            continue;
        seen = now;
        if (load(source, &why) < 0 || metadata_set(server, source->instances, source->count, &why) < 0)
            run_warn(&common->run, "metadata", "%s; the old values stay", why.text);
        else
            run_note(&common->run, "metadata", "%s: %zu instances", source->path, source->count);
    }
    return -1;
}

int cmd_serve_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    const char *path = NULL, *listen = "127.0.0.1:0";
    bool done;
    const struct option_spec specs[] = {
        {"listen", 0, OPTION_STRING, &listen, "ADDR:PORT", "where (127.0.0.1, any port)"},
        {"quiet", 'q', OPTION_FLAG, &common->ui.quiet, NULL, "no progress"},
        {"verbose", 'v', OPTION_FLAG, &common->ui.verbose, NULL, "show each request"},
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake serve-metadata FILE [options]",
        .summary = "Answers as Compute Engine's metadata server does, to the instances of FILE,\n"
                   "which are told apart by the address they ask from. For tests. FILE is read\n"
                   "again when it changes, and on SIGHUP.",
        .more = "FILE is JSON: {\"project\": {\"id\", \"number\", \"attributes\"}, \"instances\":\n"
                "[{\"name\", \"ip\", \"zone\", \"id\", \"attributes\"}, ...]}\n"
                "The line \"ready ADDR:PORT\" on stdout says that it listens.",
    };
    if (common_parse(common, argc, argv, &help, specs, &path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!path)
        return err_set(err, ERR_USAGE, 0, "say which file holds the instances");
    char address[INET_ADDRSTRLEN];
    uint16_t port = 0;
    if (read_listen(listen, address, &port, err) < 0)
        return -1;
    /* before any thread, so that all of them leave this one to follow() */
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
    cleanup(source_free) struct source source = {.path = path};
    struct look seen = look_at(path); /* before it is read: a change in between is seen later */
    if (load(&source, err) < 0)
        return -1;
    cleanup_metadata struct metadata *server = NULL;
    const struct metadata_options options = {.instances = source.instances,
                                             .instance_count = source.count,
                                             .by_address = true,
                                             .listen = address,
                                             .port = port};
    if (metadata_start(&options, &common->run, &server, err) < 0)
        return -1;
    ui_text(&common->ui, "ready %s:%u\n", address, (unsigned)metadata_port(server));
    if (ui_finish(&common->ui, err) < 0)
        return -1;
    return follow(common, &source, server, seen, err);
}
