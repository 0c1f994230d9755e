#include "boot/cluster/writer.h"

#include <string.h>

#define PREFIX "/bake-test/"
enum { ACKNOWLEDGED = 1, SEEN = 2, KEY_CAP = 32 };

int writer_init(struct etcd_writer *writer, struct err *err)
{
    *writer = (struct etcd_writer){.notes = calloc(WRITER_MAX, 1)};
    return writer->notes ? 0 : err_oom(err);
}

void writer_free(struct etcd_writer *writer)
{
    free(writer->notes);
    *writer = (struct etcd_writer){0};
}

/* The value repeats the key's number, so that a swapped value is detected. */
static void format_pair(unsigned number, char key[static KEY_CAP], char value[static KEY_CAP])
{
    snprintf(key, KEY_CAP, PREFIX "%06u", number);
    snprintf(value, KEY_CAP, "%u", number);
}

int writer_write(struct etcd_writer *writer, struct etcd_client *client, const char *ip, unsigned timeout_ms,
                 bool *ret_done, struct err *err)
{
    char key[KEY_CAP], value[KEY_CAP];
    *ret_done = false;
    if (writer->attempted == WRITER_MAX)
        return err_set(err, ERR_TEST, 0, "more than %d writes", WRITER_MAX);
    unsigned number = writer->attempted++;
    format_pair(number, key, value);
    if (etcd_put(client, ip, key, value, timeout_ms, err) < 0)
        return err->kind == ERR_NETWORK || err->kind == ERR_REMOTE ? 0 : -1;
    writer->notes[number] = ACKNOWLEDGED;
    writer->acknowledged++;
    *ret_done = true;
    return 0;
}

void writer_begin_check(struct etcd_writer *writer)
{
    for (unsigned i = 0; i < writer->attempted; i++)
        writer->notes[i] &= ACKNOWLEDGED;
}

int writer_check_key(struct etcd_writer *writer, const char *key, const char *value, struct err *err)
{
    char wants_key[KEY_CAP], wants_value[KEY_CAP], *end = NULL;
    size_t len = strlen(PREFIX);
    unsigned long number = strncmp(key, PREFIX, len) == 0 ? strtoul(key + len, &end, 10) : WRITER_MAX;
    if (number < writer->attempted)
        format_pair((unsigned)number, wants_key, wants_value);
    if (number >= writer->attempted || strcmp(key, wants_key) != 0 || strcmp(value, wants_value) != 0)
        return err_set(err, ERR_TEST, 0, "etcd has a key that was never written: %.40s = %.40s", key, value);
    writer->notes[number] |= SEEN;
    return 0;
}

int writer_conclude(const struct etcd_writer *writer, struct err *err)
{
    unsigned lost = 0, first = 0;
    for (unsigned i = 0; i < writer->attempted; i++)
        if (writer->notes[i] == ACKNOWLEDGED && lost++ == 0)
            first = i;
    if (lost > 0)
        return err_set(err, ERR_TEST, 0, "%u of %u acknowledged writes are lost, the first is " PREFIX "%06u",
                       lost, writer->acknowledged, first);
    return 0;
}

static int visit(void *ctx, const char *key, const char *value, struct err *err)
{
    return writer_check_key(ctx, key, value, err);
}

int writer_check(struct etcd_writer *writer, struct etcd_client *client, const char *ip, unsigned timeout_ms,
                 struct err *err)
{
    writer_begin_check(writer);
    if (etcd_range(client, ip, PREFIX, timeout_ms, visit, writer, err) < 0)
        return -1;
    return writer_conclude(writer, err);
}
