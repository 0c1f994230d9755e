#include "agent/net/slots.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_FILE "/var/lib/bake/slot"

enum { SLOT_FILE_MAX = 128 };

void slot_address(const struct node_metadata *metadata, size_t slot, unsigned nth,
                  char ret[static VALUE_IP_CAP])
{
    char base[VALUE_CIDR_CAP];
    struct in_addr address = {0};
    snprintf(base, sizeof base, "%.*s", (int)strcspn(metadata->pod_cidr, "/"), metadata->pod_cidr);
    (void)inet_pton(AF_INET, base, &address);
    address.s_addr = htonl(ntohl(address.s_addr) + ((uint32_t)slot << (32 - SLOT_BITS)) + nth);
    (void)inet_ntop(AF_INET, &address, ret, VALUE_IP_CAP);
}

void slot_cidr(const struct node_metadata *metadata, size_t slot, char ret[static VALUE_CIDR_CAP])
{
    char first[VALUE_IP_CAP];
    slot_address(metadata, slot, 0, first);
    snprintf(ret, VALUE_CIDR_CAP, "%s/%d", first, SLOT_BITS);
}

int slot_check(const struct root *root, const struct node_metadata *metadata, struct err *err)
{
    cleanup_buf struct buf has = BUF_INIT(SLOT_FILE_MAX);
    char wants[VALUE_CIDR_CAP + 1];
    unsigned bits = (unsigned)strtoul(strchr(metadata->pod_cidr, '/') + 1, NULL, 10);
    bool found = false;
    if (bits > SLOT_BITS || metadata->node_count > (size_t)1 << (SLOT_BITS - bits))
        return err_set(err, ERR_VERIFY, 0,
                       "metadata: cluster-pod-cidr %s is too small for %zu members with a /%d each",
                       metadata->pod_cidr, metadata->node_count, SLOT_BITS);
    slot_cidr(metadata, metadata->self, wants);
    if (root_read(root, SLOT_FILE, &has, &found, err) < 0)
        return -1;
    size_t len = has.data ? strcspn(has.data, "\n") : 0;
    if (found && (len != strlen(wants) || memcmp(has.data, wants, len) != 0))
        return err_set(
            err, ERR_VERIFY, 0,
            "metadata: cluster-nodes was reordered, or cluster-pod-cidr changed: this node's pods have %.*s, "
            "and would have %s. Put the members back into their order, new ones in the place of those they "
            "replace or at the end; or give the node an empty disk",
            (int)len, has.data, wants);
    if (found)
        return 0;
    snprintf(wants + strlen(wants), sizeof wants - strlen(wants), "\n");
    return root_write(root, SLOT_FILE, wants, strlen(wants), 0600, err);
}
