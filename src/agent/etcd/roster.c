#include "agent/etcd/roster.h"

#include <string.h>

#include <sodium.h>

#include "text/hex.h"

#define HEAD "bake-roster 1\n"

bool roster_read_id(const char *hex, size_t len, unsigned char ret[ROSTER_ID_SIZE])
{
    return len == ROSTER_ID_HEX && hex_is_lower(hex, len) && hex_read(hex, ret, ROSTER_ID_SIZE);
}

void roster_write(const struct member_roster *roster, struct buf *ret)
{
    char hex[ROSTER_ID_HEX + 1];
    buf_str(ret, HEAD);
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_entry *entry = &roster->entries[i];
        buf_printf(ret, "%s %s %s\n", entry->name, entry->ip,
                   sodium_bin2hex(hex, sizeof hex, entry->id, ROSTER_ID_SIZE));
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct roster_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Whether entry I keeps the rules, given that those before it do. */
static bool entry_ok(const struct member_roster *roster, size_t i)
{
    const struct roster_entry *entry = &roster->entries[i];
    if (!value_name_ok(entry->name) || !value_ip_ok(entry->ip))
        return false;
    for (size_t j = 0; j < i; j++)
        if (strcmp(roster->entries[j].name, entry->name) >= 0 ||
            strcmp(roster->entries[j].ip, entry->ip) == 0 ||
            memcmp(roster->entries[j].id, entry->id, ROSTER_ID_SIZE) == 0)
            return false;
    return true;
}

static int check_rules(const struct member_roster *roster, struct err *err)
{
    if (roster->count == 0)
        return err_set(err, ERR_VERIFY, 0, "the roster is empty");
    for (size_t i = 0; i < roster->count; i++)
        if (!entry_ok(roster, i))
            return err_set(err, ERR_VERIFY, 0,
                           "the roster's entry %zu is malformed, out of order or a duplicate", i + 1);
    return 0;
}

int roster_settle(struct member_roster *roster, struct err *err)
{
    qsort(roster->entries, roster->count, sizeof roster->entries[0], compare_names);
    return check_rules(roster, err);
}

/* Reads a word up to STOP and moves *AT past it. */
static bool take_word(const char **at, const char *end, char stop, char *out, size_t cap)
{
    const char *found = memchr(*at, stop, (size_t)(end - *at));
    size_t len = found ? (size_t)(found - *at) : cap;
    if (len >= cap || memchr(*at, '\0', len))
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at = found + 1;
    return true;
}

static bool take_entry(const char **at, const char *end, struct roster_entry *ret)
{
    char hex[ROSTER_ID_HEX + 1];
    return take_word(at, end, ' ', ret->name, sizeof ret->name) &&
           take_word(at, end, ' ', ret->ip, sizeof ret->ip) && take_word(at, end, '\n', hex, sizeof hex) &&
           roster_read_id(hex, strlen(hex), ret->id);
}

int roster_parse(const char *text, size_t len, struct member_roster *ret, struct err *err)
{
    struct member_roster made = {0};
    const char *at = text, *end = text + len;
    size_t head = strlen(HEAD);
    if (len < head || memcmp(text, HEAD, head) != 0)
        return err_set(err, ERR_VERIFY, 0, "not a roster");
    for (at += head; at < end; made.count++)
        if (made.count == NODE_MEMBERS_MAX || !take_entry(&at, end, &made.entries[made.count]))
            return err_set(err, ERR_VERIFY, 0, "the roster's line %zu is malformed", made.count + 2);
    if (check_rules(&made, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

bool roster_holds(const struct member_roster *roster, const char *name, const char *ip,
                  const unsigned char id[ROSTER_ID_SIZE])
{
    for (size_t i = 0; i < roster->count; i++)
        if (strcmp(roster->entries[i].name, name) == 0)
            return strcmp(roster->entries[i].ip, ip) == 0 &&
                   memcmp(roster->entries[i].id, id, ROSTER_ID_SIZE) == 0;
    return false;
}
