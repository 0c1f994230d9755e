/* bake: from a stock CoreOS disk image to a signed Google Compute Engine image. The table of commands,
 * signals, exit codes. */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bake/command/command.h"
#include "bake/ui/help.h"

static volatile sig_atomic_t stop_signal;

/* In the order in which people need them. */
static const struct command *const commands[] = {
    &command_init,     &command_lock,           &command_plan,           &command_image, &command_matrix,
    &command_test,     &command_push,           &command_promote,        &command_prune, &command_key,
    &command_metadata, &command_relay_metadata, &command_serve_metadata, NULL,
};

static void on_signal(int sig)
{
    /* a second signal ends the program at once: unfinished files do not have their final names yet */
    if (stop_signal != 0)
        _exit(128 + sig);
    stop_signal = sig;
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal}; /* no SA_RESTART: a blocking read must return */
    sigemptyset(&stop.sa_mask);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    /* a closed stdout or connection, or a file that is too large, is an error with a message instead */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

/* A closed descriptor of 0 to 2 would be reused for the next file that is opened, and output would end up in
 * it. Writing to a closed standard output must still fail; what goes to a closed standard error is
 * dropped. */
static void fill_standard_fds(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            _exit(ERR_IO);
}

/* Hundreds of inputs are open at once; shells set a soft limit below the user's hard limit. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void print_help(void)
{
    printf("Usage: bake COMMAND [options]\n\n"
           "Turns a stock CoreOS disk image into a signed Google Compute Engine image whose\n"
           "nodes join a Kubernetes cluster from instance metadata alone.\n\nCommands:\n");
    for (const struct command *const *at = commands; *at; at++)
        if ((*at)->title)
            printf("  %-10s %s\n", (*at)->name, (*at)->title);
    printf("\n\"bake COMMAND --help\" tells more. Exit codes: 0 done, 1 internal, 2 usage,\n"
           "3 recipe, 4 verification, 5 layout, 6 space, 7 I/O, 8 network, 9 remote, 10 test\n"
           "failed, 130 and 143 interrupted. See also bake(1).\n");
}

static const struct command *find_command(const char *name)
{
    const struct command *const *at = commands;
    while (*at && strcmp((*at)->name, name) != 0)
        at++;
    return *at;
}

/* For completion.bash: the words that may come next. */
static void print_completion(const char *name)
{
    const struct command *command = name ? find_command(name) : NULL;
    if (command)
        help_print_completion(command);
    for (const struct command *const *at = commands; !name && *at; at++)
        if ((*at)->title)
            puts((*at)->name);
    if (!name)
        puts("--help\n--version");
}

static int run_command(struct common *common, const char *name, int argc, char **argv, struct err *err)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        puts("bake " BAKE_VERSION);
        return 0;
    }
    if (strcmp(name, "--complete") == 0) {
        print_completion(argc > 0 ? argv[0] : NULL);
        return 0;
    }
    if (strcmp(name, "--manual") == 0) { /* for the Makefile */
        help_print_manual(commands);
        return 0;
    }
    const struct command *command = find_command(name);
    return command ? command->run(common, argc, argv, err)
                   : err_set(err, ERR_USAGE, 0, "unknown command \"%s\": see bake --help", name);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C"); /* messages, numbers and sorting must not depend on the environment */
    umask(022);
    fill_standard_fds();
    raise_file_limit();
    catch_signals();
    struct common common = {.cache_size = CACHE_SIZE_DEFAULT};
    common_begin(&common);
    ui_init(&common.ui);
    common.run = ui_run(&common.ui, &stop_signal);
    if (argc < 2) {
        print_help();
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
