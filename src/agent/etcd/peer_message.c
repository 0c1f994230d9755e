#include "agent/etcd/peer_message.h"

#include <arpa/inet.h>
#include <string.h>

#include <sodium.h>

enum {
    WORD_MAX = 1 + VALUE_NAME_CAP - 1,
    ENTRY_MAX = WORD_MAX + 4 + ROSTER_ID_SIZE,
    MESSAGE_MAX = 1 + PEER_MESSAGE_ECHO_SIZE + PEER_MESSAGE_LIST_SIZE + 3 * WORD_MAX + ROSTER_ID_SIZE + 2 +
                  NODE_MEMBERS_MAX * ENTRY_MAX,
};
_Static_assert(MESSAGE_MAX <= (int)BOX_MESSAGE_MAX, "the longest message fits a box");

struct message_writer {
    unsigned char *out;
    size_t len;
};

struct message_reader {
    const unsigned char *in;
    size_t len;
    bool bad;
};

void peer_message_start(const struct node_metadata *metadata, struct peer_message *ret)
{
    cleanup_buf struct buf list = BUF_INIT(NODE_METADATA_COPY_MAX);
    *ret = (struct peer_message){0};
    node_metadata_write_members(metadata, &list);
    crypto_generichash(ret->list, sizeof ret->list, (const unsigned char *)list.data, list.len, NULL, 0);
    snprintf(ret->cluster, sizeof ret->cluster, "%s", metadata->cluster_name);
    snprintf(ret->from, sizeof ret->from, "%s", metadata->name);
}

static void put_bytes(struct message_writer *w, const void *bytes, size_t len)
{
    memcpy(w->out + w->len, bytes, len);
    w->len += len;
}

static void put_byte(struct message_writer *w, size_t value)
{
    w->out[w->len++] = (unsigned char)value;
}

static void put_word(struct message_writer *w, const char *word)
{
    put_byte(w, strlen(word));
    put_bytes(w, word, strlen(word));
}

static void put_roster(struct message_writer *w, const struct member_roster *roster)
{
    put_byte(w, roster->count);
    for (size_t i = 0; i < roster->count; i++) {
        struct in_addr addr = {0};
        (void)inet_pton(AF_INET, roster->entries[i].ip, &addr); /* a roster's addresses are checked */
        put_word(w, roster->entries[i].name);
        put_bytes(w, &addr, sizeof addr);
        put_bytes(w, roster->entries[i].id, ROSTER_ID_SIZE);
    }
}

// NOLINTNEXTLINE(readability-non-const-parameter) ; the writer writes there
size_t peer_message_write(const struct peer_message *message, unsigned char ret[BOX_MESSAGE_MAX])
{
    struct message_writer w = {.out = ret};
    put_byte(&w, message->type);
    put_bytes(&w, message->echo, sizeof message->echo);
    put_bytes(&w, message->list, sizeof message->list);
    put_word(&w, message->cluster);
    put_word(&w, message->from);
    put_word(&w, message->to);
    if (message->type == PEER_MESSAGE_ANSWER) {
        put_bytes(&w, message->id, sizeof message->id);
        put_byte(&w, message->phase);
        put_roster(&w, &message->roster);
    }
    return w.len;
}

static void take_bytes(struct message_reader *r, void *out, size_t len)
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

static unsigned char take_byte(struct message_reader *r)
{
    unsigned char byte;
    take_bytes(r, &byte, 1);
    return byte;
}

static void take_name(struct message_reader *r, char out[VALUE_NAME_CAP])
{
    size_t len = take_byte(r);
    if (len >= VALUE_NAME_CAP)
        r->bad = true;
    take_bytes(r, out, r->bad ? 0 : len);
    out[r->bad ? 0 : len] = '\0';
    r->bad = r->bad || strlen(out) != len || !value_name_ok(out);
}

static void take_roster(struct message_reader *r, struct member_roster *ret)
{
    struct err unused;
    size_t count = take_byte(r);
    if (count > NODE_MEMBERS_MAX)
        r->bad = true;
    for (size_t i = 0; i < count && !r->bad; i++) {
        struct in_addr addr;
        take_name(r, ret->entries[i].name);
        take_bytes(r, &addr, sizeof addr);
        take_bytes(r, ret->entries[i].id, ROSTER_ID_SIZE);
        (void)inet_ntop(AF_INET, &addr, ret->entries[i].ip, sizeof ret->entries[i].ip);
        ret->count++;
    }
    struct member_roster sorted = *ret;
    if (r->bad || count == 0)
        return;
    /* one encoding only: the entries must be sorted */
    r->bad = roster_settle(&sorted, &unused) < 0 || memcmp(&sorted, ret, sizeof sorted) != 0;
}

static void take_answer(struct message_reader *r, struct peer_message *ret)
{
    take_bytes(r, ret->id, sizeof ret->id);
    unsigned char phase = take_byte(r);
    take_roster(r, &ret->roster);
    r->bad = r->bad || phase < MEMBER_WAITING || phase > MEMBER_JOINED ||
             (phase == MEMBER_WAITING && ret->roster.count > 0) ||
             (phase == MEMBER_DECIDED && ret->roster.count == 0);
    ret->phase = r->bad ? MEMBER_WAITING : (enum member_phase)phase;
}

bool peer_message_read(const unsigned char *bytes, size_t len, struct peer_message *ret)
{
    struct message_reader r = {bytes, len, false};
    struct peer_message made = {0};
    unsigned char type = take_byte(&r);
    take_bytes(&r, made.echo, sizeof made.echo);
    take_bytes(&r, made.list, sizeof made.list);
    take_name(&r, made.cluster);
    take_name(&r, made.from);
    take_name(&r, made.to);
    made.type = type == PEER_MESSAGE_QUESTION ? PEER_MESSAGE_QUESTION : PEER_MESSAGE_ANSWER;
    if (type == PEER_MESSAGE_ANSWER)
        take_answer(&r, &made);
    if (r.bad || r.len > 0 || type < PEER_MESSAGE_QUESTION || type > PEER_MESSAGE_ANSWER)
        return false;
    *ret = made;
    return true;
}
