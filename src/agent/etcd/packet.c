#include "agent/etcd/packet.h"

#include <arpa/inet.h>
#include <string.h>

#include <sodium.h>

enum {
    WORD_MAX = 1 + VALUE_NAME_CAP - 1,
    ENTRY_MAX = WORD_MAX + 4 + ROSTER_ID_SIZE,
    MESSAGE_MAX = 1 + PACKET_ECHO_SIZE + PACKET_LIST_SIZE + 3 * WORD_MAX + ROSTER_ID_SIZE + 2 +
                  METADATA_NODES_MAX * ENTRY_MAX,
};
_Static_assert(MESSAGE_MAX <= (int)SEALED_MESSAGE_MAX, "the longest message fits a packet");

struct writer {
    unsigned char *out;
    size_t len;
};

struct reader {
    const unsigned char *in;
    size_t len;
    bool bad;
};

void packet_start(const struct metadata *metadata, struct packet *ret)
{
    cleanup_buf struct buf list = BUF_INIT(METADATA_COPY_MAX);
    *ret = (struct packet){0};
    metadata_write_nodes(metadata, &list);
    crypto_generichash(ret->list, sizeof ret->list, (const unsigned char *)list.data, list.len, NULL, 0);
    snprintf(ret->cluster, sizeof ret->cluster, "%s", metadata->cluster_name);
    snprintf(ret->from, sizeof ret->from, "%s", metadata->name);
}

static void put(struct writer *w, const void *bytes, size_t len)
{
    memcpy(w->out + w->len, bytes, len);
    w->len += len;
}

static void put_byte(struct writer *w, size_t value)
{
    w->out[w->len++] = (unsigned char)value;
}

static void put_word(struct writer *w, const char *word)
{
    put_byte(w, strlen(word));
    put(w, word, strlen(word));
}

static void put_roster(struct writer *w, const struct roster *roster)
{
    put_byte(w, roster->count);
    for (size_t i = 0; i < roster->count; i++) {
        struct in_addr addr = {0};
        (void)inet_pton(AF_INET, roster->entries[i].ip, &addr); /* a roster's addresses are checked */
        put_word(w, roster->entries[i].name);
        put(w, &addr, sizeof addr);
        put(w, roster->entries[i].id, ROSTER_ID_SIZE);
    }
}

// NOLINTNEXTLINE(readability-non-const-parameter) ; the writer writes there
size_t packet_write(const struct packet *packet, unsigned char ret[SEALED_MESSAGE_MAX])
{
    struct writer w = {.out = ret};
    put_byte(&w, packet->type);
    put(&w, packet->echo, sizeof packet->echo);
    put(&w, packet->list, sizeof packet->list);
    put_word(&w, packet->cluster);
    put_word(&w, packet->from);
    put_word(&w, packet->to);
    if (packet->type == PACKET_ANSWER) {
        put(&w, packet->id, sizeof packet->id);
        put_byte(&w, packet->state);
        put_roster(&w, &packet->roster);
    }
    return w.len;
}

static void take(struct reader *r, void *out, size_t len)
{
    if (r->bad || r->len < len) {
        r->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, r->in, len);
    r->in += len;
    r->len -= len;
}

static unsigned char take_byte(struct reader *r)
{
    unsigned char byte;
    take(r, &byte, 1);
    return byte;
}

static void take_name(struct reader *r, char out[VALUE_NAME_CAP])
{
    size_t len = take_byte(r);
    if (len >= VALUE_NAME_CAP)
        r->bad = true;
    take(r, out, r->bad ? 0 : len);
    out[r->bad ? 0 : len] = '\0';
    r->bad = r->bad || strlen(out) != len || !value_name_ok(out);
}

static void take_roster(struct reader *r, struct roster *ret)
{
    struct err unused;
    size_t count = take_byte(r);
    if (count > METADATA_NODES_MAX)
        r->bad = true;
    for (size_t i = 0; i < count && !r->bad; i++) {
        struct in_addr addr;
        take_name(r, ret->entries[i].name);
        take(r, &addr, sizeof addr);
        take(r, ret->entries[i].id, ROSTER_ID_SIZE);
        (void)inet_ntop(AF_INET, &addr, ret->entries[i].ip, sizeof ret->entries[i].ip);
        ret->count++;
    }
    struct roster sorted = *ret;
    if (r->bad || count == 0)
        return;
    /* one encoding only: it must stand sorted already */
    r->bad = roster_settle(&sorted, &unused) < 0 || memcmp(&sorted, ret, sizeof sorted) != 0;
}

static void take_answer(struct reader *r, struct packet *ret)
{
    take(r, ret->id, sizeof ret->id);
    unsigned char state = take_byte(r);
    take_roster(r, &ret->roster);
    r->bad = r->bad || state < DISK_WAITING || state > DISK_JOINED_IN ||
             (state == DISK_WAITING && ret->roster.count > 0) ||
             (state == DISK_DECIDED && ret->roster.count == 0);
    ret->state = r->bad ? DISK_WAITING : (enum disk_state)state;
}

bool packet_read(const unsigned char *bytes, size_t len, struct packet *ret)
{
    struct reader r = {bytes, len, false};
    struct packet made = {0};
    unsigned char type = take_byte(&r);
    take(&r, made.echo, sizeof made.echo);
    take(&r, made.list, sizeof made.list);
    take_name(&r, made.cluster);
    take_name(&r, made.from);
    take_name(&r, made.to);
    made.type = type == PACKET_QUESTION ? PACKET_QUESTION : PACKET_ANSWER;
    if (type == PACKET_ANSWER)
        take_answer(&r, &made);
    if (r.bad || r.len > 0 || type < PACKET_QUESTION || type > PACKET_ANSWER)
        return false;
    *ret = made;
    return true;
}
