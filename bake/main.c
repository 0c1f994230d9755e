/* bake: from a stock CoreOS disk image to a signed Google Compute Engine image. The table of commands,
 * signals, exit codes. */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bake/ui/common.h"

static volatile sig_atomic_t stop_signal;

static const struct command commands[] = {
    {"init", "write a starter recipe", cmd_init},
    {"lock", "pin every input of a recipe", cmd_lock},
    {"plan", "show what would change in the image", cmd_plan},
    {"image", "bake: fetch, verify, patch, pack, sign", cmd_image},
    {"matrix", "bake many images of one recipe", cmd_matrix},
    {"test", "boot a package in QEMU", cmd_test},
    {"push", "upload a package, register it as an image", cmd_push},
    {"promote", "make an image the head of its family", cmd_promote},
    {"prune", "delete old images and what they needed", cmd_prune},
    {"key", "make or show a signing key", cmd_key},
    {"metadata", "print the attributes of a cluster's nodes", cmd_metadata},
    {"relay-metadata", NULL, cmd_relay_metadata},
    {"serve-metadata", NULL, cmd_serve_metadata},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void on_signal(int sig)
{
    /* the second one ends the program at once: nothing it makes has its final name yet */
    if (stop_signal != 0)
        _exit(128 + sig);
    stop_signal = sig;
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal}; /* no SA_RESTART: a blocking read must come back */
    sigemptyset(&stop.sa_mask);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore,
              NULL); /* a closed stdout or connection is an error with a text, not a death */
    sigaction(SIGXFSZ, &ignore, NULL);
}

/* A descriptor of 0 to 2 that is closed would be given to the next file that is opened, and what is printed would go into
 * it. Writing to a closed standard output still fails; what goes to a closed standard error is dropped. */
static void fill_standard_fds(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            _exit(ERR_IO);
}

/* Hundreds of inputs are open at once; what the user may have is more than what shells give by default. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void help(void)
{
    printf("Usage: bake COMMAND [options]\n\n"
           "Turns a stock CoreOS disk image into a signed Google Compute Engine image whose\n"
           "nodes join a Kubernetes cluster from instance metadata alone.\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].summary)
            printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n\"bake COMMAND --help\" tells more. Exit codes: 0 done, 1 internal, 2 usage,\n"
           "3 recipe, 4 verification, 5 layout, 6 space, 7 I/O, 8 network, 9 remote, 10 test\n"
           "failed, 130 and 143 interrupted. See also bake(1).\n");
}

static int run_command(struct common *common, const char *name, int argc, char **argv, struct err *err)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help();
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        puts("bake " BAKE_VERSION);
        return 0;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(common, argc, argv, err);
    return err_set(err, ERR_USAGE, 0, "unknown command \"%s\": see bake --help", name);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C"); /* messages, numbers and sorting must not depend on where it runs */
    umask(022);
    fill_standard_fds();
    raise_file_limit();
    catch_signals();
    struct common common = {.cache_size = CACHE_SIZE_DEFAULT};
    common_begin(&common);
    ui_init(&common.ui);
    common.run = ui_run(&common.ui, &stop_signal);
    if (argc < 2) {
        help();
        return ERR_USAGE;
    }
    struct err err = {0};
    int r = run_command(&common, argv[1], argc - 2, argv + 2, &err);
    if (r == 0)
        r = ui_finish(&common.ui, &err);
    if (r == 0)
        return common.exit_code;
    ui_error(&common.ui, argv[1], &err);
    return err_exit_code(&err);
}
