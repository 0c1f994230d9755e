#include "agent/net/services.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/os/child.h"

enum { PARTS = 3, NFT_MS = 10000, NFT_OUTPUT_MAX = 4096 };

static const char *const nft[] = {"/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft", NULL};

bool services_at_least(const char *text, const char *prefix, const unsigned wanted[static PARTS])
{
    size_t len = strlen(prefix);
    if (strncmp(text, prefix, len) != 0)
        return false;
    text += len;
    for (size_t i = 0; i < PARTS; i++) {
        char *end;
        unsigned long part = strtoul(text, &end, 10);
        if (end == text || part != wanted[i])
            return end != text && part > wanted[i];
        text = end + (*end == '.');
    }
    return true;
}

static bool can_nftables(const struct root *root)
{
    const char *argv[] = {child_find(root, nft), "--version", NULL};
    const struct child child = {.argv = argv, .timeout_ms = NFT_MS};
    cleanup_buf struct buf said = BUF_INIT(NFT_OUTPUT_MAX);
    struct err ignored = {0};
    struct utsname kernel;
    int code = 0;
    return argv[0] && uname(&kernel) == 0 &&
           services_at_least(kernel.release, "", (const unsigned[]){5, 13, 0}) &&
           child_run(root, &child, &said, &code, &ignored) == 0 && code == 0 && said.data &&
           services_at_least(said.data, "nftables v", (const unsigned[]){1, 0, 1});
}

/* Decided once: the unit that follows the metadata may not run nft, and a change would restart kube-proxy. */
int services_mode(const struct root *root, const char **ret, struct err *err)
{
    static const char *const modes[] = {"iptables", "nftables"};
    cleanup_buf struct buf kept = BUF_INIT(NFT_OUTPUT_MAX);
    bool found = false;
    if (root_read(root, SERVICES_MODE, &kept, &found, err) < 0)
        return -1;
    for (size_t i = 0; found && kept.data && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(kept.data, modes[i]) == 0) {
            *ret = modes[i];
            return 0;
        }
    *ret = modes[can_nftables(root)];
    return root_write(root, SERVICES_MODE, *ret, strlen(*ret), 0600, err);
}
