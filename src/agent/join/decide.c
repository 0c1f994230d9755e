#include "agent/join/decide.h"

#include <stdarg.h>
#include <string.h>

size_t decide_founder(const struct node_metadata *metadata)
{
    size_t first = 0;
    for (size_t i = 1; i < metadata->node_count; i++)
        if (strcmp(metadata->nodes[i].name, metadata->nodes[first].name) < 0)
            first = i;
    return first;
}

static void settle(struct decision *ret, enum decision_kind kind, const char *fmt, ...) print_like(3, 4);
static void settle(struct decision *ret, enum decision_kind kind, const char *fmt, ...)
{
    va_list ap;
    ret->kind = kind;
    va_start(ap, fmt);
    vsnprintf(ret->why, sizeof ret->why, fmt, ap);
    va_end(ap);
}

/* Decisions of other members come first. */
static bool follow(const struct node_metadata *m, const unsigned char *id, const struct peers_reply *replies,
                   struct decision *ret)
{
    for (size_t i = 0; i < m->node_count; i++)
        if (replies[i].got && roster_holds(&replies[i].roster, m->name, m->ip, id)) {
            ret->roster = replies[i].roster;
            settle(ret, DECISION_NEW, "a member of the new cluster, by the roster that %s has",
                   m->nodes[i].name);
            return true;
        }
    for (size_t i = 0; i < m->node_count; i++)
        if (replies[i].got && replies[i].phase != MEMBER_WAITING) {
            settle(ret, DECISION_REPLACE,
                   "%s is a member of a cluster that does not know this disk: joining as a "
                   "replacement",
                   m->nodes[i].name);
            return true;
        }
    return false;
}

/* Joins the names of the other members for which TEST holds with ", ". */
static void add_names(const struct node_metadata *m, const struct peers_reply *replies,
                      bool (*test)(const struct peers_reply *), char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < m->node_count; i++) {
        if (i == m->self || !test(&replies[i]))
            continue;
        int n = snprintf(out + len, cap - len, "%s%s", len > 0 ? ", " : "", m->nodes[i].name);
        len += n > 0 && (size_t)n < cap - len ? (size_t)n : 0;
    }
}

static bool silent(const struct peers_reply *reply)
{
    return !reply->got;
}

static bool differs(const struct peers_reply *reply)
{
    return reply->got && !reply->same_list;
}

static bool same_as_before(const struct node_metadata *m, const struct peers_reply *replies,
                           const struct peers_reply *before)
{
    for (size_t i = 0; before && i < m->node_count; i++)
        if (i != m->self && memcmp(replies[i].id, before[i].id, ROSTER_ID_SIZE) != 0)
            return false;
    return before != NULL;
}

static void found(const struct node_metadata *m, const unsigned char *id, const struct peers_reply *replies,
                  const struct peers_reply *before, struct decision *ret)
{
    struct err err = {0};
    if (!same_as_before(m, replies, before)) {
        settle(ret, DECISION_CONFIRM, "all members are there: asking once more");
        return;
    }
    ret->roster.count = m->node_count;
    for (size_t i = 0; i < m->node_count; i++) {
        struct roster_entry *entry = &ret->roster.entries[i];
        snprintf(entry->name, sizeof entry->name, "%s", m->nodes[i].name);
        snprintf(entry->ip, sizeof entry->ip, "%s", m->nodes[i].ip);
        memcpy(entry->id, i == m->self ? id : replies[i].id, ROSTER_ID_SIZE);
    }
    if (roster_settle(&ret->roster, &err) < 0)
        settle(ret, DECISION_WAIT,
               "no cluster can be founded: two members have the same disk or address (%.200s)", err.text);
    else
        settle(ret, DECISION_NEW, "all %zu members are there: founding the cluster", m->node_count);
}

void decide(const struct node_metadata *m, const unsigned char id[ROSTER_ID_SIZE],
            const struct peers_reply replies[NODE_MEMBERS_MAX], const struct peers_reply *before,
            struct decision *ret)
{
    char names[NODE_MEMBERS_MAX * (VALUE_NAME_CAP + 2)];
    size_t founder = decide_founder(m);
    *ret = (struct decision){0};
    if (follow(m, id, replies, ret))
        return;
    add_names(m, replies, silent, names, sizeof names);
    if (founder != m->self && replies[founder].got)
        settle(ret, DECISION_WAIT, "waiting for %s to found the cluster%s%s", m->nodes[founder].name,
               names[0] ? "; no answer from " : "", names);
    else if (names[0])
        settle(
            ret, DECISION_WAIT,
            "waiting for %s: a new cluster needs all its members once; one that runs and does not answer has "
            "another cluster-secret, or a firewall is between",
            names);
    else {
        add_names(m, replies, differs, names, sizeof names);
        if (names[0])
            settle(ret, DECISION_WAIT, "waiting for %s to get the same cluster-nodes as here", names);
        else
            found(m, id, replies, before, ret);
    }
}
