#include "node/values.h"

#include <stddef.h>
#include <string.h>

static bool lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool label_ok(const char *label, size_t len)
{
    if (len == 0 || len >= VALUE_NAME_CAP || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!lower(label[i]) && !digit(label[i]) && label[i] != '-')
            return false;
    return true;
}

bool value_name_ok(const char *name)
{
    return lower(name[0]) && label_ok(name, strlen(name));
}

/* Reads a decimal number up to MAX without leading zeros, and moves *P past it. */
static bool take_number(const char **p, unsigned max, unsigned *ret)
{
    const char *s = *p;
    unsigned value = 0;
    size_t len = 0;
    for (; digit(s[len]); len++) {
        if (len == 3)
            return false;
        value = value * 10 + (unsigned)(s[len] - '0');
    }
    if (len == 0 || (len > 1 && s[0] == '0') || value > max)
        return false;
    *p = s + len;
    *ret = value;
    return true;
}

/* Reads an address and moves *P past it. */
static bool take_ip(const char **p, uint32_t *ret)
{
    uint32_t ip = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned part;
        if (i > 0 && *(*p)++ != '.')
            return false;
        if (!take_number(p, 255, &part))
            return false;
        ip = ip << 8 | part;
    }
    *ret = ip;
    return true;
}

static bool unicast(uint32_t ip)
{
    uint32_t net = ip >> 24;
    return net != 0 && net != 127 && net < 224;
}

bool value_ip_ok(const char *ip)
{
    uint32_t number;
    return take_ip(&ip, &number) && *ip == '\0' && unicast(number);
}

bool value_cidr_ok(const char *cidr)
{
    uint32_t ip;
    unsigned bits;
    if (!take_ip(&cidr, &ip) || *cidr++ != '/' || !take_number(&cidr, 30, &bits) || *cidr != '\0' || bits < 8)
        return false;
    return unicast(ip) && (ip & (UINT32_MAX >> bits)) == 0;
}

/* The first address of ADDRESS[/BITS] and its number of prefix bits; false if TEXT is neither form. */
static bool take_range(const char *text, uint32_t *ret_first, unsigned *ret_bits)
{
    *ret_bits = 32;
    return take_ip(&text, ret_first) &&
           (*text == '\0' || (*text++ == '/' && take_number(&text, 32, ret_bits)));
}

bool value_cidrs_overlap(const char *a, const char *b)
{
    uint32_t first_a, first_b;
    unsigned bits_a, bits_b;
    if (!take_range(a, &first_a, &bits_a) || !take_range(b, &first_b, &bits_b))
        return false;
    unsigned shared = bits_a < bits_b ? bits_a : bits_b;
    return shared == 0 || (first_a ^ first_b) >> (32 - shared) == 0;
}

bool value_cidr_holds(const char *cidr, const char *ip)
{
    return value_cidrs_overlap(cidr, ip);
}

bool value_domain_ok(const char *domain)
{
    if (strlen(domain) >= VALUE_DOMAIN_CAP)
        return false;
    for (;;) {
        size_t len = strcspn(domain, ".");
        if (!label_ok(domain, len))
            return false;
        if (domain[len] == '\0')
            return true;
        domain += len + 1;
    }
}

bool value_id_ok(const char *id)
{
    uint64_t number = 0;
    if (id[0] == '\0' || (id[0] == '0' && id[1] != '\0'))
        return false;
    for (; digit(*id); id++)
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*id - '0'), &number))
            return false;
    return *id == '\0';
}

bool value_bucket_ok(const char *name)
{
    static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strlen(name);
    return len >= 3 && len < VALUE_BUCKET_CAP &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len && strchr(ends, name[0]) &&
           strchr(ends, name[len - 1]) && !strstr(name, "..");
}

/* One label, followed by a dot or by the end; moves *AT past both. */
static bool skip_label(const char **at)
{
    char label[VALUE_NAME_CAP];
    size_t len = strcspn(*at, ".");
    if (len >= sizeof label)
        return false;
    memcpy(label, *at, len);
    label[len] = '\0';
    *at += len + ((*at)[len] == '.' && (*at)[len + 1] != '\0');
    return value_name_ok(label);
}

bool value_snapshot_ok(const char *name)
{
    static const char time[] = "00000000T000000Z.r", digits[] = "0123456789";
    char revision[VALUE_ID_CAP];
    for (size_t i = 0; time[i]; i++)
        if (time[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != time[i])
            return false;
    const char *at = name + strlen(time);
    size_t len = strspn(at, digits);
    if (len >= sizeof revision || at[len] != '.')
        return false;
    memcpy(revision, at, len);
    revision[len] = '\0';
    at += len + 1;
    return value_id_ok(revision) && skip_label(&at) && (*at == '\0' || (skip_label(&at) && *at == '\0'));
}

bool value_restore_ok(const char *restore)
{
    char id[VALUE_NAME_CAP];
    size_t len = strcspn(restore, "=");
    if (len >= sizeof id || restore[len] != '=')
        return false;
    memcpy(id, restore, len);
    id[len] = '\0';
    const char *from = restore + len + 1;
    return value_name_ok(id) && (strcmp(from, "newest") == 0 || value_snapshot_ok(from) ||
                                 (strncmp(from, "disk@", 5) == 0 && value_name_ok(from + 5)));
}
