/* bake relay-metadata PORT: what QEMU starts for each connection of a guest under test to its metadata server. */
#include "metadata_server/relay.h"
#include "bake/ui/common.h"

int cmd_relay_metadata(struct common *common, int argc, char **argv, struct err *err)
{
    const char *text = NULL;
    bool done;
    const struct option_spec specs[] = {OPTIONS_END};
    const struct command_help help = {
        .usage = "bake relay-metadata PORT",
        .summary = "Copies between standard input and output and a port of this machine's loopback.\n"
                   "\"bake test\" has QEMU run it; it is of no use by itself.",
    };
    if (common_parse(common, argc, argv, &help, specs, &text, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    char *end = NULL;
    unsigned long port = text && text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (port == 0 || port > UINT16_MAX || *end)
        return err_set(err, ERR_USAGE, 0, "relay-metadata wants a port, 1 to 65535");
    return relay_run(STDIN_FILENO, STDOUT_FILENO, (uint16_t)port, err);
}
