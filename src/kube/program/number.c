#include "kube/program/number.h"

#include <stdio.h>

enum { PART_MAX = 9999 };

/* Digits at *at, which is moved behind them. */
static bool read_part(const char *text, size_t len, size_t *at, unsigned *ret)
{
    size_t start = *at;
    unsigned value = 0;
    for (; *at < len && text[*at] >= '0' && text[*at] <= '9' && value <= PART_MAX; (*at)++)
        value = value * 10 + (unsigned)(text[*at] - '0');
    *ret = value;
    return *at > start && value <= PART_MAX;
}

bool kube_number_parse(const char *text, size_t len, struct kube_number *ret)
{
    struct kube_number made = {0};
    size_t at = len > 0 && text[0] == 'v';
    while (made.parts < KUBE_NUMBER_PARTS) {
        if (!read_part(text, len, &at, &made.part[made.parts]))
            return false;
        made.parts++;
        if (at == len || text[at] != '.')
            break;
        at++;
    }
    if (at < len && text[at] != '-' && text[at] != '+' && text[at] != '~' && text[at] != '\n')
        return false;
    *ret = made;
    return true;
}

int kube_number_compare(const struct kube_number *a, const struct kube_number *b)
{
    for (unsigned i = 0; i < a->parts && i < b->parts; i++)
        if (a->part[i] != b->part[i])
            return a->part[i] < b->part[i] ? -1 : 1;
    return 0;
}

const char *kube_number_text(const struct kube_number *number, char ret[static KUBE_NUMBER_CAP])
{
    size_t len = 0;
    ret[0] = '\0';
    for (unsigned i = 0; i < number->parts && i < KUBE_NUMBER_PARTS; i++)
        len += (size_t)snprintf(ret + len, KUBE_NUMBER_CAP - len, "%s%u", i > 0 ? "." : "",
                                number->part[i] % (PART_MAX + 1));
    return ret;
}
