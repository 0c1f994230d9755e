/* What a member hears before it is one: a packet that was sealed well, a roster, etcd's answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/etcd/api.h"
#include "agent/etcd/peer_message.h"
#include "agent/status/cluster.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* One encoding each: what is accepted is written back as the same bytes. */
static void check_packet(const uint8_t *bytes, size_t len)
{
    struct peer_message packet;
    unsigned char again[BOX_MESSAGE_MAX];
    if (!peer_message_read(bytes, len, &packet))
        return;
    if (peer_message_write(&packet, again) != len || memcmp(bytes, again, len) != 0)
        abort();
}

static void check_roster(const char *text, size_t len)
{
    struct member_roster roster;
    struct err err = {0};
    cleanup_buf struct buf again = BUF_INIT(ROSTER_TEXT_MAX);
    if (roster_parse(text, len, &roster, &err) < 0)
        return;
    roster_write(&roster, &again);
    if (again.len != len || memcmp(again.data, text, len) != 0)
        abort();
}

/* Accepted values are safe in a line of an environment file and in a request. */
static void check_members(const char *text, size_t len)
{
    struct etcd_members members;
    struct err err = {0};
    char reason[64];
    etcd_reason_parse(text, len, reason, sizeof reason);
    for (const char *at = reason; *at; at++)
        if (*at < ' ' || *at > '~')
            abort();
    if (etcd_members_parse(text, len, &members, &err) < 0)
        return;
    if (members.count == 0 || members.count > ETCD_MEMBERS_MAX)
        abort();
    for (size_t i = 0; i < members.count; i++) {
        const struct etcd_member *member = &members.members[i];
        if (!value_id_ok(member->id) || strpbrk(member->peer_url, " \t\r\n\"'\\,=$") ||
            strncmp(member->peer_url, "http", 4) != 0 ||
            (member->name[0] && strcmp(member->name, "?") != 0 && !value_name_ok(member->name)))
            abort();
    }
}

/* What a status shows is one printable word. */
static void check_word(const char *word)
{
    if (strlen(word) >= CLUSTER_WORD || strpbrk(word, "\033\n\r\t \"\\"))
        abort();
}

/* What members and API servers answer to `bake-agent status`. */
static void check_status(const char *text, size_t len)
{
    static struct cluster_state state;
    struct err err = {0};
    state = (struct cluster_state){.count = 1, .rows[0] = {.name = "a", .id = "11"}};
    if (cluster_parse_status(text, len, &state.rows[0], &err) == 0 && !state.rows[0].answers)
        abort();
    (void)!cluster_parse_alarms(text, len, &state, &err);
    (void)!cluster_parse_nodes(text, len, &state, &err);
    check_word(state.rows[0].version);
    check_word(state.rows[0].kubelet);
    for (size_t i = 0; i < state.alarm_count; i++)
        check_word(state.alarms[i].what);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    check_packet(bytes, len);
    check_roster((const char *)bytes, len);
    check_members((const char *)bytes, len);
    check_status((const char *)bytes, len);
    return 0;
}
