/* bake serve-metadata FILE: Compute Engine's metadata server for several instances of this machine, for
 * tests. */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "metadata_server/instances.h"
#include "bake/command/command.h"
#include "io/file.h"

enum { POLL_MS = 250 };

/* Identifies a state of the file, whether it is rewritten in place or replaced. */
struct file_state {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, modified;
};

static struct file_state file_state_of(const char *path)
{
    struct stat st;
    struct file_state state = {0};
    if (stat(path, &st) == 0)
        state = (struct file_state){st.st_dev, st.st_ino, st.st_size, st.st_ctim, st.st_mtim};
    return state;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(a->changed, b->changed) &&
           same_time(a->modified, b->modified);
}

struct instances_file {
    const char *path;
    struct arena arena;
    const struct metadata_server_instance *instances;
    size_t count;
};

static int instances_file_load(struct instances_file *file, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(INSTANCES_TEXT_MAX);
    arena_free(&file->arena);
    file->arena = (struct arena){0};
    if (file_read(file->path, INSTANCES_TEXT_MAX, &text, err) < 0)
        return -1;
    return instances_parse(text.data ? text.data : "", text.len, file->path, &file->arena, &file->instances,
                           &file->count, err);
}

static void instances_file_free(struct instances_file *file)
{
    arena_free(&file->arena);
}

/* "ADDR:PORT"; port 0: any free one. */
static int read_listen(const char *text, char address[static INET_ADDRSTRLEN], uint16_t *ret_port,
                       struct err *err)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
    if (!end || *end || port > UINT16_MAX || colon == text || colon - text >= INET_ADDRSTRLEN)
        return err_set(err, ERR_USAGE, 0, "--listen needs ADDR:PORT, not \"%s\"", text);
    memcpy(address, text, (size_t)(colon - text));
    address[colon - text] = '\0';
    *ret_port = (uint16_t)port;
    return 0;
}

/* Runs until a signal. A file that cannot be read may be half-written: the old values stay until it changes
 * again. */
static int follow(struct common *common, struct instances_file *file, struct metadata_server *server,
                  struct file_state seen, struct err *err)
{
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    while (run_check(&common->run, err) == 0) {
        const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
        struct err why = {0};
        bool asked = sigtimedwait(&hangup, NULL, &nap) == SIGHUP;
        struct file_state now = file_state_of(file->path);
        if (!asked && same_state(&now, &seen))
            continue;
        seen = now;
        if (instances_file_load(file, &why) < 0 ||
            metadata_server_set(server, file->instances, file->count, &why) < 0)
            run_warn(&common->run, "metadata", "%s; the old values stay", why.text);
        else
            run_note(&common->run, "metadata", "%s: %zu instances", file->path, file->count);
    }
    return -1;
}

struct serve_options {
    const char *listen;
};

static const struct option serve_rows[] = {
    {"listen", 0, STRING_OF(struct serve_options, listen), "ADDR:PORT", "where (127.0.0.1, any port)"},
    {0},
};
static const struct option_group serve_group = {.rows = serve_rows};

/* No --json: the only result is the line "ready". */
static const struct option output_rows[] = {
    {"quiet", 'q', FLAG_OF(struct common, ui.quiet), NULL, "no progress"},
    {"verbose", 'v', FLAG_OF(struct common, ui.verbose), NULL, "show each request"},
    {0},
};
static const struct option_group output_group = {.title = "Output", .rows = output_rows, .of_common = true};

static int run_serve_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    struct serve_options options = {.listen = "127.0.0.1:0"};
    const char *path = NULL;
    bool done;
    if (common_parse(common, &command_serve_metadata, &options, argc, argv, &path, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!path)
        return err_set(err, ERR_USAGE, 0, "no file of instances");
    char address[INET_ADDRSTRLEN];
    uint16_t port = 0;
    if (read_listen(options.listen, address, &port, err) < 0)
        return -1;
    /* before any thread starts, so that all threads block this signal and follow() gets it */
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
    cleanup(instances_file_free) struct instances_file file = {.path = path};
    struct file_state seen =
        file_state_of(path); /* taken before reading, so that a change in between is noticed */
    if (instances_file_load(&file, err) < 0)
        return -1;
    cleanup_metadata_server struct metadata_server *server = NULL;
    const struct metadata_server_options server_options = {.instances = file.instances,
                                                           .instance_count = file.count,
                                                           .by_address = true,
                                                           .listen = address,
                                                           .port = port};
    if (metadata_server_start(&server_options, &common->run, &server, err) < 0)
        return -1;
    ui_text(&common->ui, "ready %s:%u\n", address, (unsigned)metadata_server_port(server));
    if (ui_finish(&common->ui, err) < 0)
        return -1;
    return follow(common, &file, server, seen, err);
}

const struct command command_serve_metadata = {
    .name = "serve-metadata",
    .usage = "bake serve-metadata FILE [options]",
    .summary = "Answers like Compute Engine's metadata server, for tests. The instances in FILE\n"
               "are recognised by the client's address. FILE is read again when it changes, and\n"
               "on SIGHUP.",
    .more = "FILE is JSON: {\"project\": {\"id\", \"number\", \"attributes\"}, \"instances\":\n"
            "[{\"name\", \"ip\", \"zone\", \"id\", \"attributes\"}, ...]}\n"
            "It prints \"ready ADDR:PORT\" on stdout once it listens.",
    .options = (const struct option_use[]){{&serve_group, 0}, {&output_group, 0}, {0}},
    .arguments_max = 1,
    .run = run_serve_metadata,
};
