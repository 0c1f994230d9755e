/* bake-agent: the program in the image that makes a node of a machine. The one file of the agent that prints. */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/config/acquire.h"
#include "agent/boot.h"
#include "agent/join/join.h"
#include "agent/network.h"
#include "agent/report.h"
#include "agent/watch.h"

static const char help[] =
    "Usage: bake-agent COMMAND [OPTION...]\n"
    "\n"
    "Commands:\n"
    "  boot       check the image's contents, read the metadata, configure the node\n"
    "  network    set up the pod network and its firewall\n"
    "  watch      follow the metadata while the node runs, renew certificates; does not end\n"
    "  hostname   set the host's name to the node's, as boot found it\n"
    "  join       decide how this node's member of etcd starts: before etcd\n"
    "  joined     note that it has started: after etcd is ready\n"
    "  answer     answer other members that join\n"
    "  report     say on standard output and the console how the baked units fared\n"
    "\n"
    "Options:\n"
    "  --metadata-timeout S   boot: how long to wait for the metadata server (120)\n"
    "  --limit S              join: how long to wait for other members (0: for ever)\n"
    "  --timeout S            report: how long to wait for units, then for etcd (120)\n"
    "  --root DIR             take DIR for the root of the file system\n"
    "  --help, --version\n"
    "\n"
    "GCE_METADATA_HOST=ADDRESS[:PORT] names another metadata server than 169.254.169.254.\n"
    "Exit codes: 0 done, 1 failed (report: FAIL), 2 wrong usage.\n";

struct options {
    const char *command;
    const char *root;
    unsigned metadata_timeout_s, timeout_s, limit_s;
};

struct output {
    FILE *stream;
    const char *prefix;
    int console; /* -1: none */
};

static void print_line(void *ctx, const char *text)
{
    const struct output *out = ctx;
    char line[8192];
    int len = snprintf(line, sizeof line, "%s%s\n", out->prefix, text);
    (void)fputs(line, out->stream);
    (void)fflush(out->stream);
    /* a console that takes nothing must not hold the boot: it was opened with O_NONBLOCK */
    if (out->console >= 0 && len > 0 &&
        write(out->console, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1) < 0)
        (void)0;
}

static int open_console(const struct root *root)
{
    return root->whole ? open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
}

static int fail(const struct output *out, const struct err *err)
{
    print_line((void *)(uintptr_t)out, err->text);
    return err->kind == ERR_USAGE ? 2 : 1;
}

static int metadata_peer(struct http_peer *ret, struct err *err)
{
    const char *host = getenv("GCE_METADATA_HOST");
    return http_peer_parse(host && host[0] ? host : "169.254.169.254", ret, err);
}

static int run_boot(const struct root *root, const struct options *options)
{
    cleanup_close int console = open_console(root);
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = console};
    struct say say = {print_line, &out};
    struct http_peer peer;
    struct err err = {0};
    if (metadata_peer(&peer, &err) < 0 || boot_run(root, &peer, options->metadata_timeout_s, &say, &err) < 0)
        return fail(&out, &err);
    return 0;
}

static int run_watch(const struct root *root)
{
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = -1};
    struct say say = {print_line, &out};
    struct http_peer peer;
    struct err err = {0};
    if (metadata_peer(&peer, &err) < 0)
        return fail(&out, &err);
    struct watch watch = {
        .root = root, .peer = &peer, .say = &say, .stagger_s = WATCH_STAGGER_S, .act = true};
    watch_run(&watch);
}

static int run_network(const struct root *root)
{
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = -1};
    struct say say = {print_line, &out};
    struct err err = {0};
    return network_run(root, &say, &err) < 0 ? fail(&out, &err) : 0;
}

static int run_hostname(const struct root *root)
{
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = -1};
    struct err err = {0};
    return boot_hostname(root, &err) < 0 ? fail(&out, &err) : 0;
}

static int run_report(const struct root *root, const struct options *options)
{
    cleanup_close int console = open_console(root);
    struct output out = {.stream = stdout, .prefix = "", .console = console};
    struct say say = {print_line, &out};
    struct report_options how = {
        .timeout_s = options->timeout_s, .hyperkube_s = 60, .etcd = {"127.0.0.1", 2381}};
    struct err err = {0};
    bool pass = false;
    if (report_run(root, &how, &say, &pass, &err) < 0)
        return fail(&out, &err);
    return pass ? 0 : 1;
}

static int load_metadata(const struct root *root, struct metadata *ret, struct err *err)
{
    bool found = false;
    if (metadata_last(root, ret, &found, err) < 0)
        return -1;
    return found ? 0 : err_set(err, ERR_IO, 0, "%s is missing: run `bake-agent boot` first", ACQUIRE_COPY);
}

static int run_join(const struct root *root, const struct options *options)
{
    cleanup_close int console = open_console(root);
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = console};
    struct say say = {print_line, &out};
    struct metadata metadata;
    struct join_options how = {0};
    struct err err = {0};
    int status = load_metadata(root, &metadata, &err) < 0 || join_options_read(root, &how, &err) < 0 ? -1 : 0;
    how.limit_s = options->limit_s;
    if (status == 0)
        status = join_run(root, &metadata, &how, &say, &err);
    peers_clear_key(&how.key);
    return status < 0 ? fail(&out, &err) : 0;
}

static int run_joined(const struct root *root)
{
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = -1};
    struct err err = {0};
    return joined_run(root, &err) < 0 ? fail(&out, &err) : 0;
}

/* What `watch` will do besides other things. */
static int run_answer(const struct root *root)
{
    struct output out = {.stream = stderr, .prefix = "bake-agent: ", .console = -1};
    struct say say = {print_line, &out};
    struct metadata metadata;
    struct peers_said said = {0};
    cleanup_peers_key struct peers_key key = {0};
    struct err err = {0};
    cleanup_close int fd = -1;
    if (load_metadata(root, &metadata, &err) < 0 || peers_read_key(root, &key, &err) < 0 ||
        peers_listen(metadata.ip, PEERS_PORT, &fd, &err) < 0)
        return fail(&out, &err);
    struct peers self = {root, &metadata, &key, &say, &said, PEERS_PORT};
    for (struct pollfd waiting = {.fd = fd, .events = POLLIN};;)
        if (poll(&waiting, 1, -1) > 0 && peers_answer(fd, &self, &err) < 0)
            return fail(&out, &err);
}

static bool read_seconds(const char *text, unsigned *ret)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 5 || text[len] != '\0')
        return false;
    *ret = (unsigned)strtoul(text, NULL, 10);
    return true;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"metadata-timeout", required_argument, NULL, 'm'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"limit", required_argument, NULL, 'l'},
                                          {"root", required_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h' || c == 'v')
            return fputs(c == 'h' ? help : "bake-agent " BAKE_VERSION "\n", stdout) < 0 ||
                   fflush(stdout) != 0;
        bool ok = c == 'r' || (c == 'm' && read_seconds(optarg, &options->metadata_timeout_s)) ||
                  (c == 'l' && read_seconds(optarg, &options->limit_s)) ||
                  (c == 't' && read_seconds(optarg, &options->timeout_s));
        if (c == 'r')
            options->root = optarg;
        if (!ok && c != '?')
            fprintf(stderr, "bake-agent: \"%s\" is not a number of seconds\n", optarg);
        if (!ok)
            return 2;
    }
    if (optind != argc - 1) {
        fputs("bake-agent: give one command: boot, hostname or report (--help says more)\n", stderr);
        return 2;
    }
    options->command = argv[optind];
    return -1;
}

int main(int argc, char **argv)
{
    struct options options = {.root = "/", .metadata_timeout_s = 120, .timeout_s = 120};
    cleanup_root struct root root = ROOT_INIT;
    struct err err = {0};
    int code = read_options(argc, argv, &options);
    if (code >= 0)
        return code;
    if (sodium_init() < 0 || root_open(options.root, &root, &err) < 0) {
        fprintf(stderr, "bake-agent: %s\n", err.text[0] ? err.text : "libsodium does not start");
        return 1;
    }
    if (strcmp(options.command, "boot") == 0)
        return run_boot(&root, &options);
    if (strcmp(options.command, "network") == 0)
        return run_network(&root);
    if (strcmp(options.command, "watch") == 0)
        return run_watch(&root);
    if (strcmp(options.command, "hostname") == 0)
        return run_hostname(&root);
    if (strcmp(options.command, "join") == 0)
        return run_join(&root, &options);
    if (strcmp(options.command, "joined") == 0)
        return run_joined(&root);
    if (strcmp(options.command, "answer") == 0)
        return run_answer(&root);
    if (strcmp(options.command, "report") == 0)
        return run_report(&root, &options);
    fprintf(stderr, "bake-agent: there is no command \"%s\": --help lists them\n", options.command);
    return 2;
}
