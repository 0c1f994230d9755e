/* bake-agent: the program in the image that turns a machine into a node. The only file of the agent that
 * prints. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/boot.h"
#include "agent/member.h"
#include "agent/network.h"
#include "agent/report.h"
#include "agent/status.h"
#include "agent/watch.h"

#define METADATA_SERVER "169.254.169.254"

/* What a command is called with. */
struct call {
    const struct root *root;
    const struct log *log;
    unsigned wait_s; /* its own option's value */
    bool json;
};

enum command_output { TO_LOG = 0, TO_CONSOLE = 1 << 0, TO_STDOUT = 1 << 1 };

/* --- commands --- */

static int metadata_server(struct wire_peer *ret, struct err *err)
{
    const char *host = getenv("GCE_METADATA_HOST");
    return wire_peer_parse(host && host[0] ? host : METADATA_SERVER, ret, err);
}

static int run_boot(const struct call *call, struct err *err)
{
    struct wire_peer server;
    return metadata_server(&server, err) < 0 ? -1
                                             : boot_run(call->root, &server, call->wait_s, call->log, err);
}

static int run_network(const struct call *call, struct err *err)
{
    return network_run(call->root, call->log, err);
}

static int run_watch(const struct call *call, struct err *err)
{
    struct wire_peer server;
    if (metadata_server(&server, err) < 0)
        return -1;
    watch_run(&(struct metadata_watch){.root = call->root,
                                       .peer = &server,
                                       .log = call->log,
                                       .health = {"127.0.0.1", 2381},
                                       .rotate = {call->root, call->log, call->wait_s, 0},
                                       .stagger_s = WATCH_STAGGER_S});
}

static int run_hostname(const struct call *call, struct err *err)
{
    return boot_hostname(call->root, err);
}

static int run_join(const struct call *call, struct err *err)
{
    struct wire_peer server;
    return metadata_server(&server, err) < 0 ? -1
                                             : member_join(call->root, &server, call->wait_s, call->log, err);
}

static int run_joined(const struct call *call, struct err *err)
{
    return member_joined(call->root, err);
}

static int run_snapshot(const struct call *call, struct err *err)
{
    struct wire_peer server;
    return metadata_server(&server, err) < 0 ? -1 : member_snapshot(call->root, &server, call->log, err);
}

static int run_answer(const struct call *call, struct err *err)
{
    return member_answer(call->root, call->log, err);
}

static int run_members(const struct call *call, struct err *err)
{
    (void)err;
    member_keep(call->root, call->log);
}

static int run_report(const struct call *call, struct err *err)
{
    const struct report_options options = {
        .timeout_s = call->wait_s, .hyperkube_s = 60, .etcd = {"127.0.0.1", 2381}};
    bool pass = false;
    return report_run(call->root, &options, call->log, &pass, err) < 0 ? -1 : !pass;
}

static int run_status(const struct call *call, struct err *err)
{
    bool well = false;
    return status_run(call->root, call->json, call->log, &well, err) < 0 ? -1 : !well;
}

static int run_metrics(const struct call *call, struct err *err)
{
    return metrics_run(call->root, call->log, err);
}

static const struct command {
    const char *name, *what;
    int (*run)(const struct call *call, struct err *err); /* -1, or the exit code */
    const char *wait_option, *wait_what;                  /* NULL: it takes no option */
    unsigned wait_s;                                      /* the default */
    unsigned output;                                      /* bits of enum command_output */
} commands[] = {
    {"boot", "check the image's contents, read the metadata, configure the node", run_boot,
     "metadata-timeout", "the metadata server", 120, TO_CONSOLE},
    {"network", "set up the pod network and its firewall", run_network, NULL, NULL, 0, TO_LOG},
    {"watch", "follow the metadata while the node runs, renew certificates; never ends", run_watch, "spread",
     "pods to read another CA", ROTATE_SPREAD_S, TO_LOG},
    {"hostname", "set the host's name to the node's, as boot found it", run_hostname, NULL, NULL, 0, TO_LOG},
    {"join", "before etcd: decide how this node's member starts", run_join, "limit",
     "other members; 0: forever", 0, TO_CONSOLE},
    {"joined", "after etcd is ready: note that it has started", run_joined, NULL, NULL, 0, TO_LOG},
    {"answer", "answer other members that join; never ends", run_answer, NULL, NULL, 0, TO_LOG},
    {"members", "keep etcd's members as the members' lists say; never ends", run_members, NULL, NULL, 0,
     TO_LOG},
    {"snapshot", "keep a snapshot of etcd on this node's disk, and send it to the bucket", run_snapshot, NULL,
     NULL, 0, TO_LOG},
    {"report", "print on standard output and the console how the baked units fared", run_report, "timeout",
     "units, then for etcd", 120, TO_CONSOLE | TO_STDOUT},
    {"status", "print how the cluster is, as this node sees it", run_status, NULL, NULL, 0, TO_STDOUT},
    {"metrics", "print this node's own facts for Prometheus, or serve them on systemd's socket", run_metrics,
     NULL, NULL, 0, TO_STDOUT},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* --- output --- */

struct printer {
    FILE *stream;
    const char *prefix;
    int console; /* -1: none */
};

static void print_line(void *ctx, const char *text)
{
    const struct printer *printer = ctx;
    char line[8192];
    (void)fprintf(printer->stream, "%s%s\n", printer->prefix, text);
    (void)fflush(printer->stream);
    int len = snprintf(line, sizeof line, "%s%s\n", printer->prefix, text);
    /* opened with O_NONBLOCK: a stuck console must not hold up the boot */
    if (printer->console >= 0 && len > 0 &&
        write(printer->console, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1) < 0)
        (void)0;
}

static int open_console(const struct root *root)
{
    return root->whole ? open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
}

static int run_command(const struct command *command, const struct root *root, unsigned wait_s, bool json)
{
    cleanup_close int console = command->output & TO_CONSOLE ? open_console(root) : -1;
    struct printer printer = {stderr, "bake-agent: ", console};
    struct log log = {print_line, &printer};
    struct err err = {0};
    if (command->output & TO_STDOUT)
        printer = (struct printer){stdout, "", console};
    int code = command->run(&(struct call){root, &log, wait_s, json}, &err);
    if (code >= 0)
        return code;
    log_line(&log, err.text);
    return err.kind == ERR_USAGE ? 2 : 1;
}

/* --- the command line --- */

static int print_help(void)
{
    printf("Usage: bake-agent COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-9s  %s\n", commands[i].name, commands[i].what);
    printf("\nOptions:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char option[32];
        if (!commands[i].wait_option)
            continue;
        snprintf(option, sizeof option, "--%s S", commands[i].wait_option);
        printf("  %-20s  %s: wait S seconds for %s (default %u)\n", option, commands[i].name,
               commands[i].wait_what, commands[i].wait_s);
    }
    printf("  --json                status: as one JSON object\n"
           "  --root DIR            use DIR as the root of the file system\n"
           "  --help, --version\n"
           "\n"
           "GCE_METADATA_HOST=ADDRESS[:PORT] replaces the metadata server's address, " METADATA_SERVER ".\n"
           "Exit codes: 0 done, 1 failed (report: FAIL; status: problems), 2 wrong usage.\n");
    return fflush(stdout) != 0 || ferror(stdout);
}

static bool parse_seconds(const char *text, unsigned *ret)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 5 || text[len] != '\0')
        return false;
    *ret = (unsigned)strtoul(text, NULL, 10);
    return true;
}

/* Reads all options and moves the command to argv[optind]. -1: go on; else the exit code. */
static int read_options(int argc, char **argv, const char **root, bool *json,
                        unsigned wait_s[static COMMANDS])
{
    enum { ROOT = COMMANDS, HELP, VERSION, JSON };
    struct option known[COMMANDS + 5] = {{"root", required_argument, NULL, ROOT},
                                         {"help", no_argument, NULL, HELP},
                                         {"version", no_argument, NULL, VERSION},
                                         {"json", no_argument, NULL, JSON}};
    for (int i = 0, count = 4; i < COMMANDS; i++)
        if (commands[i].wait_option)
            known[count++] = (struct option){commands[i].wait_option, required_argument, NULL, i};
    for (int got; (got = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (got == HELP)
            return print_help();
        if (got == VERSION)
            return puts("bake-agent " BAKE_VERSION) < 0 || fflush(stdout) != 0;
        if (got == '?')
            return 2;
        if (got == JSON) {
            *json = true;
        } else if (got == ROOT) {
            *root = optarg;
        } else if (!parse_seconds(optarg, &wait_s[got])) {
            fprintf(stderr, "bake-agent: \"%s\" is not a number of seconds\n", optarg);
            return 2;
        }
    }
    if (optind == argc - 1)
        return -1;
    fputs("bake-agent: give exactly one command; --help lists them\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    unsigned wait_s[COMMANDS];
    const char *path = "/";
    bool json = false;
    cleanup_root struct root root = ROOT_INIT;
    struct err err = {0};
    for (size_t i = 0; i < COMMANDS; i++)
        wait_s[i] = commands[i].wait_s;
    int code = read_options(argc, argv, &path, &json, wait_s);
    if (code >= 0)
        return code;
    if (sodium_init() < 0 || root_open(path, &root, &err) < 0) {
        fprintf(stderr, "bake-agent: %s\n", err.text[0] ? err.text : "libsodium does not start");
        return 1;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, argv[optind]) == 0)
            return run_command(&commands[i], &root, wait_s[i], json);
    fprintf(stderr, "bake-agent: unknown command \"%s\"; --help lists them\n", argv[optind]);
    return 2;
}
