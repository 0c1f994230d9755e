/* Answers of a tested guest's etcd, from hostile bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cluster/etcd.h"
#include "boot/cluster/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A writer that wrote nothing accepts no key. */
static int visit(void *ctx, const char *key, const char *value, struct err *err)
{
    if (writer_check_key(ctx, key, value, err) == 0)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err err = {0};
    struct etcd_status status;
    struct etcd_list list = {0};
    struct etcd_writer writer = {0};
    const char *text = (const char *)bytes;
    if (etcd_status_parse(text, len, &status, &err) == 0 && status.member == 0)
        abort();
    if (etcd_list_parse(text, len, &list, &err) == 0)
        for (size_t i = 0; i < list.count; i++)
            if (strlen(list.members[i].name) >= ETCD_NAME_CAP || strpbrk(list.members[i].name, "\033\n ;"))
                abort();
    (void)!etcd_range_parse(text, len, visit, &writer, &err);
    return 0;
}
