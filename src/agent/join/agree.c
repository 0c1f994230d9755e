#include "agent/join/agree.h"

#include <string.h>

bool agree_peer(const struct etcd_member *member, struct wire_peer *ret)
{
    struct err unused;
    const char *address = strstr(member->peer_url, "://");
    return address && wire_peer_parse(address + 3, ret, &unused) == 0;
}

/* Whether LIST has "NAME=..." or, without a name, "...=IP". */
static bool list_has(const char *list, const char *name, const char *ip)
{
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t len = strcspn(at, ","), name_len = strcspn(at, "=,");
        const char *address = at + name_len + 1;
        if (name[0] && strlen(name) == name_len && strncmp(at, name, name_len) == 0)
            return true;
        if (!name[0] && name_len < len && strlen(ip) == len - name_len - 1 &&
            strncmp(address, ip, strlen(ip)) == 0)
            return true;
    }
    return false;
}

static bool has_member(const char *list, const struct etcd_member *member)
{
    struct wire_peer peer = {0};
    bool known = agree_peer(member, &peer);
    return list_has(list, member->name, known ? peer.host : "?");
}

/* Whether this member's list counts. */
static bool has_voice(const struct agree *agree, size_t i)
{
    const struct etcd_member *member = &agree->members.members[i];
    return !member->is_learner && member->name[0] && list_has(agree->views[i].list, member->name, "");
}

bool agree_admits(const struct agree *agree, const struct node_member *newcomer)
{
    size_t voices = 0, listed = 0;
    for (size_t i = 0; i < agree->members.count; i++) {
        const char *list = agree->views[i].list;
        if (!has_voice(agree, i) || strcmp(agree->members.members[i].name, newcomer->name) == 0)
            continue;
        voices++;
        listed += list_has(list, newcomer->name, "") && list_has(list, "", newcomer->ip);
    }
    return 2 * listed > voices || voices == 0;
}

bool agree_unlists(const struct agree *agree, size_t member)
{
    size_t living = 0, unlisted = 0;
    for (size_t i = 0; i < agree->members.count; i++) {
        bool voice = has_voice(agree, i);
        if (i == member || agree->members.members[i].is_learner)
            continue;
        living += voice || agree->views[i].answers;
        unlisted += voice && !has_member(agree->views[i].list, &agree->members.members[member]);
    }
    return 2 * unlisted > living;
}

static bool has_quorum(const struct agree *agree)
{
    size_t votes = 0, serving = 0;
    for (size_t i = 0; i < agree->members.count; i++) {
        votes += !agree->members.members[i].is_learner;
        serving += has_voice(agree, i);
    }
    return 2 * serving > votes;
}

int agree_removal(const struct agree *agree)
{
    for (size_t i = 0; has_quorum(agree) && i < agree->members.count; i++)
        if (agree->views[i].list[0] == '\0' && !agree->views[i].answers && agree_unlists(agree, i))
            return (int)i;
    return AGREE_NOBODY;
}
