/* bake relay-metadata PORT: QEMU runs it for each connection of a guest under test to its metadata server. */
#include "bake/command/command.h"
#include "metadata_server/relay.h"

static int run_relay_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    const char *text = NULL;
    bool done;
    if (common_parse(common, &command_relay_metadata, NULL, argc, argv, &text, &done, err) < 0 || done)
        return done ? 0 : -1;
    char *end = NULL;
    unsigned long port = text && text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (port == 0 || port > UINT16_MAX || *end)
        return err_set(err, ERR_USAGE, 0, "relay-metadata needs a port, 1 to 65535");
    return relay_run(STDIN_FILENO, STDOUT_FILENO, (uint16_t)port, err);
}

const struct command command_relay_metadata = {
    .name = "relay-metadata",
    .usage = "bake relay-metadata PORT",
    .summary = "Copies between standard input and output and a port of this machine's loopback.\n"
               "\"bake test\" makes QEMU run it.",
    .options = (const struct option_use[]){{0}},
    .arguments_max = 1,
    .run = run_relay_metadata,
};
