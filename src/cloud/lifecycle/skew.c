#include "cloud/lifecycle/skew.h"

#include <string.h>

#include "cloud/push/names.h"

enum { PART_DIGITS = 4, FAR = 10000 };

struct minor {
    unsigned major, minor;
};

/* The same part of both images. */
struct pair {
    const char *part; /* "Kubernetes" */
    const struct image *head, *image;
    char had[PUSH_VERSION_LABEL], has[PUSH_VERSION_LABEL]; /* "1.36.3" */
    struct minor from, to;
};

static bool read_part(const char **at, unsigned *ret)
{
    size_t digits = strspn(*at, "0123456789");
    unsigned value = 0;
    if (digits == 0 || digits > PART_DIGITS)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)((*at)[i] - '0');
    *at += digits;
    *ret = value;
    return true;
}

/* Label "1-36-3" or "1-36". A label without a version, as others may have set it, says nothing. */
static bool read_label(const struct image *image, const char *key, char text[static PUSH_VERSION_LABEL],
                       struct minor *ret)
{
    const char *label = image_label(image, key), *at = label;
    if (!label || strlen(label) >= PUSH_VERSION_LABEL || !read_part(&at, &ret->major) || *at++ != '-' ||
        !read_part(&at, &ret->minor) || (*at && *at != '-'))
        return false;
    snprintf(text, PUSH_VERSION_LABEL, "%s", label);
    for (char *c = text; *c; c++)
        if (*c == '-')
            *c = '.';
    return true;
}

/* Minor versions up; below 0: down. */
static int distance(const struct pair *pair)
{
    if (pair->from.major != pair->to.major)
        return pair->from.major < pair->to.major ? FAR : -FAR;
    return (int)pair->to.minor - (int)pair->from.minor;
}

static int check_pair(const struct pair *pair, struct skew_rules rules, struct err *err)
{
    int by = distance(pair);
    if (by < 0 && !rules.rollback)
        return err_set(err, ERR_REMOTE, 0,
                       "image %s has %s %s, an older minor version than %s of the family's head %s: use "
                       "--rollback to go back to it",
                       pair->image->name, pair->part, pair->has, pair->had, pair->head->name);
    if ((by < -1 || by > 1) && !rules.skip_minors)
        return err_set(err, ERR_REMOTE, 0,
                       "image %s has %s %s, and the family's head %s has %s: more than one minor version at "
                       "once. While the nodes of a cluster are replaced, both run side by side, which %s "
                       "supports for neighboring minor versions only. First promote an image of the one "
                       "between, and replace all nodes; if no cluster runs from the family, use "
                       "--skip-minors",
                       pair->image->name, pair->part, pair->has, pair->head->name, pair->had, pair->part);
    return 0;
}

int skew_check(const struct image *head, const struct image *image, struct skew_rules rules,
               const struct run *run, struct err *err)
{
    struct pair kubernetes = {.part = "Kubernetes", .head = head, .image = image};
    struct pair etcd = {.part = "etcd", .head = head, .image = image};
    if (read_label(head, LABEL_KUBERNETES, kubernetes.had, &kubernetes.from) &&
        read_label(image, LABEL_KUBERNETES, kubernetes.has, &kubernetes.to) &&
        check_pair(&kubernetes, rules, err) < 0)
        return -1;
    if (!read_label(head, LABEL_ETCD, etcd.had, &etcd.from) ||
        !read_label(image, LABEL_ETCD, etcd.has, &etcd.to))
        return 0;
    if (check_pair(&etcd, rules, err) < 0)
        return -1;
    if (distance(&etcd) < 0)
        run_warn(run, "promote",
                 "etcd %s joins a cluster only while a member of it runs etcd %u.%u still, or after "
                 "\"etcdctl downgrade enable %u.%u\"",
                 etcd.has, etcd.to.major, etcd.to.minor, etcd.to.major, etcd.to.minor);
    return 0;
}
